//! The configuration file, and what the services are told by it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use nightdesk_assembly::Trading;
use nightdesk_capital::CapitalRules;
use nightdesk_core_engine::{Config as CoreConfig, Instance};
use nightdesk_exchange_binance::Endpoints;
use nightdesk_host::config::{ConfigErrors, Problem, Validate, load, load_file};
use nightdesk_market::Interval;
use nightdesk_strategies::{ParamTable, StrategyKind, StrategyParams};
use nightdesk_units::{InstanceId, Money, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distributed::{LeaseConfig, PostgresConfig, RabbitmqConfig, ServicesConfig};

/// The demo's configuration, which is also the example.
pub const DEMO: &str = include_str!("../demo.toml");

/// A configuration that nobody has validated, and what about it makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the configuration makes no sense: {0}")]
pub struct Unread(String);

fn unread(error: impl std::fmt::Display) -> Unread {
    Unread(error.to_string())
}

/// Nightdesk's configuration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the API and the status page listen.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// Which exchange.
    pub exchange: ExchangeConfig,
    /// Who may risk how much.
    pub capital: CapitalConfig,
    /// The strategy instances.
    pub strategy: Vec<StrategyConfig>,
    /// The database of services in processes of their own.
    #[serde(default)]
    pub postgres: PostgresConfig,
    /// The message broker between them.
    #[serde(default)]
    pub rabbitmq: RabbitmqConfig,
    /// Who of several replicas acts.
    #[serde(default)]
    pub lease: LeaseConfig,
    /// Where each of them listens.
    #[serde(default)]
    pub services: ServicesConfig,
}

/// Which exchange, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeConfig {
    /// Which.
    pub kind: ExchangeKind,
    /// The name of the secret that holds the API key.
    #[serde(default = "default_secret")]
    pub secret: String,
    /// Most requests a second.
    #[serde(default = "default_rate")]
    pub requests_per_second: u32,
    /// REST address of an external exchange, such as `http://127.0.0.1:18080`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Market stream address of an external exchange, such as `ws://127.0.0.1:18080`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<String>,
    /// WebSocket API address of an external exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws_api: Option<String>,
    /// What the embedded simulator's account owns at first, as ASSET=AMOUNT.
    #[serde(default)]
    pub balances: Vec<String>,
}

/// Which exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeKind {
    /// A paper exchange within this process.
    Simulator,
    /// An exchange at given addresses.
    External,
    /// Binance's spot test network.
    Testnet,
    /// Binance, with real money.
    Live,
}

/// Who may risk how much. Amounts are in `currency`, written as text; shares are amounts or percentages of the total.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapitalConfig {
    /// What all amounts are in.
    pub currency: String,
    /// What may be used in all.
    pub total: String,
    /// The most that all strategies together may risk: the day's loss plus `stress_move` of what is held and ordered.
    pub risk_budget: String,
    /// Drawdown in per cent at which nothing takes new risk.
    pub max_drawdown: String,
    /// The adverse move in per cent that exposure is judged at.
    pub stress_move: String,
    /// How far from the market's middle an order may trade, in per cent.
    pub collar: String,
    /// The exchange's highest fee in per cent.
    pub fee: String,
    /// The largest single order, with fees.
    pub max_order: String,
    /// The most that may be held and ordered, by symbol.
    #[serde(default)]
    pub max_symbol_position: BTreeMap<String, String>,
    /// Limits of each strategy instance.
    pub strategies: BTreeMap<String, StrategyCapital>,
}

/// One instance's limits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyCapital {
    /// Its part of the capital.
    pub allocation: String,
    /// The most it may risk.
    pub risk_budget: String,
    /// Drawdown in per cent at which it takes no new risk.
    pub max_drawdown: String,
    /// The most it may hold and have ordered in one instrument.
    pub max_position: String,
    /// Its largest single order, with fees.
    pub max_order: String,
    /// How fast it may order.
    pub order_rate: OrderRate,
}

/// How fast orders may follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRate {
    /// In any second.
    pub per_second: u32,
    /// In any minute.
    pub per_minute: u32,
}

/// A strategy instance.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyConfig {
    /// Its name: at most 12 letters, digits, '.', '_' or '-'.
    pub instance: String,
    /// `ma-crossover` or `grid-trader`.
    pub strategy: String,
    /// What it trades.
    pub symbol: String,
    /// Raise it when the parameters change: it is part of every intent's id.
    #[serde(default = "one")]
    pub generation: u32,
    /// Whether it runs at its first start.
    #[serde(default = "yes")]
    pub run: bool,
    /// Its parameters.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub params: ParamTable,
}

fn default_listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn default_secret() -> String {
    "exchange-api-key".to_owned()
}

const fn default_rate() -> u32 {
    10
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

impl CapitalConfig {
    fn rules(&self) -> Result<CapitalRules, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }
}

impl StrategyConfig {
    fn read(&self) -> Result<StrategyParams, Vec<nightdesk_units::Problem>> {
        let kind = self.strategy.parse::<StrategyKind>();
        let hint = StrategyKind::ALL.map(|kind| kind.as_str()).join(" or ");
        let unknown = |_| vec![nightdesk_units::Problem::new("", format!("no strategy {:?}", self.strategy), hint)];
        kind.map_err(unknown)?.read(&self.params)
    }
}

impl Validate for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.listen.parse::<SocketAddr>().is_err() {
            problems.push(Problem::at("listen", "not an address").hint("write it like 127.0.0.1:8080"));
        }
        problems.extend(self.lease.problem());
        self.check_exchange(&mut problems);
        match self.capital.rules() {
            Ok(rules) => problems.extend(rules.validate().into_iter().map(|p| prefixed("capital", p))),
            Err(error) => problems.push(Problem::at("capital", error.to_string())),
        }
        if self.strategy.is_empty() {
            problems.push(Problem::at("strategy", "no strategy instance").hint("add a [[strategy]] table"));
        }
        for (index, strategy) in self.strategy.iter().enumerate() {
            self.check_strategy(index, strategy, &mut problems);
        }
        problems
    }
}

fn prefixed(path: &str, problem: nightdesk_units::Problem) -> Problem {
    let field = problem.field.to_string();
    let path = if field.is_empty() { path.to_owned() } else { format!("{path}.{field}") };
    Problem::at(path, problem.message.clone()).hint(problem.hint.clone())
}

impl Config {
    fn check_exchange(&self, problems: &mut Vec<Problem>) {
        let exchange = &self.exchange;
        let addresses = [("rest", &exchange.rest), ("streams", &exchange.streams), ("ws_api", &exchange.ws_api)];
        for (name, address) in addresses {
            match (exchange.kind, address) {
                (ExchangeKind::External, None) => {
                    let problem = Problem::at("exchange", format!("{name} is missing for an external exchange"));
                    problems.push(problem.hint("such as http://127.0.0.1:18080 (rest) or ws://127.0.0.1:18080"));
                }
                (ExchangeKind::External, Some(_)) | (_, None) => {}
                (_, Some(_)) => {
                    let problem = Problem::at(format!("exchange.{name}"), "contradicts exchange.kind");
                    problems.push(problem.hint("addresses are for kind = \"external\" only"));
                }
            }
        }
        if exchange.requests_per_second == 0 {
            problems.push(Problem::at("exchange.requests_per_second", "must be above 0"));
        }
        for (index, balance) in exchange.balances.iter().enumerate() {
            if let Err(error) = balance.parse::<nightdesk_exchange_simulator::Balance>() {
                problems.push(Problem::at(format!("exchange.balances[{index}]"), error.to_string()));
            }
        }
    }

    fn check_strategy(&self, index: usize, strategy: &StrategyConfig, problems: &mut Vec<Problem>) {
        let path = format!("strategy[{index}]");
        if let Err(error) = strategy.instance.parse::<InstanceId>() {
            problems.push(Problem::at(format!("{path}.instance"), error.to_string()));
        }
        if let Err(error) = strategy.symbol.parse::<Symbol>() {
            problems.push(Problem::at(format!("{path}.symbol"), error.to_string()));
        }
        if self.strategy[..index].iter().any(|other| other.instance == strategy.instance) {
            let problem = Problem::at(format!("{path}.instance"), format!("{} is taken", strategy.instance));
            problems.push(problem.hint("every instance needs a name of its own"));
        }
        if !self.capital.strategies.contains_key(&strategy.instance) {
            let problem = Problem::at(format!("{path}.instance"), format!("{} has no capital", strategy.instance));
            problems.push(problem.hint(format!("add a table [capital.strategies.{}]", strategy.instance)));
        }
        match strategy.read() {
            Ok(params) => problems.extend(self.check_allocation(&path, strategy, &params)),
            Err(found) => {
                let unknown = strategy.strategy.parse::<StrategyKind>().is_err();
                let path = format!("{path}.{}", if unknown { "strategy" } else { "params" });
                problems.extend(found.into_iter().map(|problem| prefixed(&path, problem)));
            }
        }
    }

    /// What the strategy may have at stake must fit into its allocation, or its orders would be refused for ever.
    fn check_allocation(&self, path: &str, strategy: &StrategyConfig, params: &StrategyParams) -> Option<Problem> {
        let rules = self.capital.rules().ok()?;
        let own = rules.strategies.get(&strategy.instance.parse::<InstanceId>().ok()?)?;
        let allocation = own.allocation.of(rules.total).ok()?;
        let (needed, limit) = (params.capital(), allocation.min(own.max_position));
        let message = format!("needs up to {needed}, and {} may hold {limit}", strategy.instance);
        let hint = format!("lower the orders, or raise capital.strategies.{}", strategy.instance);
        (needed > limit).then(|| Problem::at(format!("{path}.params"), message).hint(hint))
    }

    /// Reads `file`, or takes the demo's configuration.
    ///
    /// # Errors
    /// Every mistake in it at once.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        match file {
            Some(file) => load_file(file),
            None => load(DEMO, "the demo configuration"),
        }
    }

    /// Lets every strategy trade what a recording holds, where its own symbol is not in it. Says which do so.
    pub fn trade_only(&mut self, recorded: &[Symbol]) -> Vec<String> {
        let Some(first) = recorded.first() else { return Vec::new() };
        let mut moved = Vec::new();
        for strategy in &mut self.strategy {
            if !recorded.iter().any(|symbol| symbol.as_str() == strategy.symbol) {
                let wanted = std::mem::replace(&mut strategy.symbol, first.to_string());
                let instance = &strategy.instance;
                moved.push(format!("{wanted} is not in the recording: instance {instance} trades {first} instead"));
            }
        }
        moved
    }

    /// The settings of all services.
    ///
    /// # Errors
    /// When it has not been validated.
    pub fn trading(&self) -> Result<Trading, Unread> {
        let rules = self.capital.rules().map_err(unread)?;
        let mut instances = Vec::new();
        let mut workers = Vec::new();
        for strategy in &self.strategy {
            let (instance, symbol) = (
                strategy.instance.parse::<InstanceId>().map_err(unread)?,
                strategy.symbol.parse::<Symbol>().map_err(unread)?,
            );
            let allocation = rules.strategies.get(&instance).map(|own| own.allocation.of(rules.total));
            instances.push(Instance {
                instance,
                strategy: strategy.strategy.clone(),
                symbol,
                generation: strategy.generation,
                allocation: allocation.transpose().map_err(unread)?.unwrap_or(Money::ZERO),
            });
            let params = strategy.read().map_err(|problems| Unread(format!("strategy parameters: {problems:?}")))?;
            let (generation, run) = (strategy.generation, strategy.run);
            workers.push(nightdesk_strategy_worker::Config { instance, generation, symbol, params, run, epoch: 1 });
        }
        let core = CoreConfig::new(rules.currency, rules.price_collar(), instances);
        let mut connector = nightdesk_exchange_connector::Config::new(self.symbols()?);
        connector.instances = workers.iter().map(|worker| worker.instance).collect();
        connector.candles = candles(&workers);
        Ok(Trading { core, rules, connector, workers })
    }

    /// Everything that is traded.
    ///
    /// # Errors
    /// When it has not been validated.
    pub fn symbols(&self) -> Result<Vec<Symbol>, Unread> {
        let symbols = self.strategy.iter().map(|strategy| strategy.symbol.parse::<Symbol>());
        let mut symbols = symbols.collect::<Result<Vec<_>, _>>().map_err(unread)?;
        symbols.sort_unstable();
        symbols.dedup();
        Ok(symbols)
    }

    /// Where the exchange answers; `None` for the embedded one.
    #[must_use]
    pub fn endpoints(&self) -> Option<Endpoints> {
        let ExchangeConfig { kind, rest, streams, ws_api, .. } = &self.exchange;
        match kind {
            ExchangeKind::Simulator => None,
            ExchangeKind::Testnet => Some(Endpoints::testnet()),
            ExchangeKind::Live => Some(Endpoints::live()),
            ExchangeKind::External => Some(Endpoints {
                rest: rest.clone().unwrap_or_default(),
                streams: streams.clone().unwrap_or_default(),
                ws_api: ws_api.clone().unwrap_or_default(),
            }),
        }
    }
}

/// The candles that the workers' strategies want, each once.
fn candles(workers: &[nightdesk_strategy_worker::Config]) -> Vec<(Symbol, Interval)> {
    let wanted = workers.iter().flat_map(|worker| {
        let wants = worker.params.build().wants();
        wants.candles.into_iter().map(move |wish| (worker.symbol, wish.interval))
    });
    let mut candles: Vec<(Symbol, Interval)> = wanted.collect();
    candles.sort_unstable();
    candles.dedup();
    candles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_good_configuration() {
        let config = Config::read(None).map_err(|errors| errors.render(false)).unwrap();
        let trading = config.trading().unwrap();
        assert_eq!(trading.workers.len(), 2);
        assert_eq!(trading.connector.candles.len(), 1);
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let text = DEMO
            .replace("fast = 5", "fast = 50")
            .replace("total = \"50000\"", "total = \"10000\"")
            .replace("requests_per_second", "requests_per_secnd")
            .replace("strategy = \"grid-trader\"", "strategy = \"gird-trader\"");
        let errors = load::<Config>(&text, "broken.toml").unwrap_err();
        let told = errors.render(false);
        for expected in ["requests_per_secnd", "requests_per_second", "allocations add up", "fast", "gird-trader"] {
            assert!(told.contains(expected), "{expected} not in\n{told}");
        }
    }
}
