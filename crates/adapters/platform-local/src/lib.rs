//! What a machine of our own gives a service: its data directory, secrets in an encrypted file, the emergency journal in a
//! local one, the system's clock and the system's entropy.

mod clock;
mod data_dir;
mod emergency;
mod entropy;
mod file;
mod secrets;
mod vault;

pub use clock::SystemClock;
pub use data_dir::{DataDir, DataDirError};
pub use emergency::EmergencyFile;
pub use entropy::OsEntropy;
pub use secrets::{KEY_FILE_VARIABLE, SecretsFile};
