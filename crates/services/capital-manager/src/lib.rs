//! The capital-manager service.
