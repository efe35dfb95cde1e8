//! The tracing layer: levels, limits, fields of spans, one line per event.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use nightdesk_units::Timestamp;
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::collect::Fields;
use super::limit::Limiter;
use super::{Destination, Options, human, json};

/// What each line says about the process.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) service: &'static str,
    pub(super) version: &'static str,
    pub(super) labels: Vec<(String, String)>,
    pub(super) project: Option<String>,
}

/// One event, ready to be written.
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) meta: &'a Metadata<'static>,
    pub(super) fields: Fields,
}

/// Writes each event as one line.
#[derive(Clone)]
pub struct LogLayer {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    human: bool,
    colour: bool,
    levels: RwLock<Targets>,
    limiter: Limiter,
    out: Box<dyn Fn(&str) + Send + Sync>,
    counts: [AtomicU64; 2],
}

impl LogLayer {
    /// Writes to the options' destination.
    #[must_use]
    pub fn new(service: &'static str, version: &'static str, options: &Options, human: bool) -> Self {
        let destination = options.destination;
        // A closed pipe or a full disk under the logs must not stop trading, so write errors are ignored.
        let out = move |line: &str| match destination {
            Destination::Stdout => drop(std::io::stdout().lock().write_all(line.as_bytes())),
            Destination::Stderr => drop(std::io::stderr().lock().write_all(line.as_bytes())),
        };
        let colour = human && crate::output::colour_wanted();
        Self::with_writer(service, version, options, (human, colour), Box::new(out))
    }

    pub(super) fn with_writer(
        service: &'static str,
        version: &'static str,
        options: &Options,
        (human, colour): (bool, bool),
        out: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        let origin = Origin { service, version, labels: options.labels.clone(), project: options.project.clone() };
        let levels = RwLock::new(Targets::new().with_default(LevelFilter::INFO));
        let limiter = Limiter::new(Duration::from_secs(60));
        Self { shared: Arc::new(Shared { origin, human, colour, levels, limiter, out, counts: Default::default() }) }
    }

    /// Whether lines are for people.
    #[must_use]
    pub fn is_human(&self) -> bool {
        self.shared.human
    }

    /// Errors and warnings written so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.counts[0].load(Ordering::Relaxed), self.shared.counts[1].load(Ordering::Relaxed))
    }

    /// Changes what is logged.
    ///
    /// # Errors
    /// When the text is not a list of levels.
    pub fn set_levels(&self, levels: &str) -> Result<(), String> {
        let parsed = parse_levels(levels)?;
        *self.shared.levels.write().unwrap_or_else(PoisonError::into_inner) = parsed;
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    fn wants(&self, meta: &Metadata<'_>) -> bool {
        let levels = self.shared.levels.read().unwrap_or_else(PoisonError::into_inner);
        // Spans carry the context of the events inside, so they are kept whenever any such event could be.
        if meta.is_span() { *meta.level() <= Level::INFO } else { levels.would_enable(meta.target(), meta.level()) }
    }

    fn write(&self, line: &Line<'_>) {
        match *line.meta.level() {
            Level::ERROR => self.shared.counts[0].fetch_add(1, Ordering::Relaxed),
            Level::WARN => self.shared.counts[1].fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let text = if self.shared.human {
            human::line(line, self.shared.colour)
        } else {
            json::line(line, &self.shared.origin)
        };
        (self.shared.out)(&text);
    }
}

/// Reads `info,nightdesk_bus=debug`.
///
/// # Errors
/// When a part is neither a level nor a target with a level.
pub(super) fn parse_levels(levels: &str) -> Result<Targets, String> {
    for part in levels.split(',').map(str::trim) {
        let level = part.split_once('=').map_or(part, |(_, level)| level);
        // Without this check a misspelt level would be taken for a target of which everything is wanted.
        if level.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "`{levels}` cannot be read: `{level}` is not one of off, error, warn, info, debug, trace"
            ));
        }
    }
    levels.parse().map_err(|e| format!("`{levels}` cannot be read: {e}"))
}

/// Now, as the machine's clock says.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.wants(meta) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, meta: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(meta)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        if let Some(kind) = fields.take("once_per_minute") {
            let kind = format!("{} {}", meta.target(), kind.as_str().unwrap_or_default());
            match self.shared.limiter.pass(&kind, Instant::now()) {
                None => return,
                Some(0) => {}
                Some(held_back) => fields.list.push(("suppressed", Value::from(held_back))),
            }
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        self.write(&Line { at: now(), meta, fields });
    }
}
