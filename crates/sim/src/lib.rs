//! The whole system on one thread from one seed.
