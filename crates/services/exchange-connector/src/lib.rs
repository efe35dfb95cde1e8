//! The exchange-connector service.
