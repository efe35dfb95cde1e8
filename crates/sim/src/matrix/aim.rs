//! What the exchange does wrong, aimed at one order: what becomes of the placement, and what happens as it leaves and as it
//! is taken.

use nightdesk_exchange::{ExchangeError, Stream};
use nightdesk_units::Micros;

use super::Wish;
use crate::exchange::{Fate, TIMEOUT, doubt};
use crate::faults::ReportChaos;

/// What becomes of the order that the fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is taken and executes.
    Filled,
    /// It is taken and stays in the book.
    Resting,
    /// The placement is not taken.
    NeverArrived,
    /// It is to be taken back while nobody knows how it stands.
    TakenBack,
}

impl End {
    pub(crate) const ALL: [Self; 4] = [Self::Filled, Self::Resting, Self::NeverArrived, Self::TakenBack];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::Resting => "resting",
            Self::NeverArrived => "never arrived",
            Self::TakenBack => "taken back",
        }
    }
}

/// Something that happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The exchange's clock steps.
    Clock(Micros),
    /// Every request is refused for so long.
    Ban(Micros),
    /// Nothing works for so long.
    Maintenance(Micros),
    /// A stream is cut for so long.
    Cut(Stream, Micros),
    /// A stream falls silent, which is noticed after so long.
    Hush(Stream, Micros),
    /// What becomes of reports, for ten seconds.
    Reports(ReportChaos),
    /// Somebody sells to our resting order after so long: first half of it, a moment later the rest.
    Match(Micros),
    /// The operator takes our orders back after so long.
    TakeBack(Micros),
}

/// A fault aimed at one order.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    /// What order is placed.
    pub(crate) wish: Wish,
    /// What becomes of the placement; `None`: what would become of any.
    pub(crate) fate: Option<Fate>,
    /// Happens as it leaves.
    pub(crate) on_send: Vec<Blow>,
    /// Happens as the exchange takes the order.
    pub(crate) on_taken: Vec<Blow>,
}

/// What the exchange does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The answer is lost. `taken` and `absent` say when the placement arrives, if it does, and when the caller hears of
    /// the failure, in milliseconds: for an order that is taken, and for one that is not.
    Answer { name: &'static str, taken: Option<(i64, i64)>, absent: Option<(Option<i64>, i64)> },
    /// The same, and the account's stream falls silent: only a question can tell.
    Unreported { name: &'static str, failed: i64 },
    /// The answer comes late.
    LateAnswer,
    /// The exchange refuses the order.
    Reject,
    /// A stream fails, or what it carries does.
    Stream { name: &'static str, blow: Blow },
    /// Requests are refused, or the clock steps: from before the placement on, or just after it was taken.
    Around { name: &'static str, before: Blow, after: Blow },
    /// One request is refused for now.
    RateLimit,
}

const fn answer(name: &'static str, taken: Option<(i64, i64)>, absent: Option<(Option<i64>, i64)>) -> Fault {
    Fault::Answer { name, taken, absent }
}

const fn stream(name: &'static str, blow: Blow) -> Fault {
    Fault::Stream { name, blow }
}

const fn around(name: &'static str, before: Blow, after: Blow) -> Fault {
    Fault::Around { name, before, after }
}

const CALM: ReportChaos = ReportChaos { drop: 0, repeat: 0, reorder: 0 };
/// The way to the exchange and the way back.
const WAY: i64 = 15;
const TIMEOUT_MS: i64 = TIMEOUT.0 / 1_000;
/// When an order is taken back after it has left.
const TAKEN_BACK: i64 = 300;
/// Before a silent stream is noticed.
const SILENT: Micros = Micros::from_secs(20);
/// Within the placement's window of two seconds, and beyond it.
const HELD: i64 = 1_800;
const HELD_TOO_LONG: i64 = 2_600;

impl Fault {
    /// All of them, in the order of the table.
    pub(crate) fn all() -> Vec<Self> {
        let secs = Micros::from_secs;
        vec![
            Self::None,
            answer("504 after accept", Some((WAY, 2 * WAY)), None),
            answer("504 before accept", None, Some((None, 2 * WAY))),
            answer("-1007 after accept", Some((WAY, 1_000)), None),
            answer("-1007 before accept", None, Some((None, 1_000))),
            answer("reset after accept", Some((WAY, WAY - 5)), None),
            answer("reset before accept", None, Some((None, WAY - 5))),
            answer("no answer", Some((WAY, TIMEOUT_MS)), Some((None, TIMEOUT_MS))),
            answer("request late, reset", Some((HELD, WAY - 5)), Some((Some(HELD_TOO_LONG), WAY - 5))),
            answer("request late, no answer", Some((HELD, TIMEOUT_MS)), Some((Some(HELD_TOO_LONG), TIMEOUT_MS))),
            Self::Unreported { name: "504, unreported", failed: 2 * WAY },
            Self::Unreported { name: "-1007, unreported", failed: 1_000 },
            Self::Unreported { name: "reset, unreported", failed: WAY - 5 },
            Self::Unreported { name: "no answer, unreported", failed: TIMEOUT_MS },
            Self::LateAnswer,
            Self::Reject,
            Self::RateLimit,
            around("418 ban", Blow::Ban(secs(5)), Blow::Ban(secs(10))),
            around("maintenance", Blow::Maintenance(secs(5)), Blow::Maintenance(secs(5))),
            around("clock 5 s ahead", Blow::Clock(secs(5)), Blow::Clock(secs(5))),
            around("clock 5 s behind", Blow::Clock(secs(-5)), Blow::Clock(secs(-5))),
            stream("user stream cut", Blow::Cut(Stream::User, secs(5))),
            stream("market stream cut", Blow::Cut(Stream::Market, secs(5))),
            stream("user stream silent", Blow::Hush(Stream::User, SILENT)),
            stream("market stream silent", Blow::Hush(Stream::Market, SILENT)),
            stream("reports repeated", Blow::Reports(ReportChaos { repeat: 1_000, ..CALM })),
            stream("reports out of order", Blow::Reports(ReportChaos { reorder: 1_000, ..CALM })),
            stream("reports lost", Blow::Reports(ReportChaos { drop: 1_000, ..CALM })),
        ]
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LateAnswer => "answer late",
            Self::Reject => "rejected",
            Self::RateLimit => "429",
            Self::Answer { name, .. }
            | Self::Unreported { name, .. }
            | Self::Stream { name, .. }
            | Self::Around { name, .. } => name,
        }
    }

    /// The fault aimed at an order of that end; `None` when the two contradict each other.
    pub(crate) fn aim(self, end: End) -> Option<Aim> {
        let mut aim = self.aim_at(end)?;
        if end == End::TakenBack {
            aim.on_send.push(Blow::TakeBack(Micros::from_millis(TAKEN_BACK)));
        }
        Some(aim)
    }

    fn aim_at(self, end: End) -> Option<Aim> {
        let arrives = end != End::NeverArrived;
        let wish = if matches!(end, End::Resting | End::TakenBack) { Wish::Rests } else { Wish::Takes };
        let with = |fate: Fate| Aim { wish, fate: Some(fate), on_send: Vec::new(), on_taken: Vec::new() };
        let lost_answer = lost(Some(WAY), WAY - 5, "reset");
        match self {
            Self::None => arrives.then(|| Aim { fate: None, ..with(lost_answer) }),
            Self::Answer { name, taken, .. } if arrives => {
                taken.map(|(there, failed)| with(lost(Some(there), failed, name)))
            }
            Self::Unreported { name, failed } => arrives.then(|| {
                let on_taken = vec![Blow::Hush(Stream::User, SILENT)];
                Aim { on_taken, ..with(lost(Some(WAY), failed, name)) }
            }),
            Self::Answer { name, absent, .. } => absent.map(|(there, failed)| with(lost(there, failed, name))),
            Self::LateAnswer => arrives.then(|| {
                let back = Some(Micros::from_millis(3_000));
                with(Fate { there: Some(Micros::from_millis(WAY)), back, failed: None })
            }),
            Self::Reject => {
                let (code, reason) = (-2010, "Account has insufficient balance for requested action.".to_owned());
                (!arrives).then(|| with(refused(ExchangeError::Rejected { code, reason })))
            }
            // Once the order is there, it is the questions about it that are refused.
            Self::RateLimit if arrives => {
                Some(Aim { on_taken: vec![Blow::Ban(Micros::from_secs(2))], ..with(lost_answer) })
            }
            Self::RateLimit => {
                let (after, reason) = (Micros::from_secs(2), "429".to_owned());
                Some(with(refused(ExchangeError::Retry { after, reason })))
            }
            Self::Around { after, .. } if arrives => Some(Aim { on_taken: vec![after], ..with(lost_answer) }),
            Self::Around { before, .. } => Some(Aim { fate: None, on_send: vec![before], ..with(lost_answer) }),
            // It executes while the stream does not tell of it.
            Self::Stream { blow, .. } if end == End::Filled => {
                let on_taken = vec![blow, Blow::Match(Micros::from_secs(1))];
                Some(Aim { wish: Wish::Joins, fate: None, on_send: Vec::new(), on_taken })
            }
            Self::Stream { blow, .. } if arrives => Some(Aim { on_taken: vec![blow], ..with(lost_answer) }),
            Self::Stream { blow, .. } => Some(Aim { on_send: vec![blow], ..with(lost(None, WAY - 5, "reset")) }),
        }
    }
}

fn lost(there: Option<i64>, failed: i64, reason: &str) -> Fate {
    let failed = Some((Micros::from_millis(failed), doubt(reason)));
    Fate { there: there.map(Micros::from_millis), back: None, failed }
}

fn refused(error: ExchangeError) -> Fate {
    Fate { there: None, back: None, failed: Some((Micros::from_millis(2 * WAY), error)) }
}
