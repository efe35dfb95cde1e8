//! Commands and their options.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use nightdesk_host::{Failure, Host, Options, Status, Threads, logs};
use nightdesk_process::{Kind, ServiceArgs};

use crate::{backtest, client, cluster, exchange, insight, record, replay, settings, up, verify};

/// Nightdesk: trades crypto around the clock, and loses no order.
#[derive(Debug, Parser)]
#[command(name = "nightdesk", version = nightdesk_host::version())]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trade: all services in this process, on the exchange that the configuration names (a simulated one by default).
    Up(UpArgs),
    /// The same with each service in a process of its own, over a private PostgreSQL and a private RabbitMQ.
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// A process of the cluster.
    #[command(hide = true)]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Write the live streams of an exchange into a file that `up --replay` and `backtest` read.
    Record(RecordArgs),
    /// Run the strategies over recordings as fast as this machine can, without writing anything.
    Backtest(BacktestArgs),
    /// How things stand.
    Status(Ask),
    /// Orders, newest first.
    Orders(ListArgs),
    /// What is held.
    Positions(Ask),
    /// Profit and loss, of the portfolio and of each strategy.
    Pnl(Ask),
    /// Strategy instances; start or stop one.
    Strategies(StrategiesArgs),
    /// Take no new risk from now on; cancels and exits still work.
    Halt(HaltArgs),
    /// Lift the halt that is in force.
    Resume(Ask),
    /// Compare with the exchange now.
    Reconcile(Ask),
    /// Check, describe or print a configuration.
    Config(ConfigArgs),
    /// Keep secrets (in DATA_DIR, encrypted).
    Secrets(SecretsArgs),
    /// Anomalies and forecasts of any series in a CSV file.
    Insight {
        #[command(subcommand)]
        command: InsightCommand,
    },
    /// Recompute everything from the journal, and from the exchange's own record, and compare.
    Verify(VerifyArgs),
}

/// Where things are kept, and how to answer.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ask {
    /// Where everything is kept [default: $XDG_DATA_HOME/nightdesk].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// The configuration [default: the demo's].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Recordings that the simulated exchange plays, one after the other.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) replay: Vec<PathBuf>,
    /// How fast: a factor, or `max`, which runs in lockstep and gives the same journal every time.
    #[arg(long, default_value = "1", value_name = "N|max", requires = "replay")]
    pub(crate) speed: Speed,
    /// Seed of the simulated market.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Stop after this long, such as 90s, 10m or 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) run_for: Option<Duration>,
    /// Stop when the recordings end.
    #[arg(long, requires = "replay")]
    pub(crate) exit_at_end: bool,
    /// Where the simulated exchange serves its protocol [default: a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) exchange_listen: Option<std::net::SocketAddr>,
    /// Where the API and the status page listen [default: as configured, else a free port].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

/// What to do with a cluster.
#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Start it, look after it, and end with it.
    Up(UpArgs),
}

/// A process of the cluster.
#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Order and position state, strategies' life cycle, portfolio.
    CoreEngine(ServiceArgs),
    /// The only one that talks to the exchange.
    ExchangeConnector(ServiceArgs),
    /// Allocates capital and enforces risk limits.
    CapitalManager(ServiceArgs),
    /// Runs one strategy instance.
    StrategyWorker(ServiceArgs),
    /// The simulated exchange.
    Exchange(ExchangeArgs),
}

/// The simulated exchange in a process of its own.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExchangeArgs {
    #[command(flatten)]
    pub(crate) up: UpArgs,
    /// Where faults, state and record are served.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) control: std::net::SocketAddr,
    /// End when this process, which started us, ends.
    #[arg(long, value_name = "PID")]
    with_parent: Option<i32>,
}

/// `record`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecordArgs {
    /// Where to write; a name that ends in .gz is compressed.
    pub(crate) file: PathBuf,
    /// What to record.
    #[arg(long, value_name = "SYMBOL", num_args = 1.., default_values = ["BTCUSDT"])]
    pub(crate) symbols: Vec<String>,
    /// Binance's live streams, its test network, or HOST:PORT of a simulator.
    #[arg(long, default_value = "live", value_name = "live|testnet|HOST:PORT")]
    pub(crate) exchange: String,
    /// Stop after this long.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) run_for: Option<Duration>,
}

/// `backtest`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BacktestArgs {
    /// Recordings, one after the other.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The configuration [default: the demo's].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Only these strategies, by instance or by name.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) strategy: Vec<String>,
    /// Write the journals here, one JSON line per fact.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `orders`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Only with this status.
    #[arg(long)]
    pub(crate) status: Option<String>,
}

/// `strategies`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StrategiesArgs {
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(subcommand)]
    pub(crate) change: Option<StrategyChange>,
}

/// What to do with an instance.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum StrategyChange {
    /// Let it decide.
    Start {
        /// The instance.
        instance: String,
    },
    /// Let it decide no more, and cancel its open orders.
    Stop {
        /// The instance.
        instance: String,
    },
}

/// `halt`.
#[derive(Debug, Clone, Args)]
pub(crate) struct HaltArgs {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// Why; it is journaled and shown.
    #[arg(long)]
    pub(crate) reason: String,
}

/// `config`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to do with a configuration.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Name every mistake in it.
    Check {
        /// The file.
        file: PathBuf,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Its JSON Schema.
    Schema,
    /// A commented example that works.
    Example,
}

/// `secrets`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecretsArgs {
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
    /// Where everything is kept [default: $XDG_DATA_HOME/nightdesk].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What to do with secrets.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Set one; the value is read from standard input.
    Set {
        /// Its name.
        name: String,
    },
    /// Their names.
    List,
    /// Forget one.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// The exchange's own record [default: the embedded simulator's].
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// What to find out about a series.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InsightCommand {
    /// Score each row of a series: how unusual it is, why, and what was expected.
    Detect(DetectArgs),
    /// What comes next, with bounds.
    Forecast(ForecastArgs),
    /// Draw a series with what was expected, its alarms and, if asked for, a forecast.
    Plot(PlotArgs),
}

/// `insight detect`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DetectArgs {
    /// CSV files with a time and a value a row; an empty value is a missing one.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write DIR/FILE for each file instead of printing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Evidence that makes an alarm, in powers of ten [default: as in operation].
    #[arg(long, value_name = "N")]
    pub(crate) threshold: Option<f64>,
    /// Print the alarms alone, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How far to look ahead.
#[derive(Debug, Clone, Args)]
pub(crate) struct Outlook {
    /// Steps ahead; a step is the usual distance between two rows.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) horizon: usize,
    /// Steps after which a pattern comes again, such as 24,168 for hourly rows.
    #[arg(long, value_name = "S[,S2]", value_delimiter = ',')]
    pub(crate) season: Vec<usize>,
    /// The share of values that the bounds are to hold, in per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    pub(crate) level: f64,
}

/// `insight forecast`.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("horizon", |arg| arg.required(true)))]
pub(crate) struct ForecastArgs {
    /// A CSV file with a time and a value a row; an empty value is a missing one.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) outlook: Outlook,
    /// Say when values will be this high.
    #[arg(long, value_name = "LIMIT", allow_negative_numbers = true)]
    pub(crate) above: Option<f64>,
    /// Say when values will be this low.
    #[arg(long, value_name = "LIMIT", allow_negative_numbers = true, conflicts_with = "above")]
    pub(crate) below: Option<f64>,
    /// Answer in JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `insight plot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlotArgs {
    /// A CSV file with a time and a value a row; an empty value is a missing one.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) outlook: Outlook,
    /// Where to draw [default: FILE with the ending .svg].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// In lockstep, as fast as this machine can.
    Max,
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl std::str::FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse::<f64>()) {
            ("max", _) => Ok(Self::Max),
            (_, Ok(times)) if times > 0.0 && times.is_finite() => Ok(Self::Times(times)),
            _ => Err("a factor above 0, or max".to_owned()),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let count: u64 = digits.parse().map_err(|_| "write it like 90s, 10m or 2h".to_owned())?;
    let scale = match unit {
        "ms" => return Ok(Duration::from_millis(count)),
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(format!("unknown unit {unit:?}: ms, s, m, h or d")),
    };
    Ok(Duration::from_secs(count.saturating_mul(scale)))
}

/// Reads the command line and runs what it says.
pub(crate) fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => {
            // Asking for help is no mistake.
            let status = if error.use_stderr() { Status::Usage } else { Status::Good };
            let _ = error.print();
            status.into()
        }
    }
}

fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Up(args) if args.speed == Speed::Max && !args.replay.is_empty() => {
            hosted(true, args.ask.json, |host| replay::run(host, args))
        }
        Command::Up(args) => hosted(false, args.ask.json, |host| up::run(host, args)),
        Command::Cluster { command: ClusterCommand::Up(args) } => {
            let grace = CLUSTER_GRACE;
            hosted_within(grace, args.ask.json, |host| cluster::run(host, args))
        }
        Command::Service { command } => service(command),
        Command::Record(args) => hosted(false, true, |host| record::run(host, args)),
        Command::Backtest(args) => plain(|| backtest::run(&args)),
        Command::Config(args) => plain(|| settings::config(&args)),
        Command::Secrets(args) => plain(|| settings::secrets(&args)),
        Command::Insight { command } => plain(|| insight::run(&command)),
        Command::Verify(args) => plain(|| verify::run(&args)),
        Command::Status(ask) => plain(|| client::status(&ask)),
        Command::Orders(args) => plain(|| client::orders(&args)),
        Command::Positions(ask) => plain(|| client::positions(&ask)),
        Command::Pnl(ask) => plain(|| client::pnl(&ask)),
        Command::Strategies(args) => plain(|| client::strategies(&args)),
        Command::Halt(args) => plain(|| client::halt(&args)),
        Command::Resume(ask) => plain(|| client::resume(&ask)),
        Command::Reconcile(ask) => plain(|| client::reconcile(&ask)),
    }
}

/// Runs one process of a cluster.
fn service(command: ServiceCommand) -> ExitCode {
    match command {
        ServiceCommand::CoreEngine(args) => nightdesk_process::run(Kind::CoreEngine, args),
        ServiceCommand::ExchangeConnector(args) => nightdesk_process::run(Kind::ExchangeConnector, args),
        ServiceCommand::CapitalManager(args) => nightdesk_process::run(Kind::CapitalManager, args),
        ServiceCommand::StrategyWorker(args) => nightdesk_process::run(Kind::StrategyWorker, args),
        ServiceCommand::Exchange(args) => match nightdesk_process::end_with(args.with_parent) {
            Ok(()) => hosted(true, false, |host| exchange::serve(host, args)),
            Err(code) => code,
        },
    }
}

/// How long a cluster may take to end: its services one after the other, a last comparison, and two servers.
const CLUSTER_GRACE: Duration = Duration::from_secs(120);

fn hosted_within<F: Future<Output = Result<(), Failure>>>(
    grace: Duration,
    json: bool,
    main: impl FnOnce(Host) -> F,
) -> ExitCode {
    let logs = if json { logs::Options::to_stderr() } else { logs::Options::default() };
    nightdesk_host::run("nightdesk", Options { grace, logs, ..Options::default() }, main)
}

/// Runs a command that lives until it is told to stop.
fn hosted<F: Future<Output = Result<(), Failure>>>(single: bool, json: bool, main: impl FnOnce(Host) -> F) -> ExitCode {
    let threads = if single { Threads::Current } else { Threads::Workers(2) };
    // Where standard output is data, the logs go to standard error.
    let logs = if json { logs::Options::to_stderr() } else { logs::Options::default() };
    nightdesk_host::run("nightdesk", Options { threads, logs, ..Options::default() }, main)
}

/// Runs a command that answers and ends.
fn plain(main: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    match main() {
        Ok(()) => Status::Good.into(),
        Err(failure) => {
            match failure.config_errors() {
                Some(errors) => {
                    nightdesk_host::output::to_stderr(&errors.render(nightdesk_host::output::colour_wanted()))
                }
                None => nightdesk_host::output::to_stderr(&format!("nightdesk: {failure}\n")),
            }
            failure.status().into()
        }
    }
}
