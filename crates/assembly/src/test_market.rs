//! A small seeded market, and everything that the services need to trade in it.

use std::collections::VecDeque;
use std::sync::Arc;

use nightdesk_capital::{CapitalRules, Collar};
use nightdesk_env::{Entropy, SeededEntropy};
use nightdesk_exchange_local::{Feed, LocalVenue, Options};
use nightdesk_market::{Filters, Instrument, Interval, MarketEvent, Quote, Trade};
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_strategies::{ParamTable, StrategyKind};
use nightdesk_units::{Decimal, InstanceId, Lots, Micros, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};

use crate::{Lockstep, Market, Trading};

/// Two minutes before a full hour, so that a run of some minutes sees one.
pub(crate) const START: Timestamp = Timestamp(1_723_161_600_000_000 - 120_000_000);

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn instrument() -> Instrument {
    let filters = Filters {
        min_price: "0.01".parse().unwrap(),
        max_price: Price::ZERO,
        min_qty: "0.00001".parse().unwrap(),
        max_qty: Qty::ZERO,
        max_market_qty: Qty::ZERO,
        min_notional: "5".parse().unwrap(),
        min_notional_applies_to_market: true,
        max_notional: Money::ZERO,
        percent_price: None,
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    let scale = Scale { tick: Decimal::new(1, 2), step: Decimal::new(1, 5) };
    Instrument { symbol: symbol(), base: "BTC".parse().unwrap(), quote: "USDT".parse().unwrap(), scale, filters }
}

/// A market that wanders: every 20 to 220 ms a quote, and every third time a trade at it.
pub(crate) struct Wander {
    venue: LocalVenue,
    events: VecDeque<(Timestamp, MarketEvent)>,
}

impl Wander {
    pub(crate) fn new(venue: LocalVenue, seed: u64, span: Micros) -> Self {
        let chance = SeededEntropy::new(seed);
        let draw = |below: u64| i64::try_from(chance.next_u64() % below).unwrap();
        let (mut at, mut middle, mut events) = (START, 6_000_000, VecDeque::new());
        let (mut id, end) = (0, START + span);
        while at < end {
            middle += draw(1_601) - 800;
            id += 1;
            let (bid, ask) = (Ticks(middle - 1 - draw(3)), Ticks(middle + 1 + draw(3)));
            let (bid_qty, ask_qty) = (Lots(1 + draw(200_000)), Lots(1 + draw(200_000)));
            let quote = Quote { symbol: symbol(), update_id: id, bid, bid_qty, ask, ask_qty, at };
            events.push_back((at, MarketEvent::Quote(quote)));
            if draw(3) == 0 {
                let buyer_is_maker = draw(2) == 0;
                let price = if buyer_is_maker { bid } else { ask };
                let trade = Trade { symbol: symbol(), id, price, qty: Lots(1 + draw(300_000)), buyer_is_maker, at };
                events.push_back((at, MarketEvent::Trade(trade)));
            }
            at = at + Micros(20_000 + draw(200_000));
        }
        Self { venue, events }
    }
}

impl Market for Wander {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.events.front().map(|(at, _)| *at)
    }

    fn step(&mut self) {
        if let Some((_, event)) = self.events.pop_front() {
            self.venue.apply(&event);
        }
    }
}

/// Both strategies, quick enough to trade every few seconds.
pub(crate) fn trading() -> Trading {
    let ma = "interval=1s fast=3 slow=8 order_quote=1000 max_slippage_pct=0.2";
    let grid = "levels=8 order_quote=200 step_pct=0.02 reanchor_after_s=10";
    let workers = [("123", StrategyKind::MaCrossover, ma), ("456", StrategyKind::GridTrader, grid)];
    let rules: CapitalRules = serde_json::from_str(
        r#"{"currency": "USDT", "total": "50000", "risk_budget": "20%", "max_drawdown": 15, "stress_move": "10",
            "collar": 2, "fee": "0.1", "max_order": "5000", "strategies": {
            "123": {"allocation": "20000", "risk_budget": "5000", "max_drawdown": "20", "max_position": "10000",
                    "max_order": "3000", "order_rate": {"per_second": 5, "per_minute": 60}},
            "456": {"allocation": "20000", "risk_budget": "5000", "max_drawdown": "20", "max_position": "10000",
                    "max_order": "3000", "order_rate": {"per_second": 20, "per_minute": 300}}}}"#,
    )
    .unwrap();
    let collar = Collar { percent: "2".parse().unwrap(), fee: "0.1".parse().unwrap() };
    let id = |text: &str| text.parse::<InstanceId>().unwrap();
    let instances = workers.iter().map(|(name, kind, _)| nightdesk_core_engine::Instance {
        instance: id(name),
        strategy: kind.as_str().to_owned(),
        symbol: symbol(),
        generation: 1,
        allocation: "20000".parse().unwrap(),
    });
    let connector = nightdesk_exchange_connector::Config {
        instances: workers.iter().map(|(name, ..)| id(name)).collect(),
        candles: vec![(symbol(), Interval::ONE_SECOND)],
        ..nightdesk_exchange_connector::Config::new(vec![symbol()])
    };
    let worker = |(name, kind, text): &(&str, StrategyKind, &str)| nightdesk_strategy_worker::Config {
        instance: id(name),
        generation: 1,
        symbol: symbol(),
        params: kind.read(&params(text)).unwrap(),
        run: true,
        epoch: 1,
    };
    Trading {
        core: nightdesk_core_engine::Config::new("USDT".parse().unwrap(), collar, instances.collect()),
        rules,
        connector,
        workers: workers.iter().map(worker).collect(),
    }
}

fn params(text: &str) -> ParamTable {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// An exchange whose account owns 100,000 USDT.
pub(crate) fn venue(lockstep: &Lockstep) -> LocalVenue {
    let options = Options {
        clock: Arc::new(lockstep.clock.clone()),
        activity: Arc::clone(&lockstep.activity) as _,
        feed: Feed::Recorded,
        depth: false,
        record: None,
    };
    let venue = LocalVenue::new(Venue::new(VenueConfig::new(vec![instrument()])), AccountId(1), options);
    venue.deposit("USDT".parse().unwrap(), "100000".parse().unwrap()).unwrap();
    venue
}

/// Stores in memory do not fail.
pub(crate) struct NoEmergency;

impl EmergencyJournal for NoEmergency {
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError> {
        panic!("{record:?}")
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, _: usize) -> Result<(), PlatformError> {
        Ok(())
    }
}
