//! Cancelling: safe to repeat, and never overtaken by the placement it is about.

use nightdesk_env::planted;
use nightdesk_exchange::ExchangeError;
use nightdesk_orders::{ClientOrderId, ExecutionReport};
use nightdesk_shell::Turn;
use nightdesk_wire::{Command, OutcomeKind};

use crate::attempt::State;
use crate::connector::{ExchangeConnector, Out};
use crate::effect::Effect;

impl ExchangeConnector {
    /// Cancels, or makes sure that what has not been sent never will be.
    pub(crate) fn cancel(&mut self, turn: &Turn, command: Command, step: &mut Out) {
        let id = command.order.client_order_id;
        let Some(known) = self.durable.attempts.get(&id) else {
            if planted("tombstone-forgotten") {
                let kind = OutcomeKind::NeverArrived { proof: "planted".to_owned() };
                return Self::tell(turn, id, command.attempt, kind, step);
            }
            self.refuse(turn, command, "cancelled before it was sent", step);
            return;
        };
        let (state, last) = (known.state, known.command.attempt);
        match state {
            // A further attempt may be waiting for its turn, or be on its way to us: it will not be made.
            State::Absent => {
                let waits = self.live.get_mut(&id).is_some_and(|live| live.waiting.take().is_some());
                if waits || command.attempt > last {
                    let attempt = command.attempt.max(last.saturating_add(u32::from(waits)));
                    self.refuse(turn, Command { attempt, ..command }, "cancelled before it was sent", step);
                } else {
                    let proof = "proven earlier".to_owned();
                    Self::tell(turn, id, last, OutcomeKind::NeverArrived { proof }, step);
                }
            }
            State::Rejected => {
                let kind = OutcomeKind::Rejected { code: 0, reason: "refused earlier".to_owned() };
                Self::tell(turn, id, last, kind, step);
            }
            State::Over => self.ask(turn, id, step),
            State::Sent => {
                let live = self.live.entry(id).or_default();
                live.cancel_wanted = true;
                // While its placement or a question is under way, the answer decides what follows.
                if !live.placing && !live.asking {
                    live.asking = true;
                    step.act(Effect::Cancel { symbol: command.order.symbol, id });
                }
            }
        }
    }

    /// A cancel was answered, or not.
    pub(crate) fn canceled(
        &mut self,
        turn: &Turn,
        id: ClientOrderId,
        result: Result<ExecutionReport, ExchangeError>,
        step: &mut Out,
    ) {
        if let Some(live) = self.live.get_mut(&id) {
            live.asking = false;
        }
        match result {
            Ok(report) => self.known(turn, report, Vec::new(), step),
            // Nothing to cancel: over, or not there yet. The answer to a question tells which.
            Err(ExchangeError::Rejected { .. }) if planted("cancel-refused-is-gone") => {
                let attempt = self.durable.attempts.get(&id).map_or(1, |known| known.command.attempt);
                self.absent(turn, id, attempt, "planted", step);
            }
            Err(ExchangeError::Rejected { .. }) => self.cancel_refused(turn, id, step),
            Err(ExchangeError::Retry { after, .. }) => {
                self.hold(turn, after);
                self.ask_after_miss(turn, id);
            }
            Err(ExchangeError::InDoubt { .. }) => self.ask_after_miss(turn, id),
        }
    }

    /// Asks at once the first time; an exchange that goes on refusing to cancel an open order is given pauses.
    fn cancel_refused(&mut self, turn: &Turn, id: ClientOrderId, step: &mut Out) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let again = live.misses > 0;
        live.cancel_refused = true;
        if again {
            self.ask_after_miss(turn, id);
        } else {
            live.misses = 1;
            self.ask(turn, id, step);
        }
    }
}
