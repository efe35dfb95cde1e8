//! The aimed fault in the world, and what is measured of it.

use nightdesk_core_engine::Request;
use nightdesk_market::Side;
use nightdesk_matching::{AccountId, OrderRequest, OrderView, RequestKind};
use nightdesk_orders::TimeInForce;
use nightdesk_units::{Decimal, Lots, Micros, Qty, Timestamp};

use super::aim::{Aim, Blow};
use super::run::FROM;
use crate::exchange::Fate;
use crate::faults::ReportChaos;
use crate::life::Life;
use crate::world::World;

/// Whoever sells to our resting order.
const OTHER: AccountId = AccountId(2);
/// Between the two parts of an execution.
const APART: Micros = Micros::from_millis(20);
/// How long the operator waits for an answer.
const ASKED_AGAIN: Micros = Micros::from_secs(1);
/// How long reports go wrong.
const REPORTS: Micros = Micros::from_secs(10);

/// The one fault of a directed run, and what is measured of it.
#[derive(Debug)]
pub(crate) struct Directed {
    /// Until the first placement.
    pub(crate) aim: Option<Aim>,
    /// Until the first order is taken.
    pub(crate) on_taken: Vec<Blow>,
    /// Executions to come.
    pub(crate) matches: u32,
    /// Orders that the operator takes back; answered when core-engine has said that it has heard.
    pub(crate) taken_back: Vec<String>,
    pub(crate) answered: bool,
    /// Commits begun since the order's time has come.
    commits: u64,
    /// How many of them there had been when the book last came to know how everything stands.
    pub(crate) commits_to_certainty: u64,
    /// Since when the book does not know how an order stands.
    pub(crate) uncertain_since: Option<Timestamp>,
    /// For how long it did not, at most.
    pub(crate) longest: Micros,
    /// Off while the run is brought to its end.
    pub(crate) measures: bool,
}

impl Directed {
    pub(crate) fn new(aim: Aim) -> Self {
        Self {
            on_taken: aim.on_taken.clone(),
            aim: Some(aim),
            matches: 0,
            taken_back: Vec::new(),
            answered: false,
            commits: 0,
            commits_to_certainty: 0,
            uncertain_since: None,
            longest: Micros(0),
            measures: true,
        }
    }
}

impl World {
    /// A placement leaves: if it is the one that is aimed at, what becomes of it.
    pub(crate) fn aim(&mut self) -> Option<Fate> {
        let aim = self.directed.as_mut()?.aim.take()?;
        self.note("aimed at", 0, || format!("{aim:?}"));
        for blow in aim.on_send {
            self.blow(blow, None);
        }
        aim.fate
    }

    /// The exchange has taken an order of ours.
    pub(crate) fn taken(&mut self, order: &OrderView) {
        let Some(directed) = &mut self.directed else { return };
        for blow in std::mem::take(&mut directed.on_taken) {
            self.blow(blow, Some(*order));
        }
    }

    fn blow(&mut self, blow: Blow, order: Option<OrderView>) {
        let now = self.now();
        match blow {
            Blow::Clock(step) => self.exchange.ahead = Micros(self.exchange.ahead.0 + step.0),
            Blow::Ban(long) => self.exchange.banned_until = now + long,
            Blow::Maintenance(long) => {
                self.exchange.maintenance_until = now + long;
                self.cut_stream(nightdesk_exchange::Stream::User, long, "serverShutdown");
                self.cut_stream(nightdesk_exchange::Stream::Market, long, "serverShutdown");
            }
            Blow::Cut(stream, long) => self.cut_stream(stream, long, "reset"),
            Blow::Hush(stream, noticed) => self.hush_stream(stream, noticed),
            Blow::Reports(chaos) => {
                self.weather.reports = chaos;
                self.plan(REPORTS, "reports right again", |world| world.weather.reports = ReportChaos::default());
            }
            Blow::TakeBack(after) => self.plan(after, "taken back", Self::take_back),
            Blow::Match(after) => {
                let Some((order, directed)) = order.zip(self.directed.as_mut()) else { return };
                directed.matches = 2;
                let half = Qty::new(order.qty.get() * Decimal::new(5, 1));
                self.plan(after, "half of it executes", move |world| world.sell_to(&order, Some(half)));
                self.plan(Micros(after.0 + APART.0), "all of it executes", move |world| world.sell_to(&order, None));
            }
        }
    }

    /// The operator takes back what is not over: once, and again only while nobody has answered, as one does at a desk.
    fn take_back(&mut self) {
        let Some(directed) = self.directed.as_mut().filter(|directed| !directed.answered) else { return };
        if directed.taken_back.is_empty() {
            let over = ["filled", "canceled", "expired", "rejected", "abandoned"];
            let active = self.judge.orders.iter().filter(|(_, status)| !over.contains(&status.as_str()));
            directed.taken_back = active.map(|(id, _)| id.clone()).collect();
        }
        for id in directed.taken_back.clone() {
            if let Ok(id) = id.parse() {
                self.ask("cancel", Request::Cancel { id, by: "op".to_owned() });
            }
        }
        self.plan(ASKED_AGAIN, "taken back", Self::take_back);
    }

    /// Somebody sells down to our order's price: `part` only, or as much as it takes.
    fn sell_to(&mut self, order: &OrderView, part: Option<Qty>) {
        let instruments = &self.exchange.venue.config().instruments;
        let Some(instrument) = instruments.iter().find(|known| known.symbol == order.symbol).cloned() else { return };
        let qty = instrument.qty_down(part.unwrap_or(instrument.qty(Lots(10_000_000))));
        let (at, mut out) = (self.exchange_time(), Vec::new());
        let kind = RequestKind::Limit { price: order.price, qty, tif: TimeInForce::Ioc };
        let request = OrderRequest { symbol: order.symbol, side: Side::Sell, kind, client_order_id: None, stp: None };
        let venue = &mut self.exchange.venue;
        venue.open_account(OTHER);
        let sold = venue
            .deposit(OTHER, instrument.base, qty, at, &mut out)
            .and_then(|()| venue.place(OTHER, &request, at, &mut out));
        if let Some(directed) = &mut self.directed {
            directed.matches = directed.matches.saturating_sub(1);
        }
        if let Err(error) = sold {
            self.violate(format!("nobody can sell to our order: {error}"));
        }
        self.told(&out);
    }

    /// A service begins a commit.
    pub(crate) fn count_commit(&mut self, life: &Life) {
        let counts = self.now() >= FROM && !life.is_over();
        if let Some(directed) = self.directed.as_mut().filter(|_| counts) {
            directed.commits += 1;
        }
    }

    /// Measures for how long the book does not know how an order stands or what it has executed.
    pub(crate) fn look(&mut self) {
        let now = self.now();
        let unknown = |status: &String| matches!(status.as_str(), "pending_new" | "in_doubt" | "pending_cancel");
        let behind = self.judge.applied.len() < self.judge.fills.len();
        let certain = !behind && !self.judge.orders.values().any(unknown);
        let Some(directed) = self.directed.as_mut().filter(|directed| directed.measures) else { return };
        match (certain, directed.uncertain_since) {
            (false, None) => directed.uncertain_since = Some(now),
            (true, Some(since)) => {
                directed.uncertain_since = None;
                directed.longest = directed.longest.max(now.since(since));
                directed.commits_to_certainty = directed.commits;
            }
            _ => {}
        }
    }
}
