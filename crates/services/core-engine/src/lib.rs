//! The core-engine service.
