//! Logs: Cloud Logging's structured JSON for machines, short coloured lines for a person at a terminal.
//!
//! Lines are written at once, in order, by the thread that logs: what was said before a crash is on the pipe. Values
//! whose field is named like a secret never get out, and an event that carries `once_per_minute = "kind"` is written
//! once a minute per target and kind, with the number of those left out.

mod collect;
mod human;
mod json;
mod layer;
mod limit;
mod redact;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::{error, warn};
use tracing_subscriber::layer::SubscriberExt;

pub use self::layer::LogLayer;
pub use self::limit::Limiter;
pub use self::redact::{is_secret_name, scrub};
use crate::config::ConfigErrors;

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, where the logging agent reads.
    Stdout,
    /// Standard error, for commands whose standard output is data.
    Stderr,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people when the destination is a terminal, else JSON.
    Auto,
    /// Cloud Logging's structured JSON.
    Json,
    /// For people.
    Human,
}

/// What a main may choose about its logs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where lines go; standard output by default.
    pub destination: Destination,
    /// How they look; by the destination by default.
    pub format: Format,
    /// Levels such as `info,nightdesk_bus=debug`; the variable `NIGHTDESK_LOG` overrides it. `info` by default.
    pub level: String,
    /// Labels on each line, such as region or instance.
    pub labels: Vec<(String, String)>,
    /// The Google Cloud project, needed to link lines to traces.
    pub project: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            destination: Destination::Stdout,
            format: Format::Auto,
            level: "info".to_owned(),
            labels: Vec::new(),
            project: None,
        }
    }
}

impl Options {
    /// For commands whose standard output is data.
    #[must_use]
    pub fn to_stderr() -> Self {
        Self { destination: Destination::Stderr, ..Self::default() }
    }

    /// Whether lines are for people.
    fn is_human(&self) -> bool {
        match self.format {
            Format::Human => true,
            Format::Json => false,
            Format::Auto => match self.destination {
                Destination::Stdout => std::io::stdout().is_terminal(),
                Destination::Stderr => std::io::stderr().is_terminal(),
            },
        }
    }
}

/// The installed layer, for changing levels and for telling whether lines are for people.
static INSTALLED: OnceLock<LogLayer> = OnceLock::new();

/// Installs the logs of this process, and a panic hook that logs instead of printing. A second call changes nothing.
pub fn install(name: &'static str, options: &Options) {
    let layer = LogLayer::new(name, crate::life::version(), options, options.is_human());
    let asked = std::env::var("NIGHTDESK_LOG").ok();
    let wrong = layer.set_levels(asked.as_deref().unwrap_or(&options.level)).err();
    if INSTALLED.set(layer.clone()).is_err() {
        return;
    }
    let subscriber = tracing_subscriber::registry().with(layer);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        return;
    }
    if let Some(wrong) = wrong {
        warn!("log levels {wrong}; using info. Write them as `info,nightdesk_bus=debug`");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let said = crate::life::panic_text(panic.payload());
        error!(panic.place = %place, "panic at {place}: {said}; this is a defect, please report it");
    }));
}

/// Changes the levels of the installed logs, as the config says, unless `NIGHTDESK_LOG` overrides it.
///
/// # Errors
/// When the text is not a list of levels.
pub fn set_levels(levels: &str) -> Result<(), String> {
    match INSTALLED.get() {
        Some(layer) if std::env::var_os("NIGHTDESK_LOG").is_none() => layer.set_levels(levels),
        _ => layer::parse_levels(levels).map(drop),
    }
}

/// Errors and warnings logged so far by this process; none before [`install`].
#[must_use]
pub fn counts() -> Option<(u64, u64)> {
    INSTALLED.get().map(LogLayer::counts)
}

/// Reports config mistakes: to people as a page on standard error, to machines as one line each.
pub fn report_config_errors(errors: &ConfigErrors) {
    if INSTALLED.get().is_none_or(LogLayer::is_human) {
        crate::output::to_stderr(&errors.render(std::io::stderr().is_terminal()));
        return;
    }
    for problem in errors.problems() {
        error!(
            exit_code = 78,
            config.file = errors.file(),
            config.line = problem.line,
            config.column = problem.column,
            config.path = %problem.path,
            hint = problem.hint.as_deref().unwrap_or_default(),
            "{}:{}:{}: {}",
            errors.file(), problem.line, problem.column, problem.message
        );
    }
}

#[cfg(test)]
mod tests;
