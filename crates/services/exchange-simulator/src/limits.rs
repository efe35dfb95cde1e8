//! Request weights per address with 429 and 418, and unfilled orders per account.
//!
//! Windows are aligned to the clock as the exchange's are. An address over its weight gets 429 until the minute ends; one
//! that keeps asking all the same is banned (418), two minutes the first time, twice as long each further time, at most
//! three days.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nightdesk_matching::AccountId;
use nightdesk_units::{Micros, Timestamp};

use crate::error::ApiError;

const MINUTE: i64 = 60_000_000;
const FIRST_BAN: i64 = 2 * MINUTE;
const LONGEST_BAN: i64 = 3 * 24 * 60 * MINUTE;
/// Requests over the limit that are still answered with 429 before the ban.
const PATIENCE: u32 = 10;

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Request weight a minute and address.
    pub weight_1m: u32,
    /// Unfilled orders in ten seconds and account.
    pub orders_10s: u32,
    /// Unfilled orders a UTC day and account.
    pub orders_1d: u32,
    /// WebSocket connections in five minutes and address.
    pub connections_5m: u32,
    /// Messages a second that a market stream connection may send.
    pub messages_1s: u32,
}

impl Default for Limits {
    /// Binance Spot's, as of 2026.
    fn default() -> Self {
        Self { weight_1m: 6_000, orders_10s: 100, orders_1d: 200_000, connections_5m: 300, messages_1s: 5 }
    }
}

#[derive(Debug, Default)]
struct Address {
    minute: i64,
    weight: u32,
    ignored: u32,
    bans: u32,
    banned_until: Timestamp,
    connections: (i64, u32),
}

/// Weights and bans of every address.
#[derive(Debug)]
pub(crate) struct Weights {
    limits: Limits,
    addresses: BTreeMap<IpAddr, Address>,
}

impl Weights {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, addresses: BTreeMap::new() }
    }

    /// Charges a request; gives the weight used in this minute.
    pub(crate) fn charge(&mut self, ip: IpAddr, weight: u32, now: Timestamp) -> Result<u32, ApiError> {
        self.forget_old(now);
        let limit = self.limits.weight_1m;
        let address = self.addresses.entry(ip).or_default();
        if now < address.banned_until {
            return Err(banned(address.banned_until, now));
        }
        let minute = now.0.div_euclid(MINUTE);
        if address.minute != minute {
            (address.minute, address.weight, address.ignored) = (minute, 0, 0);
        }
        address.weight = address.weight.saturating_add(weight);
        if address.weight <= limit {
            return Ok(address.weight);
        }
        address.ignored += 1;
        if address.ignored > PATIENCE {
            let doublings = address.bans.min(12);
            address.bans += 1;
            address.banned_until = now + Micros((FIRST_BAN << doublings).min(LONGEST_BAN));
            return Err(banned(address.banned_until, now));
        }
        let msg = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        );
        let mut error = ApiError::new(429, -1003, msg);
        error.retry_after_s = Some(seconds_until((minute + 1) * MINUTE, now));
        Err(error)
    }

    /// The weight used in this minute.
    pub(crate) fn used(&self, ip: IpAddr, now: Timestamp) -> u32 {
        let current = |address: &&Address| address.minute == now.0.div_euclid(MINUTE);
        self.addresses.get(&ip).filter(current).map_or(0, |address| address.weight)
    }

    /// Counts a WebSocket connection; false when there are too many.
    pub(crate) fn connect(&mut self, ip: IpAddr, now: Timestamp) -> bool {
        let address = self.addresses.entry(ip).or_default();
        let window = now.0.div_euclid(5 * MINUTE);
        if address.connections.0 != window {
            address.connections = (window, 0);
        }
        address.connections.1 = address.connections.1.saturating_add(1);
        address.connections.1 <= self.limits.connections_5m
    }

    /// Bans an address for `span`, as a fault.
    pub(crate) fn ban(&mut self, ip: IpAddr, span: Micros, now: Timestamp) -> ApiError {
        let address = self.addresses.entry(ip).or_default();
        address.banned_until = address.banned_until.max(now + span);
        banned(address.banned_until, now)
    }

    /// Lifts every ban.
    pub(crate) fn pardon(&mut self) {
        for address in self.addresses.values_mut() {
            address.banned_until = Timestamp(0);
        }
    }

    /// Keeps the table small: an address that did nothing for a minute and is not banned is forgotten.
    fn forget_old(&mut self, now: Timestamp) {
        if self.addresses.len() > 10_000 {
            let minute = now.0.div_euclid(MINUTE);
            self.addresses.retain(|_, address| address.minute >= minute - 1 || address.banned_until > now);
        }
    }
}

fn seconds_until(end: i64, now: Timestamp) -> u64 {
    u64::try_from((end - now.0 + 999_999).div_euclid(1_000_000)).unwrap_or(0)
}

fn banned(until: Timestamp, now: Timestamp) -> ApiError {
    let msg = format!(
        "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans.",
        until.as_millis()
    );
    let mut error = ApiError::new(418, -1003, msg);
    error.retry_after_s = Some(seconds_until(until.0, now));
    error
}

/// Unfilled orders of one account in the two windows.
#[derive(Debug, Clone, Copy, Default)]
struct OrderUse {
    ten_seconds: (i64, u32),
    day: (i64, u32),
}

const TEN_SECONDS: i64 = 10_000_000;
const DAY: i64 = 86_400_000_000;

/// Unfilled orders of every account.
#[derive(Debug)]
pub(crate) struct OrderCounts {
    limits: Limits,
    accounts: BTreeMap<AccountId, OrderUse>,
}

impl OrderCounts {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, accounts: BTreeMap::new() }
    }

    fn rolled(&mut self, account: AccountId, now: Timestamp) -> &mut OrderUse {
        let used = self.accounts.entry(account).or_default();
        for (slot, span) in [(&mut used.ten_seconds, TEN_SECONDS), (&mut used.day, DAY)] {
            let window = now.0.div_euclid(span);
            if slot.0 != window {
                *slot = (window, 0);
            }
        }
        used
    }

    /// Refuses when the account has no order left in one of the windows.
    pub(crate) fn check(&mut self, account: AccountId, now: Timestamp) -> Result<(), ApiError> {
        let limits = self.limits;
        let used = *self.rolled(account, now);
        for ((window, count), limit, span, name) in [
            (used.ten_seconds, limits.orders_10s, TEN_SECONDS, "10 SECOND"),
            (used.day, limits.orders_1d, DAY, "1 DAY"),
        ] {
            if count >= limit {
                let msg = format!("Too many new orders; current limit is {limit} orders per {name}.");
                let mut error = ApiError::new(429, -1015, msg);
                error.retry_after_s = Some(seconds_until((window + 1) * span, now));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Counts an accepted order; gives the counts in ten seconds and the day.
    pub(crate) fn placed(&mut self, account: AccountId, now: Timestamp) -> (u32, u32) {
        let used = self.rolled(account, now);
        used.ten_seconds.1 = used.ten_seconds.1.saturating_add(1);
        used.day.1 = used.day.1.saturating_add(1);
        (used.ten_seconds.1, used.day.1)
    }

    /// The order counted last was refused after all.
    pub(crate) fn refused(&mut self, account: AccountId, now: Timestamp) {
        self.first_fill(account, false, now);
    }

    /// An order's first fill: one less as a taker, five less as a maker.
    pub(crate) fn first_fill(&mut self, account: AccountId, maker: bool, now: Timestamp) {
        let less = if maker { 5 } else { 1 };
        let used = self.rolled(account, now);
        used.ten_seconds.1 = used.ten_seconds.1.saturating_sub(less);
        used.day.1 = used.day.1.saturating_sub(less);
    }

    /// The counts in ten seconds and the day.
    pub(crate) fn used(&mut self, account: AccountId, now: Timestamp) -> (u32, u32) {
        let used = self.rolled(account, now);
        (used.ten_seconds.1, used.day.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_700_000_040_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn too_much_weight_is_429_until_the_minute_ends() {
        let mut weights = Weights::new(Limits { weight_1m: 50, ..Limits::default() });
        assert_eq!(weights.charge(IP, 50, at(0)), Ok(50));
        let error = weights.charge(IP, 1, at(15)).unwrap_err();
        assert_eq!((error.status, error.code, error.retry_after_s), (429, -1003, Some(45)));
        assert_eq!(weights.charge(IP, 1, at(60)), Ok(1));
    }

    #[test]
    fn ignoring_429_is_a_ban_that_doubles() {
        let mut weights = Weights::new(Limits { weight_1m: 1, ..Limits::default() });
        let mut ban =
            |start: i64| (0..20).find_map(|_| weights.charge(IP, 1, at(start)).err().filter(|e| e.status == 418));
        assert_eq!(ban(0).unwrap().retry_after_s, Some(120));
        assert_eq!(ban(60).unwrap().retry_after_s, Some(60));
        assert_eq!(ban(120).unwrap().retry_after_s, Some(240));
        weights.pardon();
        assert!(weights.charge(IP, 1, at(360)).is_ok());
    }

    #[test]
    fn filled_orders_do_not_count() {
        let account = AccountId(1);
        let mut counts = OrderCounts::new(Limits { orders_10s: 3, ..Limits::default() });
        for expected in 1..=3 {
            counts.check(account, at(0)).unwrap();
            assert_eq!(counts.placed(account, at(0)), (expected, expected));
        }
        let error = counts.check(account, at(1)).unwrap_err();
        assert_eq!((error.status, error.code, error.retry_after_s), (429, -1015, Some(9)));
        counts.first_fill(account, false, at(1));
        assert_eq!(counts.used(account, at(1)), (2, 2));
        counts.first_fill(account, true, at(1));
        assert_eq!(counts.used(account, at(1)), (0, 0));
        counts.placed(account, at(1));
        assert_eq!(counts.used(account, at(10)), (0, 1));
    }
}
