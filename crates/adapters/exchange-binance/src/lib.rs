//! Binance Spot's REST and WebSocket protocol.
