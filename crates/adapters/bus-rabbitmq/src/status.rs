//! Whether the broker can be reached: for `/ready`, and once an outage in the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the bus can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusState {
    /// All its connections work.
    Up,
    /// It waits for the broker, and why.
    Waiting(String),
    /// It has been closed.
    Closed,
}

/// The connections of a bus and what ails them.
pub(crate) struct Board {
    place: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why a connection is down; those that work say nothing.
    links: BTreeMap<u64, Option<String>>,
    next: u64,
    told: bool,
    closed: bool,
}

impl Board {
    pub(crate) fn new(place: String) -> Self {
        Self { place, state: Mutex::default() }
    }

    /// Adds a connection, down until it says otherwise; returns its number.
    pub(crate) fn add(&self) -> u64 {
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.links.insert(id, Some("connecting".to_owned()));
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        self.lock().links.remove(&id);
    }

    pub(crate) fn up(&self, id: u64) {
        let mut state = self.lock();
        state.links.insert(id, None);
        if state.told && state.links.values().all(Option::is_none) {
            state.told = false;
            tracing::info!(broker = self.place, "the message broker at {} answers", self.place);
        }
    }

    /// A connection broke, or could not be made. Only the first one of an outage is logged.
    pub(crate) fn down(&self, id: u64, why: &str) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.links.insert(id, Some(why.to_owned()));
        if !state.told {
            state.told = true;
            let place = &self.place;
            tracing::warn!(broker = place, reason = why, "waiting for the message broker at {place}: {why}");
        }
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    pub(crate) fn state(&self) -> BusState {
        let state = self.lock();
        let ailing = state.links.values().flatten().next();
        match ailing {
            _ if state.closed => BusState::Closed,
            Some(why) => BusState::Waiting(format!("message broker at {}: {why}", self.place)),
            None => BusState::Up,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_up_when_all_its_connections_are() {
        let board = Board::new("b:1".to_owned());
        let (one, two) = (board.add(), board.add());
        board.up(one);
        assert_eq!(board.state(), BusState::Waiting("message broker at b:1: connecting".to_owned()));
        board.up(two);
        assert_eq!(board.state(), BusState::Up);
        board.down(one, "refused");
        assert_eq!(board.state(), BusState::Waiting("message broker at b:1: refused".to_owned()));
        board.remove(one);
        assert_eq!(board.state(), BusState::Up);
        board.close();
        assert_eq!(board.state(), BusState::Closed);
    }
}
