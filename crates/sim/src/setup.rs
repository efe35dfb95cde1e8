//! What is traded in every seed, by whom, under which rules.

use std::collections::BTreeMap;

use nightdesk_assembly::Trading;
use nightdesk_capital::{CapitalRules, OrderRate, Percent, Share, StrategyRules};
use nightdesk_core_engine::Instance;
use nightdesk_market::{Filters, Instrument, Interval};
use nightdesk_strategies::{ParamTable, ParamValue, StrategyKind, StrategyParams};
use nightdesk_units::{Asset, Decimal, InstanceId, Micros, Money, Price, Qty, Scale, Symbol, Timestamp};

use crate::matrix::Wish;

/// When every seed begins: 2026-01-05 00:00 UTC.
pub(crate) const START: Timestamp = Timestamp(1_767_571_200_000_000);

/// Something could not be read that is written here.
#[derive(Debug, thiserror::Error)]
#[error("the simulator's own setup is wrong: {0}")]
pub(crate) struct SetupError(String);

/// How the market moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) volatility: f64,
    pub(crate) events_per_second: f64,
    pub(crate) gap_every: Micros,
}

/// Wild: every order meets every price.
const WILD: Flow = Flow { volatility: 3.0, events_per_second: 0.35, gap_every: Micros::from_secs(400) };
/// Deep and calm, so that what becomes of a directed order is the script's doing and not the market's.
const CALM: Flow = Flow { volatility: 0.2, events_per_second: 4.0, gap_every: Micros::from_secs(10_000_000) };

/// A seed's setup.
pub(crate) struct Setup {
    pub(crate) trading: Trading,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) prices: Vec<(Symbol, Price)>,
    pub(crate) deposits: Vec<(Asset, Qty)>,
    pub(crate) flow: Flow,
    /// Positions of the workers that run the fuzzer.
    pub(crate) fuzzers: Vec<usize>,
    /// The one order that the only worker places, in a directed run.
    pub(crate) wish: Option<Wish>,
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, SetupError> {
    text.parse().map_err(|_| SetupError(text.to_owned()))
}

fn instrument(symbol: &str, base: &str, tick: &str, step: &str) -> Result<Instrument, SetupError> {
    let filters = Filters {
        min_price: Price::new(read(tick)?),
        max_price: Price::new(Decimal::from(1_000_000)),
        min_qty: Qty::new(read(step)?),
        max_qty: Qty::new(Decimal::from(9_000)),
        max_market_qty: Qty::new(Decimal::from(100)),
        min_notional: Money::new(Decimal::from(5)),
        min_notional_applies_to_market: true,
        max_notional: Money::new(Decimal::from(9_000_000)),
        percent_price: Some([Decimal::from(5), Decimal::new(2, 1), Decimal::from(5), Decimal::new(2, 1)]),
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    let scale = Scale { tick: read(tick)?, step: read(step)? };
    Ok(Instrument { symbol: read(symbol)?, base: read(base)?, quote: read("USDT")?, scale, filters })
}

fn params(kind: StrategyKind, pairs: &[(&str, &str)]) -> Result<StrategyParams, SetupError> {
    let table: ParamTable = pairs.iter().map(|(name, value)| ((*name).to_owned(), ParamValue::from(*value))).collect();
    kind.read(&table).map_err(|problems| SetupError(format!("{problems:?}")))
}

fn strategy_rules(allocation: i64, max_position: i64) -> StrategyRules {
    let money = |amount: i64| Money::new(Decimal::from(amount));
    StrategyRules {
        allocation: Share::Amount(money(allocation)),
        risk_budget: Share::Fraction(Percent::new(Decimal::from(60))),
        max_drawdown: Percent::new(Decimal::from(60)),
        max_position: money(max_position),
        max_order: money(400),
        order_rate: OrderRate { per_second: 4, per_minute: 60 },
    }
}

impl Setup {
    /// The setup: the two strategies of the product, and two of the fuzzer, of which one shares an instrument.
    pub(crate) fn new() -> Result<Self, SetupError> {
        let ma = params(
            StrategyKind::MaCrossover,
            &[("interval", "1m"), ("fast", "2"), ("slow", "4"), ("order_quote", "150"), ("max_age_s", "30")],
        )?;
        let grid = params(
            StrategyKind::GridTrader,
            &[("levels", "4"), ("order_quote", "60"), ("step_pct", "0.15"), ("reanchor_after_s", "60")],
        )?;
        let (btc, eth): (Symbol, Symbol) = (read("BTCUSDT")?, read("ETHUSDT")?);
        let seats = [("123", btc, ma.clone()), ("456", eth, grid), ("fuzz-a", btc, ma.clone()), ("fuzz-b", eth, ma)];
        Ok(Self { fuzzers: vec![2, 3], ..Self::of(&seats)? })
    }

    /// The setup of a directed run: one worker, which wants one order.
    pub(crate) fn directed(wish: Wish) -> Result<Self, SetupError> {
        let unused = params(
            StrategyKind::MaCrossover,
            &[("interval", "1m"), ("fast", "2"), ("slow", "4"), ("order_quote", "100")],
        )?;
        let btc: Symbol = read("BTCUSDT")?;
        let mut setup = Self { flow: CALM, wish: Some(wish), ..Self::of(&[("one", btc, unused)])? };
        setup.trading.connector.symbols = vec![btc];
        setup.instruments.retain(|instrument| instrument.symbol == btc);
        setup.prices.retain(|(symbol, _)| *symbol == btc);
        setup.deposits.retain(|(asset, _)| asset.as_str() != "ETH");
        Ok(setup)
    }

    fn of(seats: &[(&str, Symbol, StrategyParams)]) -> Result<Self, SetupError> {
        let (btc, eth): (Symbol, Symbol) = (read("BTCUSDT")?, read("ETHUSDT")?);
        let mut workers = Vec::new();
        for (instance, symbol, params) in seats {
            let (instance, generation) = (read(instance)?, 1);
            workers.push(nightdesk_strategy_worker::Config {
                instance,
                generation,
                symbol: *symbol,
                params: params.clone(),
                run: true,
                epoch: 1,
            });
        }
        let rules = rules(&workers, btc)?;
        let instances = workers.iter().map(|worker| Instance {
            instance: worker.instance,
            strategy: worker.params.kind().as_str().to_owned(),
            symbol: worker.symbol,
            generation: worker.generation,
            allocation: rules
                .strategies
                .get(&worker.instance)
                .map_or(Money::ZERO, |own| own.allocation.of(rules.total).unwrap_or_default()),
        });
        let mut core = nightdesk_core_engine::Config::new(read("USDT")?, rules.price_collar(), instances.collect());
        let mut connector = nightdesk_exchange_connector::Config::new(vec![btc, eth]);
        // Little memory, so that much is forgotten and looked up again.
        (core.remembered, connector.remembered) = (12, 8);
        connector.instances = workers.iter().map(|worker| worker.instance).collect();
        connector.candles = vec![(btc, Interval::ONE_MINUTE)];
        Ok(Self {
            trading: Trading { core, rules, connector, workers },
            instruments: vec![
                instrument("BTCUSDT", "BTC", "0.01", "0.00001")?,
                instrument("ETHUSDT", "ETH", "0.01", "0.0001")?,
            ],
            prices: vec![(btc, read("60000")?), (eth, read("3000")?)],
            // Coins that are not the strategies': the exchange would let them be sold.
            deposits: vec![(read("USDT")?, read("20000")?), (read("BTC")?, read("0.5")?), (read("ETH")?, read("5")?)],
            flow: WILD,
            fuzzers: Vec::new(),
            wish: None,
        })
    }
}

fn rules(workers: &[nightdesk_strategy_worker::Config], btc: Symbol) -> Result<CapitalRules, SetupError> {
    let limits = [(1_000, 400), (1_000, 400), (1_500, 900), (1_500, 1_200)];
    let strategies: BTreeMap<InstanceId, StrategyRules> = workers
        .iter()
        .zip(limits)
        .map(|(worker, (allocation, most))| (worker.instance, strategy_rules(allocation, most)))
        .collect();
    let rules = CapitalRules {
        currency: read("USDT")?,
        total: Money::new(Decimal::from(5_000)),
        risk_budget: Share::Fraction(Percent::new(Decimal::from(60))),
        max_drawdown: Percent::new(Decimal::from(60)),
        stress_move: Percent::new(Decimal::from(20)),
        collar: Percent::new(Decimal::from(1)),
        fee: Percent::new(Decimal::new(1, 1)),
        max_order: Money::new(Decimal::from(400)),
        max_symbol_position: BTreeMap::from([(btc, Money::new(Decimal::from(1_000)))]),
        strategies,
    };
    let problems = rules.validate();
    if problems.is_empty() { Ok(rules) } else { Err(SetupError(format!("{problems:?}"))) }
}
