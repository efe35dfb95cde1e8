//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use nightdesk_exchange_simulator::{
    Balance, Config, DEFAULT_ACCOUNT, KeySecret, KeySpec, Limits, MarketSource, Speed, default_symbols,
};
use nightdesk_host::Status;
use nightdesk_units::{Decimal, Symbol};

/// The control address, at the end of `--help`: what no protocol of Binance's documents.
const CONTROL: &str = r#"The control address:
  GET  /health /state     whether it runs; balances, open orders, market, counters, faults
  GET  /record?from=N     its own append-only record of every order, fill and balance, from sequence N
  POST /deposit /withdraw {"asset":"USDT","amount":"100","account":"main"}
  POST /market            {"paused":true} stands the market still
  POST /faults            adds a fault, or a list of them; GET lists them with their hits; DELETE /faults[/ID] ends them and every ban

Faults, for example:
  curl -d '{"kind":"answer_lost","when":"after","how":"504","endpoint":"POST /api/v3/order","count":1}' 127.0.0.1:18081/faults

  answer_lost        when: before | after the request takes effect [after]; how: 504 | 1007 | 1006 | reset | silence [504]
  delay              ms; when: before | after [before]
  reject             code, msg; status [400]
  rate_limit         429; retry_after_s [60]
  ban                418 for the address; seconds [120]
  firewall           403 with a page of HTML
  maintenance        503, -1008
  malformed          an answer that breaks off; when: before | after [after]
  stream_cut         stream: market | user | all; reset [false]; at once
  server_shutdown    a serverShutdown event, and the end grace_ms later [10000]
  stale_stream       silence on an open connection; stream: market | user | all
  duplicate_reports  each execution report twice
  reorder_reports    an execution report after the next one
  drop_reports       execution reports lost
  drop_market        market events lost; stream: a part of a stream's name
  clock_skew         ms by which the exchange's clock is wrong

  for whom and how often, each may be left out:
  endpoint           "POST /api/v3/order", "/api/v3/order" or "order.place": REST and WebSocket API alike
  symbol, side, client_id_prefix, account
  execution          reports of this type only, such as "TRADE"
  count, probability, for_ms                 how many times, how likely (0 to 1, seeded), for how long"#;

/// A paper exchange that speaks Binance Spot's REST and WebSocket protocol.
///
/// Point any Binance client at it: REST at http://ADDRESS/api, market streams at ws://ADDRESS/ws and /stream, the WebSocket
/// API at ws://ADDRESS/ws-api/v3. Orders are matched against a synthetic market, or a recorded one.
#[derive(Debug, Parser)]
#[command(name = "exchange-simulator", version, after_long_help = CONTROL)]
struct Cli {
    /// Where REST and WebSocket are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18080")]
    listen: SocketAddr,
    /// Where faults, state and record are served; "off" for nowhere
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18081")]
    control: String,
    /// Who may trade: KEY:SECRET or KEY:ed25519:PUBLIC.pem, each optionally with @ACCOUNT. May be given several times; without any, a
    /// key is made up and shown
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<KeySpec>,
    /// Play recordings in the capture format (plain or gzip), one after the other
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "symbols")]
    replay: Vec<PathBuf>,
    /// How fast a recording is played: a factor, or max
    #[arg(long, value_name = "N|max", default_value = "1", requires = "replay")]
    speed: Speed,
    /// Seed of the synthetic market and of faults by probability
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What the synthetic market trades; may be given several times [default: BTCUSDT ETHUSDT SOLUSDT]
    #[arg(long = "symbol", value_name = "SYMBOL")]
    symbols: Vec<Symbol>,
    /// Keep state here and resume from it; without it, everything is in memory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What a new account owns; may be given several times [default: USDT=100000]
    #[arg(long = "balance", value_name = "ASSET=AMOUNT", num_args = 1..)]
    balances: Vec<Balance>,
    /// Maker and taker fee rates of new accounts
    #[arg(long, value_name = "MAKER,TAKER", default_value = "0.001,0.001")]
    fees: String,
    /// Request weight a minute and address
    #[arg(long, value_name = "N", default_value_t = Limits::default().weight_1m)]
    weight_limit: u32,
    /// Unfilled orders in ten seconds and account
    #[arg(long, value_name = "N", default_value_t = Limits::default().orders_10s)]
    order_limit: u32,
    /// Unfilled orders a day and account
    #[arg(long, value_name = "N", default_value_t = Limits::default().orders_1d)]
    order_limit_day: u32,
    /// Make up candles of the time before the exchange opened, for bots that need a warm-up [default: yes for a synthetic
    /// market, no for a recorded one]
    #[arg(long, value_name = "yes|no")]
    history: Option<String>,
}

/// Reads the command line; `Err` is the exit code of a process that is done.
pub(crate) fn read() -> Result<Config, ExitCode> {
    let cli = Cli::try_parse().map_err(|error| {
        // There is nowhere to report that the terminal is gone.
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { Status::Usage } else { Status::Good })
    })?;
    let usage = |text: String| {
        eprintln!("error: {text}\n\nFor more information, try '--help'.");
        ExitCode::from(Status::Usage)
    };
    config(cli).map_err(usage)
}

fn config(cli: Cli) -> Result<Config, String> {
    let mut config = Config::new(cli.keys);
    config.listen = cli.listen;
    config.control = match cli.control.as_str() {
        "off" => None,
        address => Some(address.parse().map_err(|_| format!("--control takes an address, or off: {address:?}"))?),
    };
    config.market = if cli.replay.is_empty() {
        MarketSource::Synthetic { symbols: if cli.symbols.is_empty() { default_symbols() } else { cli.symbols } }
    } else {
        MarketSource::Replay { files: cli.replay, speed: cli.speed }
    };
    config.data_dir = cli.data_dir;
    if !cli.balances.is_empty() {
        config.balances = cli.balances.iter().map(|balance| (balance.asset, balance.amount)).collect();
    }
    config.fees = fees(&cli.fees)?;
    config.limits = Limits {
        weight_1m: cli.weight_limit,
        orders_10s: cli.order_limit,
        orders_1d: cli.order_limit_day,
        ..Limits::default()
    };
    config.seed = cli.seed;
    config.made_up_history = match cli.history.as_deref() {
        None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(other) => return Err(format!("--history takes yes or no: {other:?}")),
    };
    if config.keys.is_empty() {
        config.keys.push(made_up_key()?);
    }
    Ok(config)
}

fn fees(text: &str) -> Result<(Decimal, Decimal), String> {
    let error = || format!("--fees takes two rates below 1, such as 0.001,0.001: {text:?}");
    let rate = |text: &str| text.parse().ok().filter(|rate: &Decimal| *rate >= Decimal::ZERO && *rate < Decimal::ONE);
    let (maker, taker) = text.split_once(',').ok_or_else(error)?;
    Ok((rate(maker).ok_or_else(error)?, rate(taker).ok_or_else(error)?))
}

/// A key for who has none: shown once, it opens nothing but this paper exchange.
fn made_up_key() -> Result<KeySpec, String> {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "cannot make up a key; give one with --key".to_owned())?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (key, secret) = (format!("paper-{}", hex(&bytes[..8])), hex(&bytes[8..]));
    eprintln!("no --key given, so this one was made up:\n  API key    {key}\n  API secret {secret}");
    Ok(KeySpec { key, secret: KeySecret::Hmac(secret), account: DEFAULT_ACCOUNT.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &str) -> Result<Config, String> {
        let args = std::iter::once("exchange-simulator").chain(args.split_whitespace());
        config(Cli::try_parse_from(args).map_err(|e| e.to_string())?)
    }

    #[test]
    fn the_command_line_becomes_a_config() {
        let config =
            parse("--key a:b --key c:d@second --listen 127.0.0.1:0 --balance USDT=5 BTC=1 --weight-limit 9").unwrap();
        assert_eq!((config.keys.len(), config.balances.len(), config.limits.weight_1m), (2, 2, 9));
        let config = parse("--key a:b --replay x.gz y.gz --speed max --control off").unwrap();
        let files = vec![PathBuf::from("x.gz"), PathBuf::from("y.gz")];
        assert_eq!(config.market, MarketSource::Replay { files, speed: Speed::Max });
        assert_eq!(config.control, None);
    }

    #[test]
    fn help_names_every_fault() {
        let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
        for kind in [
            "answer_lost",
            "delay",
            "reject",
            "rate_limit",
            "ban",
            "firewall",
            "maintenance",
            "malformed",
            "stream_cut",
            "server_shutdown",
            "stale_stream",
            "duplicate_reports",
            "reorder_reports",
            "drop_reports",
            "drop_market",
            "clock_skew",
        ] {
            assert!(help.contains(&format!("\n  {kind} ")), "{kind}");
        }
    }

    #[test]
    fn mistakes_are_said_clearly() {
        for (args, says) in [
            ("--key a", "KEY:SECRET"),
            ("--speed 2", "--replay"),
            ("--replay x --speed 0", "above zero"),
            ("--replay x --symbol BTCUSDT", "cannot be used with"),
            ("--balance USDT", "ASSET=AMOUNT"),
            ("--control nowhere", "--control takes an address"),
            ("--fees 1,2", "two rates below 1"),
            ("--history maybe", "yes or no"),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.contains(says), "{args}: {error}");
        }
    }
}
