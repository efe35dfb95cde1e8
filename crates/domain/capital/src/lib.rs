//! Who may risk how much: allocations, budgets and limits.
