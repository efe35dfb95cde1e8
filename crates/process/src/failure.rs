//! Which exit code a failed store deserves: systemd restarts what may pass and leaves alone what will not.

use nightdesk_assembly::StartError;
use nightdesk_host::{Failure, Status};
use nightdesk_shell::ShellError;
use nightdesk_store::StoreError;

/// A store cannot be opened.
#[must_use]
pub fn of_store(error: StoreError) -> Failure {
    Failure::new(status(&error), error)
}

/// A service's loop has ended.
#[must_use]
pub fn of_shell(error: ShellError) -> Failure {
    let status = match &error {
        ShellError::Store { source, .. } => status(source),
        ShellError::Restore { .. } | ShellError::Bus { .. } => Status::Fault,
    };
    Failure::new(status, error)
}

/// The services cannot start.
#[must_use]
pub fn of_start(error: StartError) -> Failure {
    match error {
        StartError::Shell(error) => of_shell(error),
        StartError::Bus(_) => Failure::from(error),
    }
}

const fn status(error: &StoreError) -> Status {
    match error {
        StoreError::Locked { .. } => Status::TryAgain,
        // Another has taken over: this one is wanted again, as a standby.
        StoreError::Fenced { .. } => Status::TryAgain,
        // Another program must be started, or another directory named: starting this one again leads nowhere.
        StoreError::Newer { .. } => Status::BadConfig,
        StoreError::Full { .. } | StoreError::Corrupt { .. } | StoreError::Unavailable { .. } => Status::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let place = || "core-engine.sqlite".to_owned();
        let locked =
            ShellError::Store { service: "core-engine".to_owned(), source: StoreError::Locked { place: place() } };
        assert_eq!(of_shell(locked).status(), Status::TryAgain);
        assert_eq!(of_store(StoreError::Newer { place: place(), found: 2, known: 1 }).status(), Status::BadConfig);
        assert_eq!(of_store(StoreError::Full { place: place() }).status(), Status::Fault);
    }
}
