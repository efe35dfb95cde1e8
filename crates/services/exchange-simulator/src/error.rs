//! The exchange's error envelope: an HTTP status, a code and a text.

use nightdesk_matching::VenueError;
use serde_json::{Value, json};

/// A refusal in the exchange's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) msg: String,
    /// Seconds, for 429 and 418.
    pub(crate) retry_after_s: Option<u64>,
    /// More fields of the envelope (`data` of a half-done cancelReplace).
    pub(crate) data: Option<Value>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: i32, msg: impl Into<String>) -> Self {
        Self { status, code, msg: msg.into(), retry_after_s: None, data: None }
    }

    pub(crate) fn bad(code: i32, msg: impl Into<String>) -> Self {
        Self::new(400, code, msg)
    }

    pub(crate) fn mandatory(name: &str) -> Self {
        Self::bad(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    pub(crate) fn illegal(name: &str, range: &str) -> Self {
        Self::bad(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."))
    }

    pub(crate) fn not_required(name: &str) -> Self {
        Self::bad(-1106, format!("Parameter '{name}' sent when not required."))
    }

    pub(crate) fn symbol() -> Self {
        Self::bad(-1121, "Invalid symbol.")
    }

    pub(crate) fn key_format() -> Self {
        Self::new(401, -2014, "API-key format invalid.")
    }

    pub(crate) fn key_rejected() -> Self {
        Self::new(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.")
    }

    pub(crate) fn unknown_outcome() -> Self {
        let msg = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
        Self::new(504, -1007, msg)
    }

    /// The envelope.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "code": self.code, "msg": self.msg });
        if let Some(data) = &self.data {
            body["data"] = data.clone();
        }
        body
    }
}

impl From<VenueError> for ApiError {
    fn from(error: VenueError) -> Self {
        Self::bad(error.code(), error.to_string())
    }
}
