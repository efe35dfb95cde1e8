//! The exchange-simulator service.
