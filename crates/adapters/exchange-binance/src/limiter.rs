//! When a request may leave. The decision is [`Core`], pure, with time as an argument; [`Limiter`] awaits it.
//!
//! Three budgets: requests a second (ours), request weight a minute and orders in ten seconds (the exchange's, per
//! address and per account, as its headers tell). Each purpose may use a share of a budget, so that what ranks lower
//! never spends the last of it: an exit finds room though placements and reconciliation ask for all they can get.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nightdesk_exchange::{LimitUsage, Purpose};
use nightdesk_units::{Micros, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

const SECOND: Micros = Micros::from_secs(1);
const MINUTE: Micros = Micros::from_secs(60);

/// The exchange's limits as its `exchangeInfo` tells them, and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Requests in any second.
    pub(crate) requests: u32,
    /// Request weight a minute.
    pub(crate) weight: u32,
    /// Orders within `orders_window`.
    pub(crate) orders: u32,
    /// The shorter of the order-count windows.
    pub(crate) orders_window: Micros,
}

/// Percent of (requests, weight, orders) that a purpose may see used and still go. Weight is never used up: the answer
/// to the request after that is a ban.
const fn share(purpose: Purpose) -> (u64, u64, u64) {
    match purpose {
        Purpose::Exit => (100, 95, 100),
        Purpose::Query => (90, 85, 100),
        Purpose::Place => (80, 75, 80),
        Purpose::Background => (60, 60, 100),
    }
}

/// A budget's part for a share; a share is never nothing, or a small budget would lock a purpose out for good.
fn part(limit: u32, percent: u64) -> u64 {
    (u64::from(limit) * percent / 100).max(1)
}

type Ticket = u64;

/// The state of all budgets and who waits for them. Times are monotonic.
#[derive(Debug)]
pub(crate) struct Core {
    limits: Limits,
    /// Admissions within the last second, oldest first.
    admitted_at: VecDeque<Timestamp>,
    /// Monotonic time + `phase` = the exchange's time, on whose minutes its windows begin.
    phase: Micros,
    minute: i64,
    weight: u64,
    orders_index: i64,
    orders: u64,
    blocked_until: Timestamp,
    orders_blocked_until: Timestamp,
    waiting: BTreeMap<(Purpose, Ticket), u32>,
    admitted: BTreeSet<Ticket>,
    next: Ticket,
}

impl Core {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            admitted_at: VecDeque::new(),
            phase: Micros(0),
            minute: i64::MIN,
            weight: 0,
            orders_index: i64::MIN,
            orders: 0,
            blocked_until: Timestamp(i64::MIN),
            orders_blocked_until: Timestamp(i64::MIN),
            waiting: BTreeMap::new(),
            admitted: BTreeSet::new(),
            next: 0,
        }
    }

    pub(crate) fn set_limits(&mut self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.limits);
    }

    /// Tells by how much the exchange's time is ahead of the monotonic one.
    pub(crate) fn set_phase(&mut self, phase: Micros) {
        self.phase = phase;
    }

    /// Joins the queue for a request of about `weight`.
    pub(crate) fn enter(&mut self, purpose: Purpose, weight: u32) -> Ticket {
        self.next += 1;
        self.waiting.insert((purpose, self.next), weight);
        self.next
    }

    /// Leaves the queue, served or not.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.waiting.retain(|(_, waiting), _| *waiting != ticket);
        self.admitted.remove(&ticket);
    }

    /// Whether `ticket` has been admitted; true once.
    pub(crate) fn take(&mut self, ticket: Ticket) -> bool {
        self.admitted.remove(&ticket)
    }

    /// Admits, by rank and then by age, whoever may go at `now`. Returns how many, and when to ask again.
    pub(crate) fn poll(&mut self, now: Timestamp) -> (usize, Option<Timestamp>) {
        self.roll(now);
        let (mut count, mut next) = (0, None::<Timestamp>);
        let mut held: Option<Purpose> = None;
        let queue: Vec<_> = self.waiting.iter().map(|(key, weight)| (*key, *weight)).collect();
        for ((purpose, ticket), weight) in queue {
            if held == Some(purpose) {
                continue; // First come, first served among equals.
            }
            if let Some(at) = self.not_before(now, purpose, weight) {
                next = Some(next.map_or(at, |next| next.min(at)));
                held = Some(purpose);
            } else {
                self.waiting.remove(&(purpose, ticket));
                self.admitted.insert(ticket);
                self.admitted_at.push_back(now);
                count += 1;
            }
        }
        (count, next)
    }

    /// `None` when a request may go at once, else the earliest instant at which the binding limit changes.
    fn not_before(&self, now: Timestamp, purpose: Purpose, weight: u32) -> Option<Timestamp> {
        if now < self.blocked_until {
            return Some(self.blocked_until);
        }
        let (requests, weights, orders) = share(purpose);
        if purpose == Purpose::Place {
            if now < self.orders_blocked_until {
                return Some(self.orders_blocked_until);
            }
            if self.orders >= part(self.limits.orders, orders) {
                return Some(self.window_end(self.orders_index, self.limits.orders_window));
            }
        }
        // A request heavier than its purpose's whole share must still pass once, in an empty window.
        if self.weight > 0 && self.weight + u64::from(weight) > part(self.limits.weight, weights) {
            return Some(self.window_end(self.minute, MINUTE));
        }
        let most = usize::try_from(part(self.limits.requests, requests)).unwrap_or(usize::MAX);
        let over = (self.admitted_at.len() + 1).checked_sub(most)?;
        // Once `over` of the admissions are a second old, there is room.
        over.checked_sub(1).and_then(|i| self.admitted_at.get(i)).map(|at| *at + SECOND)
    }

    fn window_end(&self, index: i64, window: Micros) -> Timestamp {
        Timestamp(index.saturating_add(1).saturating_mul(window.0)) - self.phase
    }

    fn roll(&mut self, now: Timestamp) {
        while self.admitted_at.front().is_some_and(|at| now.since(*at) >= SECOND) {
            self.admitted_at.pop_front();
        }
        let there = now + self.phase;
        let minute = there.0.div_euclid(MINUTE.0);
        if minute != self.minute {
            (self.minute, self.weight) = (minute, 0);
        }
        let index = there.0.div_euclid(self.limits.orders_window.0.max(1));
        if index != self.orders_index {
            (self.orders_index, self.orders) = (index, 0);
        }
    }

    /// Counts a request that leaves now.
    pub(crate) fn sent(&mut self, now: Timestamp, weight: u32, order: bool) {
        self.roll(now);
        self.weight += u64::from(weight);
        self.orders += u64::from(order);
    }

    /// Takes in what an answer's headers tell. Weight: the larger of both counts, for requests are under way that the
    /// answer does not know. Orders: the exchange's own count, which fills bring down again.
    pub(crate) fn observe(&mut self, now: Timestamp, weight: Option<u64>, orders: Option<u64>) {
        self.roll(now);
        self.weight = self.weight.max(weight.unwrap_or(0));
        self.orders = orders.unwrap_or(self.orders);
    }

    /// Nothing leaves before `until`.
    pub(crate) fn block(&mut self, until: Timestamp) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// No placement leaves before `until`.
    pub(crate) fn block_orders(&mut self, until: Timestamp) {
        self.orders_blocked_until = self.orders_blocked_until.max(until);
    }

    /// How long everything is still held back.
    pub(crate) fn blocked(&self, now: Timestamp) -> Option<Micros> {
        (now < self.blocked_until).then(|| self.blocked_until.since(now))
    }

    /// Use of the exchange's limits.
    pub(crate) fn usage(&mut self, now: Timestamp) -> LimitUsage {
        self.roll(now);
        let ratio = |used: u64, limit: u32| {
            let used = u32::try_from(used).unwrap_or(u32::MAX);
            f64::from(used) / f64::from(limit.max(1))
        };
        LimitUsage { weight: ratio(self.weight, self.limits.weight), orders: ratio(self.orders, self.limits.orders) }
    }
}

/// Awaits [`Core`]'s decisions.
#[derive(Debug)]
pub(crate) struct Limiter {
    core: Mutex<Core>,
    changed: Notify,
    origin: Instant,
}

/// Gives a place in the queue back when the wait is abandoned.
struct Place<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limiter.core().leave(self.ticket);
    }
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { core: Mutex::new(Core::new(limits)), changed: Notify::new(), origin: Instant::now() }
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Monotonic time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(Micros::from(self.origin.elapsed()).0)
    }

    /// Changes the core and lets everybody who waits look again.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Core, Timestamp)) {
        change(&mut self.core(), self.now());
        self.changed.notify_waiters();
    }

    /// Resolves when a request may leave.
    pub(crate) async fn admit(&self, purpose: Purpose, weight: u32) {
        let place = Place { limiter: self, ticket: self.core().enter(purpose, weight) };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.now();
            let (count, next, mine) = {
                let mut core = self.core();
                let (count, next) = core.poll(now);
                (count, next, core.take(place.ticket))
            };
            if count > usize::from(mine) {
                self.changed.notify_waiters();
            }
            if mine {
                return;
            }
            let wait = next.map_or(Duration::from_secs(1), |at| at.since(now).to_duration());
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Resolves when no ban holds.
    pub(crate) async fn unblocked(&self) {
        while let Some(after) = { self.core().blocked(self.now()) } {
            tokio::time::sleep(after.to_duration()).await;
        }
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
