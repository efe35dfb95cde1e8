//! Streaming anomaly detection.
