//! The settings that benchmarks trade with: one instrument, one instance, rules that are checked and wide enough.

use anyhow::Context;
use nightdesk_assembly::Trading;
use nightdesk_core_engine::{Config as CoreConfig, Instance};
use nightdesk_market::{DepthSnapshot, Filters, Instrument, MarketEvent, Quote};
use nightdesk_strategies::{StrategyKind, StrategyParams};
use nightdesk_units::{Asset, InstanceId, Lots, Money, Qty, Scale, Symbol, Ticks, Timestamp};
use serde_json::json;

/// What is traded, where nothing else says so.
pub(crate) const SYMBOL: &str = "BTCUSDT";
const INSTANCE: &str = "bench";
/// Amounts of quote currency that no benchmark uses up.
const PLENTY: &str = "1000000000";
/// Best bid of the standing market, in ticks of a cent.
const BID: i64 = 6_000_000;
/// Lots of 0.00001 at the standing market's best prices.
const DEEP: i64 = 1_000_000_000_000;

/// The instance that trades.
pub(crate) fn instance() -> anyhow::Result<InstanceId> {
    Ok(INSTANCE.parse()?)
}

/// What the account owns at first.
pub(crate) fn balances() -> anyhow::Result<Vec<(Asset, Qty)>> {
    Ok(vec![("USDT".parse()?, PLENTY.parse()?)])
}

/// The settings of all services.
pub(crate) fn trading(symbol: Symbol) -> anyhow::Result<Trading> {
    let rules = json!({
        "currency": "USDT", "total": PLENTY, "risk_budget": "100%", "max_drawdown": "90", "stress_move": "10",
        "collar": "2", "fee": "0.1", "max_order": "100000", "max_symbol_position": {},
        "strategies": { INSTANCE: {
            "allocation": PLENTY, "risk_budget": "100%", "max_drawdown": "90", "max_position": PLENTY,
            "max_order": "100000", "order_rate": { "per_second": 1_000_000, "per_minute": 60_000_000 },
        }},
    });
    let rules: nightdesk_capital::CapitalRules = serde_json::from_value(rules).context("capital rules")?;
    if let Some(problem) = rules.validate().first() {
        anyhow::bail!("capital rules: {problem}");
    }
    let (instance, params) = (instance()?, params()?);
    let allocation: Money = PLENTY.parse()?;
    let known = Instance { instance, strategy: params.kind().to_string(), symbol, generation: 1, allocation };
    let core = CoreConfig::new(rules.currency, rules.price_collar(), vec![known]);
    let mut connector = nightdesk_exchange_connector::Config::new(vec![symbol]);
    connector.instances = vec![instance];
    let worker = nightdesk_strategy_worker::Config { instance, generation: 1, symbol, params, run: true, epoch: 1 };
    Ok(Trading { core, rules, connector, workers: vec![worker] })
}

/// Parameters of the strategy in whose name a benchmark's own orders.
pub(crate) fn params() -> anyhow::Result<StrategyParams> {
    let table = json!({ "interval": "1s", "fast": 5, "slow": 20, "order_quote": "1000", "max_slippage_pct": "0.2" });
    let read = StrategyKind::MaCrossover.read(&serde_json::from_value(table)?);
    read.map_err(|problems| anyhow::anyhow!("strategy parameters: {problems:?}"))
}

/// The instrument of the standing market, with the exchange's filters.
pub(crate) fn instrument() -> anyhow::Result<Instrument> {
    let ratios: [nightdesk_units::Decimal; 4] = [
        nightdesk_units::Decimal::new(5, 0),
        nightdesk_units::Decimal::new(2, 1),
        nightdesk_units::Decimal::new(5, 0),
        nightdesk_units::Decimal::new(2, 1),
    ];
    Ok(Instrument {
        symbol: SYMBOL.parse()?,
        base: "BTC".parse()?,
        quote: "USDT".parse()?,
        scale: Scale { tick: "0.01".parse()?, step: "0.00001".parse()? },
        filters: Filters {
            min_price: "0.01".parse()?,
            max_price: "1000000".parse()?,
            min_qty: "0.00001".parse()?,
            max_qty: "9000".parse()?,
            max_market_qty: Qty::ZERO,
            min_notional: "5".parse()?,
            min_notional_applies_to_market: true,
            max_notional: Money::ZERO,
            percent_price: Some(ratios),
            max_open_orders: 1_000_000,
            max_position: Qty::ZERO,
        },
    })
}

/// The standing market's book: deep enough for any benchmark.
pub(crate) fn book(symbol: Symbol, at: Timestamp) -> MarketEvent {
    let level = |price| vec![(Ticks(price), Lots(DEEP))];
    MarketEvent::Snapshot(DepthSnapshot { symbol, last_id: 1, bids: level(BID), asks: level(BID + 1), at })
}

/// Its `n`-th quote: the same prices, a little more or less of them.
pub(crate) fn quote(symbol: Symbol, n: u64, at: Timestamp) -> MarketEvent {
    let qty = Lots(DEEP + i64::from(n.is_multiple_of(2)));
    let (bid, ask) = (Ticks(BID), Ticks(BID + 1));
    MarketEvent::Quote(Quote { symbol, update_id: n + 2, bid, bid_qty: qty, ask, ask_qty: qty, at })
}
