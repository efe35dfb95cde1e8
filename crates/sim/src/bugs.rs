//! Bugs planted in the product, each of which the simulator must find.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bug {
    /// Its name, as the product's code asks for it.
    pub name: &'static str,
    /// What is wrong then.
    pub what: &'static str,
}

const fn bug(name: &'static str, what: &'static str) -> Bug {
    Bug { name, what }
}

/// Every planted bug.
pub const BUGS: &[Bug] = &[
    bug("effect-before-commit", "the shell lets effects and messages out before the commit"),
    bug("ack-before-commit", "the shell acknowledges messages before the commit"),
    bug("refused-commit-believed", "the shell takes a commit that a full disk refused for done"),
    bug("outbox-not-republished", "after a start the shell forgets messages that had not arrived"),
    bug("numbers-start-again", "after a start the shell numbers its messages from one again"),
    bug("snapshot-skips-state", "core-engine's snapshot leaves out which orders are not over"),
    bug("attempt-not-recorded", "the connector sends without recording the attempt"),
    bug("resend-on-timeout", "a placement without an answer is sent again"),
    bug("doubt-is-absence", "a placement of unknown outcome is taken for one that never arrived"),
    bug("absence-believed-early", "no such order is believed although the request may still arrive"),
    bug("tombstone-forgotten", "a cancel that comes before its placement leaves no trace"),
    bug("cancel-refused-is-gone", "an order whose cancel is refused is taken for one that never arrived"),
    bug("halt-spares-waiting", "a halt does not hold back orders that wait for the rate limiter"),
    bug("halt-not-awaited", "a halt is acknowledged before the connector has confirmed it"),
    bug("in-flight-not-named", "a halt's acknowledgement does not name what was under way"),
    bug("old-mode-obeyed", "the connector takes up a mode older than the one it knows"),
    bug("fill-applied-twice", "an execution that comes again is applied again"),
    bug("late-fill-dropped", "an execution of an order that is over is ignored"),
    bug("fee-forgotten", "executions are booked without their fees"),
    bug("reduction-unbounded", "a sale is not bounded by what is held and not yet being sold"),
    bug("grant-released-early", "capital is free again with the first execution, while the order may still trade"),
    bug("denial-ignored", "an order goes out although capital-manager denied it"),
    bug("gap-not-reconciled", "reconciliation does not look at orders and executions"),
    bug("silence-accepted", "an order without an answer is never driven again"),
    bug("cancel-forgotten-in-doubt", "a cancel asked for while the order is in doubt is forgotten"),
];

/// The bug called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Bug> {
    BUGS.iter().find(|bug| bug.name == name)
}

/// Plants a bug on this thread, or pulls up the one that is there; false when the program was built without them.
pub fn plant(bug: Option<&'static Bug>) -> bool {
    #[cfg(feature = "planted-bugs")]
    {
        nightdesk_env::plant(bug.map(|bug| bug.name));
        true
    }
    #[cfg(not(feature = "planted-bugs"))]
    bug.is_none()
}
