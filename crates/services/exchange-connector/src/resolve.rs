//! Doubt and its end: ask at once, and count an absence as proof only when the request can no longer arrive.

use nightdesk_env::planted;
use nightdesk_exchange::ExchangeError;
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill};
use nightdesk_shell::Turn;
use nightdesk_units::{Micros, Timestamp};

use crate::attempt::State;
use crate::connector::{ExchangeConnector, Out};
use crate::effect::Effect;

/// Waits between queries without a useful answer: doubling from here.
const FIRST_WAIT: Micros = Micros::from_millis(100);
/// The longest such wait.
const LONGEST_WAIT: Micros = Micros::from_secs(5);

impl ExchangeConnector {
    /// Asks how the order stands, unless it is being asked or sent right now.
    pub(crate) fn ask(&mut self, turn: &Turn, id: ClientOrderId, step: &mut Out) {
        let Some(attempt) = self.durable.attempts.get(&id) else { return };
        let symbol = attempt.command.order.symbol;
        let live = self.live.entry(id).or_default();
        if live.asking || live.placing {
            return;
        }
        if let Some(at) = live.ask_at.take() {
            self.asks.remove(&(at, id));
        }
        if turn.now < self.hold_until {
            self.ask_later(id, self.hold_until);
            return;
        }
        live.asking = true;
        step.act(Effect::Query { symbol, id });
    }

    /// A planned question is due.
    pub(crate) fn ask_due(&mut self, turn: &Turn, id: ClientOrderId, step: &mut Out) {
        let Some(live) = self.live.get_mut(&id) else { return };
        live.ask_at = None;
        let again = live.cancel_wanted && live.seen && !live.asking && !live.cancel_refused;
        if turn.now < self.hold_until {
            self.ask_later(id, self.hold_until);
            return;
        }
        match self.durable.attempts.get(&id) {
            Some(attempt) if again => {
                live.asking = true;
                step.act(Effect::Cancel { symbol: attempt.command.order.symbol, id });
            }
            _ => self.ask(turn, id, step),
        }
    }

    pub(crate) fn ask_later(&mut self, id: ClientOrderId, at: Timestamp) {
        let live = self.live.entry(id).or_default();
        if let Some(before) = live.ask_at.replace(at) {
            self.asks.remove(&(before, id));
        }
        self.asks.insert((at, id));
    }

    /// Plans the next question after one that led nowhere.
    pub(crate) fn ask_after_miss(&mut self, turn: &Turn, id: ClientOrderId) {
        let live = self.live.entry(id).or_default();
        live.misses = live.misses.saturating_add(1);
        let wait = FIRST_WAIT.0 << live.misses.min(6);
        self.ask_later(id, turn.now + Micros(wait.min(LONGEST_WAIT.0)));
    }

    /// The exchange answered a query, or did not.
    pub(crate) fn queried(
        &mut self,
        turn: &Turn,
        id: ClientOrderId,
        asked_at: Timestamp,
        result: Result<(ExecutionReport, Vec<Fill>), ExchangeError>,
        step: &mut Out,
    ) {
        if let Some(live) = self.live.get_mut(&id) {
            live.asking = false;
        }
        match result {
            Ok((order, fills)) => self.known(turn, order, fills, step),
            Err(error) if error.is_no_such_order() => self.not_there(turn, id, asked_at, step),
            Err(ExchangeError::Retry { after, .. }) => {
                self.ask_later(id, turn.now + after.max(FIRST_WAIT));
            }
            Err(_) => self.ask_after_miss(turn, id),
        }
    }

    /// "No such order": proof only if the question left after the request's window had closed.
    fn not_there(&mut self, turn: &Turn, id: ClientOrderId, asked_at: Timestamp, step: &mut Out) {
        let Some(known) = self.durable.attempts.get(&id) else { return };
        let (state, attempt) = (known.state, known.command.attempt);
        if state != State::Sent {
            return;
        }
        let live = self.live.entry(id).or_default();
        if live.placing {
            return;
        }
        if live.seen {
            // It was there, and now it is not: nobody may conclude anything from that but a person.
            tracing::error!(order.id = %id, "the exchange no longer knows an order that it had");
            self.ask_after_miss(turn, id);
            return;
        }
        let end = known.window.map_or(Timestamp::default(), |window| window.end()) + self.config.clock_margin;
        if asked_at > end || planted("absence-believed-early") {
            let proof = format!("no such order, asked at {asked_at}, {} after its window", asked_at.since(end));
            self.absent(turn, id, attempt, &proof, step);
            return;
        }
        // When our clock shows this, the exchange's surely shows more than `end`.
        self.ask_later(id, turn.now + end.since(asked_at) + Micros::from_millis(1));
    }
}
