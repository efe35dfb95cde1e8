//! The message bus within one process.
