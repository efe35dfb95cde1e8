//! What the services log, on standard error, for somebody who looks at one seed.

use std::fmt::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

struct Printer;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl<S: Subscriber> Layer<S> for Printer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::DEBUG {
            let mut line = Line(format!("{:>14} {}", event.metadata().level(), event.metadata().target()));
            event.record(&mut line);
            eprintln!("{}", line.0);
        }
    }
}

/// Prints logs from now on.
pub(crate) fn print() {
    // A second call changes nothing, and need not.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Printer));
}
