//! The strategy-worker service.
