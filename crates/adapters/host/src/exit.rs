//! How a process ends: named exit codes, and failures that carry one.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigErrors;
use crate::http::BindError;
use crate::run_file::RunFileError;

/// What an exit code says to scripts and to systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Done, or stopped as asked.
    Good = 0,
    /// The answer is no: a difference was found, a check failed.
    No = 1,
    /// The command line makes no sense.
    Usage = 64,
    /// Nothing there to talk to.
    Unavailable = 69,
    /// Something broke; a restart may help.
    Fault = 70,
    /// Not now: the same command may succeed later.
    TryAgain = 75,
    /// The configuration is wrong; a restart will not help.
    BadConfig = 78,
}

impl Status {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// Why the process, or one of its steps, cannot go on, and the exit code that says so.
///
/// Every error type converts into it, so `?` works in a main: a [`ConfigErrors`] becomes [`Status::BadConfig`], an
/// address in use or a missing process gets its own code, and all else is a [`Status::Fault`].
pub struct Failure {
    status: Status,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure with an exit code of its own.
    pub fn new(status: Status, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { status, error: error.into() }
    }

    /// The exit code.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The config mistakes inside, if it is about those.
    #[must_use]
    pub fn config_errors(&self) -> Option<&ConfigErrors> {
        self.error.downcast_ref()
    }

    /// The same failure, said to have happened in `step`.
    #[must_use]
    pub(crate) fn in_step(self, step: &str) -> Self {
        if self.config_errors().is_some() {
            return self;
        }
        Self { status: self.status, error: format!("{step}: {self}").into() }
    }
}

impl fmt::Display for Failure {
    /// The error and its causes on one line, without repeating a cause the error already quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text = format!("{text}: {said}");
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (exit {})", self.status.code())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let status = if error.is::<ConfigErrors>() {
            Status::BadConfig
        } else if let Some(bind) = error.downcast_ref::<BindError>() {
            bind.status()
        } else if let Some(run_file) = error.downcast_ref::<RunFileError>() {
            run_file.status()
        } else {
            Status::Fault
        };
        Self { status, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the book")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_prints_its_causes_once() {
        let failure = Failure::from(Outer(std::io::Error::other("disk gone")));
        assert_eq!(failure.to_string(), "cannot open the book: disk gone");
        assert_eq!(failure.status(), Status::Fault);
    }

    #[test]
    fn text_converts_and_keeps_a_chosen_status() {
        assert_eq!(Failure::from("no luck").status().code(), 70);
        assert_eq!(Failure::new(Status::No, "3 differences").status().code(), 1);
    }

    #[test]
    fn config_mistakes_end_with_78() {
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        struct Config {}
        impl crate::config::Validate for Config {
            fn problems(&self) -> Vec<crate::config::Problem> {
                Vec::new()
            }
        }
        let errors = crate::config::load::<Config>("a = ", "x.toml").unwrap_err();
        let failure = Failure::from(errors);
        assert_eq!(failure.status(), Status::BadConfig);
        assert!(failure.in_step("wiring").config_errors().is_some(), "a step's name does not hide them");
    }
}
