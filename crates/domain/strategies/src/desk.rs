//! For tests: a strategy with its orders and position, driven by text.

use nightdesk_market::{Candle, Filters, Instrument, Interval, Quote, Side};
use nightdesk_orders::{Fill, OrderKind, Status};
use nightdesk_units::{Decimal, Lots, Money, Price, Qty, Scale, Ticks, Timestamp};

use crate::{Context, Decision, DecisionKey, Event, OrderProgress, OwnOrders, ParamTable, Strategy, StrategyKind};

pub(crate) fn instrument() -> Instrument {
    let dec = |text: &str| text.parse::<Decimal>().unwrap();
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        scale: Scale { tick: dec("0.1"), step: dec("0.001") },
        filters: Filters {
            min_price: Price::new(dec("0.1")),
            max_price: Price::new(dec("1000000")),
            min_qty: Qty::new(dec("0.001")),
            max_qty: Qty::new(dec("9000")),
            max_market_qty: Qty::new(dec("100")),
            min_notional: Money::new(dec("5")),
            min_notional_applies_to_market: true,
            max_notional: Money::ZERO,
            percent_price: None,
            max_open_orders: 200,
            max_position: Qty::ZERO,
        },
    }
}

/// Parameters from `name=value …`.
pub(crate) fn table(text: &str) -> ParamTable {
    text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(k, v)| (k.to_owned(), v.into())).collect()
}

pub(crate) struct Desk {
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) instrument: Instrument,
    pub(crate) orders: OwnOrders,
    pub(crate) position: Qty,
    pub(crate) now: Timestamp,
    pub(crate) may_add_risk: bool,
    /// Every key ever decided: none may be used twice.
    keys: Vec<DecisionKey>,
}

impl Desk {
    pub(crate) fn new(kind: StrategyKind, params: &str) -> Self {
        let params = kind.read(&table(params)).unwrap_or_else(|problems| panic!("{problems:?}"));
        Self {
            strategy: params.build(),
            instrument: instrument(),
            orders: OwnOrders::default(),
            position: Qty::ZERO,
            now: Timestamp(0),
            may_add_risk: true,
            keys: Vec::new(),
        }
    }

    pub(crate) fn event(&mut self, event: Event<'_>) -> Vec<Decision> {
        let mut out = Vec::new();
        let context = Context {
            now: self.now,
            instrument: &self.instrument,
            position: self.position,
            orders: &self.orders,
            may_add_risk: self.may_add_risk,
        };
        self.strategy.on_event(event, &context, &mut out);
        for decision in &out {
            if let Decision::Place(placement) = decision {
                let price = placement.kind.price();
                let reference = Some("100".parse().unwrap());
                self.instrument.check(placement.side, price, placement.qty, reference).unwrap();
                assert!(!self.keys.contains(&placement.key), "decided twice: {}", placement.key);
                self.keys.push(placement.key);
            }
            self.orders.decided(decision);
        }
        assert!(self.orders.selling() <= self.position.max(Qty::ZERO), "sells more than is held");
        out
    }

    /// An order's progress: position, then the strategy, as the worker does it.
    pub(crate) fn progress(&mut self, key: &str, status: Status, filled: Qty, fee: &str) -> Vec<Decision> {
        let key: DecisionKey = key.parse().unwrap();
        let fill = Fill {
            trade_id: 0,
            price: "100".parse().unwrap(),
            qty: filled,
            fee: fee.parse().unwrap(),
            fee_asset: self.instrument.base,
            maker: true,
            at: self.now,
        };
        let progress = OrderProgress { key, status, filled, filled_quote: Money::ZERO, fill: Some(fill) };
        let Some(news) = self.orders.update(&progress, self.instrument.base) else { panic!("no order {key}") };
        self.position = self.position.add(news.change).unwrap();
        self.event(Event::Order(&news))
    }

    /// The quantity of an order, open or not.
    fn ordered(&self, key: &str) -> Qty {
        self.orders.get(key.parse().unwrap()).map(|order| order.placement.qty).unwrap()
    }

    /// Runs one command and says what was decided.
    ///
    /// `quote BID ASK`, `candle CLOSE` (the next one), `past CLOSE` (backfilled), `skip N` (candles), `at SECONDS`,
    /// `open|fill|cancel|expire|reject|abandon KEY [QTY] [FEE_BTC]`, `risk on|off`, `held QTY`, `resync`, `restart`.
    pub(crate) fn run(&mut self, command: &str) -> Vec<Decision> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let qty = |i: usize| words.get(i).map(|text| text.parse::<Qty>().unwrap());
        let fee = words.get(3).copied().unwrap_or("0");
        let status = match words[0] {
            "quote" => {
                let quote = self.quote(words[1], words[2]);
                return self.event(Event::Quote(&quote));
            }
            "candle" | "past" => {
                self.now = self.now + Interval::ONE_MINUTE.span();
                let candle = self.candle(words[1]);
                let past = words[0] == "past";
                return self.event(if past { Event::Backfill(&candle) } else { Event::Candle(&candle) });
            }
            "skip" => {
                self.now.0 += Interval::ONE_MINUTE.span().0 * words[1].parse::<i64>().unwrap();
                return Vec::new();
            }
            "at" => {
                self.now = Timestamp((words[1].parse::<f64>().unwrap() * 1e6) as i64);
                return Vec::new();
            }
            "risk" => {
                self.may_add_risk = words[1] == "on";
                return Vec::new();
            }
            "held" => {
                self.position = qty(1).unwrap();
                return Vec::new();
            }
            "resync" => return self.event(Event::Resync),
            "restart" => {
                let text = serde_json::to_string(&self.strategy.save()).unwrap();
                self.strategy.restore(serde_json::from_str(&text).unwrap()).unwrap();
                return self.event(Event::Resync);
            }
            "open" => Status::Open,
            "fill" => Status::Filled,
            "cancel" => Status::Canceled,
            "expire" => Status::Expired,
            "reject" => Status::Rejected,
            "abandon" => Status::Abandoned,
            other => panic!("no command {other}"),
        };
        let known = qty(2).unwrap_or_default();
        let filled = if status == Status::Filled { self.ordered(words[1]) } else { known };
        self.progress(words[1], status, filled, fee)
    }

    pub(crate) fn quote(&self, bid: &str, ask: &str) -> Quote {
        let ticks = |text: &str| self.instrument.scale.ticks(text.parse().unwrap()).unwrap();
        let (symbol, update_id) = (self.instrument.symbol, 0);
        let (bid_qty, ask_qty) = (Lots(1), Lots(1));
        Quote { symbol, update_id, bid: ticks(bid), bid_qty, ask: ticks(ask), ask_qty, at: self.now }
    }

    /// The candle that ends now.
    fn candle(&self, close: &str) -> Candle {
        let ticks = self.instrument.scale.ticks(close.parse().unwrap()).unwrap();
        let interval = Interval::ONE_MINUTE;
        let (open, high, low, close) = (ticks, ticks, ticks, ticks);
        let open_at = self.now - interval.span();
        Candle { symbol: self.instrument.symbol, interval, open_at, open, high, low, close, volume: Lots(1), trades: 1 }
    }
}

pub(crate) fn show(decision: &Decision) -> String {
    match decision {
        Decision::Cancel { key } => format!("cancel {key}"),
        Decision::Place(placement) => {
            let side = if placement.side == Side::Buy { "buy" } else { "sell" };
            let kind = match placement.kind {
                OrderKind::Market => "market".to_owned(),
                OrderKind::LimitMaker { price } => price.to_string(),
                OrderKind::Limit { price, tif } => format!("{price} {tif:?}").to_lowercase(),
            };
            assert_eq!(placement.reduces, placement.side == Side::Sell);
            format!("{side} {} @ {kind} {}", placement.qty, placement.key)
        }
    }
}

/// Runs commands separated by `|`; compares every decision, and `;` separates commands that decided something.
pub(crate) fn check(kind: StrategyKind, params: &str, commands: &str, expected: &str) {
    let mut desk = Desk::new(kind, params);
    let mut decided = Vec::new();
    for command in commands.split('|') {
        let decisions: Vec<String> = desk.run(command.trim()).iter().map(show).collect();
        if !decisions.is_empty() {
            decided.push(decisions.join(", "));
        }
    }
    assert_eq!(decided.join("; "), expected, "{commands}");
}

/// A price from ticks, for walks.
pub(crate) fn quote_of(desk: &Desk, bid: i64, spread: i64) -> Quote {
    Quote { bid: Ticks(bid), ask: Ticks(bid + spread.max(1)), ..desk.quote("1", "2") }
}
