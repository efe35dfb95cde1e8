//! A venue: order book, accounts, filters and matching by price and time.
