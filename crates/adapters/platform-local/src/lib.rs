//! Secrets in an encrypted file, the emergency journal in a local one.
