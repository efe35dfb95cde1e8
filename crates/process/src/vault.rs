//! Where a service's process finds its secrets: what its surroundings hand in, else the encrypted file of its directory.

use std::path::Path;

use futures_util::future::{BoxFuture, FutureExt, ready};
use nightdesk_platform::{PlatformError, Secret, Secrets};
use nightdesk_platform_local::SecretsFile;

/// Secrets from the environment (`NIGHTDESK_SECRET_NAME`) and from a file.
pub(crate) struct Vault(SecretsFile);

impl Vault {
    pub(crate) fn open(dir: &Path) -> Result<Self, PlatformError> {
        SecretsFile::open(dir).map(Self)
    }

    /// The secret, or `None` where nobody has set it.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Secret>, PlatformError> {
        match self.get(name).await {
            Ok(secret) => Ok(Some(secret)),
            Err(PlatformError::NoSecret { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Secrets for Vault {
    fn get(&self, name: &str) -> BoxFuture<'static, Result<Secret, PlatformError>> {
        let variable = secret_variable(name);
        match std::env::var(&variable) {
            Ok(value) if !value.is_empty() => ready(Ok(Secret::new(value))).boxed(),
            _ => {
                let asked = self.0.get(name);
                async move {
                    asked.await.map_err(|error| match error {
                        PlatformError::NoSecret { name, remedy } => {
                            PlatformError::NoSecret { name, remedy: format!("{remedy}, or set {variable}") }
                        }
                        other => other,
                    })
                }
                .boxed()
            }
        }
    }
}

/// The environment variable that hands in a secret.
#[must_use]
pub fn secret_variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("NIGHTDESK_SECRET_{}", name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_a_variable_of_its_name() {
        assert_eq!(secret_variable("postgres-url"), "NIGHTDESK_SECRET_POSTGRES_URL");
    }
}
