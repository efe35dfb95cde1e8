//! The matching engine as an exchange within the process.
