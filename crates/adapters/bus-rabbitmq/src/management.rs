//! The broker's management API, for the one thing that AMQP cannot do: end somebody else's connection.

use std::error::Error;
use std::time::Duration;

use serde::Deserialize;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(500);

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
#[error("the broker's management API: {0}")]
pub struct ManagementError(String);

impl From<reqwest::Error> for ManagementError {
    fn from(error: reqwest::Error) -> Self {
        // The address holds a password.
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self(cause.to_string())
    }
}

/// The management API of a broker.
pub struct Management {
    url: String,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Connection {
    name: String,
    /// What the client calls itself.
    #[serde(default)]
    user_provided_name: String,
}

impl Management {
    /// The one at `url`, `http://USER:PASSWORD@HOST:PORT`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(url: &str) -> Result<Self, ManagementError> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), http })
    }

    /// Ends the connections of buses whose service's name begins with `prefix`, except those of `ours`. Returns how many:
    /// their messages go to the next reader at once.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn close_others(&self, prefix: &str, ours: &str) -> Result<usize, ManagementError> {
        let list = format!("{}/api/connections?columns=name,user_provided_name", self.url);
        let connections: Vec<Connection> = self.http.get(list).send().await?.error_for_status()?.json().await?;
        let theirs = |known: &Connection| {
            let name = &known.user_provided_name;
            name.starts_with(prefix) && !name.starts_with(ours)
        };
        let mut ended = 0;
        for connection in connections.into_iter().filter(theirs) {
            let url = format!("{}/api/connections/{}", self.url, escaped(&connection.name));
            let request = self.http.delete(url).header("X-Reason", "its lease has passed to another replica");
            let answer = request.send().await?;
            // It may have ended by itself.
            if answer.status() != reqwest::StatusCode::NOT_FOUND {
                answer.error_for_status()?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// Text as a part of an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
