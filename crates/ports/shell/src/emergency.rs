//! What a shell does while the store takes no writes: exits are served, everything else waits.

use futures_util::future::{FutureExt, pending};
use futures_util::select_biased;
use nightdesk_platform::EmergencyRecord;

use crate::run::{RETRY, Shell, next_or_pending, optional, received};
use crate::{Input, Outgoing, Service, Step};

/// The most control messages kept to be handled again; more stay with the bus.
const MAX_HELD: usize = 4_096;

impl<S: Service + Send> Shell<S> {
    /// Serves operators and control messages for the length of one retry interval, without the store. False when the
    /// shell is to end.
    pub(crate) async fn emergencies(&mut self) -> bool {
        let until = self.ports.env.now() + RETRY;
        let mut sleep = self.ports.env.clock.sleep_until(self.service.name(), until).fuse();
        loop {
            let room = self.held.len() < MAX_HELD;
            let control = optional(self.ports.control.as_mut().filter(|_| room).map(|control| control.next()));
            let source = optional(self.ports.source.as_mut().map(|source| source.next()));
            let (input, _busy) = select_biased! {
                () = async { let _ = self.ports.stop.recv().await; }.fuse() => return false,
                delivery = present(control).fuse() => {
                    // Not acknowledged: it is handled again, with a record, when the store works.
                    let message = delivery.envelope.message.clone();
                    self.held.push(delivery);
                    (Input::Message(message), None)
                }
                event = next_or_pending(&mut self.effects).fuse() => (Input::Event(event.event), event.busy),
                event = received(&self.ports.events).fuse() => (Input::Event(event.event), event.busy),
                event = present(source).fuse() => (Input::Event(event), None),
                () = sleep => return true,
            };
            self.serve(input);
        }
    }

    fn serve(&mut self, input: Input<S::Event>) {
        let (turn, mut step) = (self.now_turn(), Step::default());
        self.service.emergency(&turn, input, &mut step);
        self.do_at_once(step);
    }

    /// The turn that found the store failing may itself hold exits.
    pub(crate) fn let_exits_out(&mut self, held: &mut Step<S::Effect>) {
        let (turn, mut step) = (self.now_turn(), Step::default());
        self.service.held_back(&turn, held, &mut step);
        self.do_at_once(step);
    }

    fn do_at_once(&mut self, mut step: Step<S::Effect>) {
        for record in &step.records {
            let record = EmergencyRecord { at: record.at, kind: record.kind.to_owned(), body: record.body.clone() };
            if let Err(error) = self.ports.emergency.append(&record) {
                // Reducing risk without a record is better than not reducing it; the log is the record then.
                tracing::error!(%error, kind = record.kind, body = record.body, "emergency journal failed");
            }
        }
        for out in &mut step.out {
            if let Outgoing::Send(queue, message) = out {
                *out = Outgoing::Notify(queue.clone(), message.clone());
            }
        }
        self.release(&mut step, Vec::new());
    }
}

/// What comes; never, from where nothing will come any more.
async fn present<T>(next: impl Future<Output = Option<T>>) -> T {
    match next.await {
        Some(next) => next,
        None => pending().await,
    }
}
