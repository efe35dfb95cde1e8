//! Both strategies on a recorded month of BTCUSDT candles, against a fill model that is merely plausible: a sanity check of
//! their behaviour at length, not a measure of profit (that is `nightdesk backtest`'s, with queue positions).
//!
//! Reads `BTCUSDT_1m.csv.gz` in `NIGHTDESK_DATA` (default `../shared/data` beside the repository); says so and passes where
//! it is absent.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use nightdesk_market::{Candle, Filters, Instrument, Interval, Quote, Side};
use nightdesk_orders::{Fill, Status};
use nightdesk_positions::Portfolio;
use nightdesk_strategies::{
    Context, Decision, Event, OrderProgress, OwnOrder, OwnOrders, ParamTable, Placement, Strategy, StrategyKind,
};
use nightdesk_units::{Asset, Decimal, InstanceId, Lots, Money, Price, Qty, Scale, Symbol, Ticks, Timestamp};

fn instrument() -> Instrument {
    let dec = |text: &str| text.parse::<Decimal>().unwrap();
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        scale: Scale { tick: dec("0.01"), step: dec("0.00001") },
        filters: Filters {
            min_price: Price::new(dec("0.01")),
            max_price: Price::new(dec("1000000")),
            min_qty: Qty::new(dec("0.00001")),
            max_qty: Qty::new(dec("9000")),
            max_market_qty: Qty::new(dec("100")),
            min_notional: Money::new(dec("5")),
            min_notional_applies_to_market: true,
            max_notional: Money::new(dec("9000000")),
            percent_price: None,
            max_open_orders: 200,
            max_position: Qty::ZERO,
        },
    }
}

/// The recorded candles as (open, high, low, close), one a minute; `None` where the data is absent.
fn candles() -> Option<Vec<[Ticks; 4]>> {
    let beside = "../../../../shared/data";
    let folder = std::env::var_os("NIGHTDESK_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = ["market/BTCUSDT_1m.csv.gz", "BTCUSDT_1m.csv.gz"].map(|name| folder.join(name)).into_iter();
    let Some(file) = path.filter_map(|path| std::fs::File::open(path).ok()).next() else {
        eprintln!("SKIPPED: no BTCUSDT_1m.csv.gz in {}; set NIGHTDESK_DATA", folder.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let scale = instrument().scale;
    let row = |line: &str| {
        let mut cells = line.split(',').map(|cell| scale.ticks_down(cell.parse::<Price>().unwrap()));
        let [open, high, low, close] = [(); 4].map(|()| cells.next().unwrap());
        [open, high, low, close]
    };
    Some(text.lines().skip(1).map(row).collect())
}

struct Desk {
    strategy: Box<dyn Strategy>,
    instrument: Instrument,
    orders: OwnOrders,
    portfolio: Portfolio,
    instance: InstanceId,
    now: Timestamp,
    fills: u64,
    decisions: u64,
    executed: Vec<(Placement, Price)>,
}

impl Desk {
    fn new(kind: StrategyKind, params: &[(&str, &str)]) -> Self {
        let table: ParamTable = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let params = kind.read(&table).unwrap();
        let instrument = instrument();
        assert_eq!(params.check(&instrument), []);
        let (instance, mut portfolio) = ("t".parse().unwrap(), Portfolio::new(instrument.quote));
        portfolio.register(&instrument);
        portfolio.allocate(instance, params.capital());
        let (now, orders) = (Timestamp(0), OwnOrders::default());
        Self {
            strategy: params.build(),
            instrument,
            orders,
            portfolio,
            instance,
            now,
            fills: 0,
            decisions: 0,
            executed: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        let position = self.position();
        let mut out = Vec::new();
        let context =
            Context { now: self.now, instrument: &self.instrument, position, orders: &self.orders, may_add_risk: true };
        self.strategy.on_event(event, &context, &mut out);
        self.decisions += out.len() as u64;
        for decision in &out {
            self.orders.decided(decision);
            if let Decision::Cancel { key } = decision {
                let order = *self.orders.get(*key).unwrap();
                self.progress(&order, Status::Canceled, None);
            }
        }
        assert!(self.orders.selling() <= position, "sells more than is held");
    }

    fn position(&self) -> Qty {
        self.portfolio.position(self.instance, self.symbol()).map_or(Qty::ZERO, |position| position.quantity)
    }

    fn symbol(&self) -> Symbol {
        self.instrument.symbol
    }

    fn progress(&mut self, order: &OwnOrder, status: Status, fill: Option<Fill>) {
        let executed = fill.map_or(Qty::ZERO, |fill| fill.qty);
        let filled = order.filled.add(executed).unwrap();
        let key = order.placement.key;
        let progress = OrderProgress { key, status, filled, filled_quote: Money::ZERO, fill };
        let news = self.orders.update(&progress, self.instrument.base).unwrap();
        if let Some(fill) = fill {
            self.portfolio.apply(self.instance, self.symbol(), order.placement.side, &fill).unwrap();
            self.fills += 1;
            self.executed.push((order.placement, fill.price));
        }
        self.event(Event::Order(&news));
    }

    /// Fills every open order that `bid` and `ask` reach: makers only when the price goes through them.
    fn trade(&mut self, bid: Ticks, ask: Ticks) {
        let (bid, ask) = (self.instrument.price(bid), self.instrument.price(ask));
        let reached = |order: &&OwnOrder| match (order.placement.side, order.placement.kind.price()) {
            (_, None) => true,
            (Side::Buy, Some(price)) => ask < price,
            (Side::Sell, Some(price)) => bid > price,
        };
        loop {
            let Some(order) = self.orders.iter().find(reached).copied() else { break };
            let placement = order.placement;
            let price = placement.kind.price().unwrap_or(if placement.side == Side::Buy { ask } else { bid });
            let (fee_asset, received): (Asset, Decimal) = match placement.side {
                Side::Buy => (self.instrument.base, placement.qty.get()),
                Side::Sell => (self.instrument.quote, price.notional(placement.qty).unwrap().get()),
            };
            // A thousandth of what is received, as at the exchange's first fee tier, cut to its eight places.
            let fee = Qty::new((received / Decimal::ONE_THOUSAND).trunc_with_scale(8));
            let (qty, maker, at) = (placement.qty, placement.kind.price().is_some(), self.now);
            let fill = Fill { trade_id: self.fills, price, qty, fee, fee_asset, maker, at };
            self.progress(&order, Status::Filled, Some(fill));
        }
    }

    fn quote(&mut self, price: Ticks) {
        let (bid, ask) = (price, Ticks(price.0 + 1));
        let (symbol, at) = (self.symbol(), self.now);
        let quote = Quote { symbol, update_id: 0, bid, bid_qty: Lots(1), ask, ask_qty: Lots(1), at };
        self.trade(bid, ask);
        self.event(Event::Quote(&quote));
        let slot = self.portfolio.slot(symbol).unwrap();
        if self.portfolio.mark(slot, price, self.now).is_some() {
            let sample = self.portfolio.sample(self.now).unwrap();
            self.portfolio.take(&sample);
        }
    }

    /// Plays the month: each candle as four quotes, the low before the high, then its close.
    fn play(&mut self, month: &[[Ticks; 4]]) {
        let interval = Interval::ONE_MINUTE;
        for (i, &[open, high, low, close]) in month.iter().enumerate() {
            let open_at = Timestamp(i as i64 * interval.span().0);
            for (quarter, price) in [open, low, high, close].into_iter().enumerate() {
                self.now = Timestamp(open_at.0 + quarter as i64 * 15_000_000);
                self.quote(price);
            }
            let symbol = self.symbol();
            let candle = Candle { symbol, interval, open_at, open, high, low, close, volume: Lots(1), trades: 1 };
            self.now = candle.close_at();
            self.event(Event::Candle(&candle));
            self.trade(close, Ticks(close.0 + 1));
        }
    }

    fn report(&self, name: &str) {
        let figures = self.portfolio.figures(Some(self.instance)).unwrap();
        eprintln!(
            "{name}: {} decisions, {} fills, pnl {} = {} + {}, drawdown at most {} %, Sharpe {:.2?}, VaR {:.2?} %",
            self.decisions,
            self.fills,
            figures.pnl.rounded(2),
            figures.realised.rounded(2),
            figures.open.rounded(2),
            figures.max_drawdown_pct,
            figures.sharpe,
            figures.var_95_pct
        );
        assert!(figures.sharpe.is_some() && figures.var_95_pct.is_some());
        assert_eq!(self.position(), self.portfolio.balance(self.instrument.base));
    }
}

#[test]
fn ma_crossover_trades_a_month_and_ends_with_at_most_one_entry_held() {
    let Some(month) = candles() else { return };
    let params = [("interval", "1m"), ("fast", "20"), ("slow", "60"), ("order_quote", "1000"), ("min_gap_bps", "5")];
    let mut desk = Desk::new(StrategyKind::MaCrossover, &params);
    desk.play(&month);
    desk.report("ma-crossover");
    let held = desk.position().scale(Decimal::from(90_000)).unwrap();
    assert!(desk.fills > 100 && held.get() < Decimal::from(1_100), "{held}");
}

#[test]
fn grid_trader_sells_each_purchase_above_its_price() {
    let Some(month) = candles() else { return };
    let params = [("levels", "20"), ("order_quote", "100"), ("step_pct", "0.4")];
    let mut desk = Desk::new(StrategyKind::GridTrader, &params);
    desk.play(&month);
    desk.report("grid-trader");
    // Profit by average cost may be negative in a falling month; each sale is above the purchase it belongs to.
    let mut bought: BTreeMap<String, Price> = BTreeMap::new();
    let mut sold = 0;
    for (placement, price) in &desk.executed {
        let level: Vec<&str> = placement.key.as_str().split('-').take(2).collect();
        match placement.side {
            Side::Buy => drop(bought.insert(level.join("-"), *price)),
            Side::Sell => {
                // The top level of a grid that has moved sells the crumbs of the one before, which it did not buy.
                let Some(least) = bought.get(&level.join("-")) else { continue };
                let least = least.scale(Decimal::new(1_003, 3)).unwrap();
                assert!(*price > least, "{}: sold at {price}, bought at {least}", placement.key);
                sold += 1;
            }
        }
    }
    assert!(sold > 100 && desk.fills >= 2 * sold, "{sold} sales, {} fills", desk.fills);
}
