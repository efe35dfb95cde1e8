//! Placing: at most once.

use nightdesk_env::planted;
use nightdesk_exchange::{ClockOffset, ExchangeError, Placed, Purpose, Window};
use nightdesk_orders::{ClientOrderId, ExecutionReport, Fill};
use nightdesk_shell::{Service, Turn};
use nightdesk_units::{Micros, Timestamp};
use nightdesk_wire::{Command, Message, OutcomeKind, Queue};

use crate::attempt::{Attempt, Fact, State};
use crate::connector::{ExchangeConnector, Live, Out};
use crate::effect::{Effect, Recalled};

/// The shortest pause after the exchange has said "later".
const SHORTEST_HOLD: Micros = Micros::from_millis(100);

impl ExchangeConnector {
    /// Core-engine's present command for an order, heard for the first time or again.
    pub(crate) fn command(&mut self, turn: &Turn, command: Command, step: &mut Out) {
        if command.epoch < self.epoch() {
            tracing::warn!(epoch = command.epoch, ours = self.epoch(), "command of an older epoch refused");
            return;
        }
        if command.epoch > self.epoch() {
            self.record(turn, &Fact::Epoch(command.epoch), step);
        }
        let unknown = !self.durable.attempts.contains_key(&command.order.client_order_id);
        if unknown && command.decided_at <= self.durable.horizon {
            step.act(Effect::Recall(command));
            return;
        }
        self.judge(turn, command, step);
    }

    /// The store has said whether it knows the order.
    pub(crate) fn recalled(&mut self, turn: &Turn, command: Command, found: Option<Recalled>, step: &mut Out) {
        // What has happened meanwhile is newer than what the store said.
        let unknown = !self.durable.attempts.contains_key(&command.order.client_order_id);
        if let Some(Recalled(attempt)) = found.filter(|_| unknown) {
            self.record(turn, &Fact::Recalled { attempt }, step);
        }
        self.judge(turn, command, step);
    }

    fn judge(&mut self, turn: &Turn, command: Command, step: &mut Out) {
        if command.cancel {
            self.cancel(turn, command, step);
            return;
        }
        let id = command.order.client_order_id;
        let Some(known) = self.durable.attempts.get(&id) else {
            if command.attempt == 1 {
                self.admit(turn, command, step);
            } else {
                let attempt = command.attempt;
                tracing::error!(order.id = %id, attempt, "order {id} has earlier attempts that are not on record here: ignored");
            }
            return;
        };
        let (state, last) = (known.state, known.command.attempt);
        match state {
            State::Absent if command.attempt == last.saturating_add(1) => self.admit(turn, command, step),
            // Nobody knows what became of the placements in between.
            State::Absent if command.attempt > last => {
                tracing::error!(order.id = %id, attempt = command.attempt, last, "placement out of turn ignored");
            }
            // Also for an earlier attempt than the last: whoever asks has fallen behind and must hear how it stands.
            State::Absent => {
                let proof = "proven earlier".to_owned();
                Self::tell(turn, id, last, OutcomeKind::NeverArrived { proof }, step);
            }
            State::Rejected => {
                let kind = OutcomeKind::Rejected { code: 0, reason: "refused earlier".to_owned() };
                Self::tell(turn, id, last, kind, step);
            }
            // On record: asked about, never sent again.
            State::Sent | State::Over => self.ask(turn, id, step),
        }
    }

    /// Whether the mode lets a placement leave. Exits always may, also before the mode is known.
    fn permits(&self, command: &Command) -> bool {
        let meanwhile = self.emergency_mode.as_ref().is_none_or(|mode| mode.permits(true));
        command.reduces || (meanwhile && self.durable.mode.as_ref().is_some_and(|mode| mode.permits(true)))
    }

    /// Why a placement that adds risk comes too late to leave.
    fn untimely(&self, turn: &Turn, command: &Command) -> Option<String> {
        let age = turn.now.since(command.decided_at);
        if command.reduces {
            None
        } else if self.draining {
            Some("held back: stopping".to_owned())
        } else if age > self.config.max_age {
            Some(format!("held back: decided {} ms ago", age.as_millis()))
        } else {
            None
        }
    }

    /// What waits for its turn to add risk is taken back: the process stops, and who knows for how long.
    pub(crate) fn drain(&mut self, turn: &Turn, step: &mut Out) {
        self.draining = true;
        let waiting: Vec<Command> = self.live.values().filter_map(|live| live.waiting).collect();
        for command in waiting {
            if let Some(reason) = self.untimely(turn, &command) {
                self.refuse(turn, command, &reason, step);
            }
        }
    }

    /// Lets the placement wait for its turn, unless the mode forbids it for good.
    fn admit(&mut self, turn: &Turn, command: Command, step: &mut Out) {
        if !self.permits(&command) {
            // Until the mode is known nothing is refused for good: core-engine will say its command again.
            if let Some(mode) = self.durable.mode.as_ref().filter(|mode| !mode.permits(true)) {
                let reason = format!("held back: trading is {}", mode.level);
                self.refuse(turn, command, &reason, step);
            }
            return;
        }
        if let Some(reason) = self.untimely(turn, &command) {
            self.refuse(turn, command, &reason, step);
            return;
        }
        let id = command.order.client_order_id;
        let live = self.live.entry(id).or_default();
        // The exchange has shown an order of this id, whatever we had proven: there must not be a second one.
        if live.seen {
            self.ask(turn, id, step);
            return;
        }
        if live.waiting.replace(command).is_none() && turn.now >= self.hold_until {
            let purpose = if command.reduces { Purpose::Exit } else { Purpose::Place };
            step.act(Effect::Admit { id, purpose });
        }
    }

    /// The placement will never be sent, and a later repeat of the command changes nothing about that.
    pub(crate) fn refuse(&mut self, turn: &Turn, command: Command, reason: &str, step: &mut Out) {
        let (id, attempt) = (command.order.client_order_id, command.attempt);
        if let Some(live) = self.live.get_mut(&id) {
            live.waiting = None;
        }
        self.record(turn, &Fact::Refused { command, reason: reason.to_owned() }, step);
        Self::tell(turn, id, attempt, OutcomeKind::NeverArrived { proof: reason.to_owned() }, step);
    }

    /// A ban or maintenance is over: what waited for its end may leave.
    pub(crate) fn release_held(&mut self, turn: &Turn, step: &mut Out) {
        if self.hold_until == Timestamp::default() || self.hold_until > turn.now {
            return;
        }
        self.hold_until = Timestamp::default();
        for (id, live) in &self.live {
            if let Some(command) = &live.waiting {
                let purpose = if command.reduces { Purpose::Exit } else { Purpose::Place };
                step.act(Effect::Admit { id: *id, purpose });
            }
        }
    }

    /// The limiter lets it pass: record the attempt, then send.
    pub(crate) fn admitted(&mut self, turn: &Turn, id: ClientOrderId, offset: ClockOffset, step: &mut Out) {
        if turn.now < self.hold_until {
            return;
        }
        let Some(live) = self.live.get_mut(&id) else { return };
        let (Some(command), false) = (live.waiting.take(), live.seen) else { return };
        if !self.permits(&command) && !planted("halt-spares-waiting") {
            self.refuse(turn, command, "held back: trading was halted while it waited", step);
            return;
        }
        if let Some(reason) = self.untimely(turn, &command) {
            self.refuse(turn, command, &reason, step);
            return;
        }
        let window = Window { timestamp: turn.now + offset.offset, recv_window: self.config.recv_window };
        if !planted("attempt-not-recorded") {
            self.record(turn, &Fact::Attempted { command, window }, step);
        }
        self.live.entry(id).or_default().placing = true;
        step.act(Effect::Place { order: command.order, attempt: command.attempt, window });
    }

    /// The placement was answered, or not.
    pub(crate) fn placed(
        &mut self,
        turn: &Turn,
        id: ClientOrderId,
        attempt: u32,
        result: Result<Placed, ExchangeError>,
        step: &mut Out,
    ) {
        if let Some(live) = self.live.get_mut(&id) {
            live.placing = false;
        }
        // The event stream was quicker: the order is over, or this placement is no longer the present one.
        let present = |known: &Attempt| known.state == State::Sent && known.command.attempt == attempt;
        if result.is_err() && !self.durable.attempts.get(&id).is_some_and(present) {
            return;
        }
        if result.is_err() && self.live.get(&id).is_some_and(|live| live.seen) {
            self.ask(turn, id, step);
            return;
        }
        match result {
            Ok(placed) => self.known(turn, placed.order, placed.fills, step),
            // An order with our id is open already: ours, from a request whose answer was lost.
            Err(ExchangeError::Rejected { code: -2010, reason }) if reason.contains("Duplicate") => {
                self.doubt(turn, id, attempt, reason, step);
            }
            Err(ExchangeError::InDoubt { .. }) if planted("doubt-is-absence") => {
                self.absent(turn, id, attempt, "planted", step);
            }
            Err(ExchangeError::Rejected { code, reason }) => {
                self.record(turn, &Fact::Rejected { id, code, reason: reason.clone() }, step);
                Self::tell(turn, id, attempt, OutcomeKind::Rejected { code, reason }, step);
                self.forget_live(id);
            }
            Err(ExchangeError::Retry { after, reason }) => {
                self.hold(turn, after);
                self.absent(turn, id, attempt, &reason, step);
            }
            Err(ExchangeError::InDoubt { reason }) => self.doubt(turn, id, attempt, reason, step),
        }
    }

    /// The exchange wants no requests for a while; never none at all, or a refusal would be repeated without end.
    pub(crate) fn hold(&mut self, turn: &Turn, after: Micros) {
        self.hold_until = self.hold_until.max(turn.now + after.max(SHORTEST_HOLD));
    }

    fn doubt(&mut self, turn: &Turn, id: ClientOrderId, attempt: u32, reason: String, step: &mut Out) {
        let live = self.live.entry(id).or_default();
        live.doubt_since.get_or_insert(turn.now);
        self.gauges.update(|figures| figures.in_doubt += 1);
        if planted("resend-on-timeout")
            && let Some(command) = self.durable.attempts.get(&id).map(|known| known.command)
        {
            live.waiting = Some(command);
            return step.act(Effect::Admit { id, purpose: Purpose::Place });
        }
        Self::tell(turn, id, attempt, OutcomeKind::InDoubt { reason }, step);
        self.ask(turn, id, step);
    }

    /// Proven: the placement is not at the exchange and cannot get there any more.
    pub(crate) fn absent(&mut self, turn: &Turn, id: ClientOrderId, attempt: u32, proof: &str, step: &mut Out) {
        self.record(turn, &Fact::Absent { id, attempt, proof: proof.to_owned() }, step);
        self.certain(turn, id);
        self.forget_live(id);
        Self::tell(turn, id, attempt, OutcomeKind::NeverArrived { proof: proof.to_owned() }, step);
    }

    /// The exchange has the order: this is how it stands.
    pub(crate) fn known(&mut self, turn: &Turn, order: ExecutionReport, fills: Vec<Fill>, step: &mut Out) {
        let id = order.client_order_id;
        self.seen(turn, &order, step);
        let attempt = self.durable.attempts.get(&id).map_or(1, |attempt| attempt.command.attempt);
        Self::tell(turn, id, attempt, OutcomeKind::Known { order, fills }, step);
    }

    /// Any word of the exchange about an order of ours: it is there.
    pub(crate) fn seen(&mut self, turn: &Turn, report: &ExecutionReport, step: &mut Out) {
        let id = report.client_order_id;
        let Some(attempt) = self.durable.attempts.get(&id) else { return };
        let reference = attempt.command.reference;
        let state = attempt.state;
        self.certain(turn, id);
        if !report.status.is_final() {
            let live = self.live.entry(id).or_default();
            live.seen = true;
            live.cancel_refused = false;
            if !live.cancel_wanted {
                live.misses = 0;
            } else if !live.asking {
                live.asking = true;
                step.act(Effect::Cancel { symbol: report.symbol, id });
            }
            return;
        }
        if state != State::Over {
            self.record(turn, &Fact::Over { id }, step);
            self.gauges.ended(report, reference);
        }
        self.forget_live(id);
    }

    /// Nothing more is to be asked about the order.
    pub(crate) fn forget_live(&mut self, id: ClientOrderId) {
        if let Some(at) = self.live.remove(&id).and_then(|live| live.ask_at) {
            self.asks.remove(&(at, id));
        }
    }

    fn certain(&mut self, turn: &Turn, id: ClientOrderId) {
        let Some(since) = self.live.get_mut(&id).and_then(|live| live.doubt_since.take()) else { return };
        let took = turn.now.since(since);
        self.gauges.update(|figures| {
            figures.doubt_resolved += 1;
            figures.doubt_time.0 += took.0;
            figures.doubt_time_max = figures.doubt_time_max.max(took);
        });
    }

    /// Orders that add risk whose request has left and that the exchange has not shown yet: on its way, or in doubt.
    fn in_flight(&self) -> Vec<ClientOrderId> {
        let adds_risk = |id: &ClientOrderId| {
            self.durable.attempts.get(id).is_some_and(|a| a.state == State::Sent && !a.command.reduces)
        };
        let unknown = |live: &Live| !live.seen && (live.placing || live.doubt_since.is_some());
        self.live.iter().filter(|(id, live)| unknown(live) && adds_risk(id)).map(|(id, _)| *id).collect()
    }

    /// Takes up a mode; what waits and adds risk is held back for good, what has left is named.
    pub(crate) fn set_mode(&mut self, turn: &Turn, mode: nightdesk_capital::Mode, step: &mut Out) {
        if self.durable.mode.as_ref().is_some_and(|known| known.version > mode.version) && !planted("old-mode-obeyed") {
            return;
        }
        let version = mode.version;
        let permits = mode.permits(true);
        self.emergency_mode.take_if(|known| known.version <= version);
        if self.durable.mode.as_ref() != Some(&mode) {
            self.record(turn, &Fact::Mode(mode), step);
        }
        let mut in_flight = Vec::new();
        if !permits && !planted("halt-spares-waiting") {
            let waiting: Vec<Command> =
                self.live.values_mut().filter_map(|live| live.waiting.take_if(|command| !command.reduces)).collect();
            for command in waiting {
                self.refuse(turn, command, "held back: trading was halted while it waited", step);
            }
            in_flight = if planted("in-flight-not-named") { Vec::new() } else { self.in_flight() };
        }
        step.send(Queue::CORE, Message::ModeEffective { version, in_flight });
    }
}
