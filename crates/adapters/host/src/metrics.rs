//! Metrics: a recorder behind the `metrics` facade, and the Prometheus text of `/metrics`.
//!
//! Our own and small: fixed buckets, a bound on the series of each family, HELP and TYPE for every KPI from the first
//! second. It opens no socket; the server hands the text out.

mod derived;
mod process;
mod recorder;
mod text;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nightdesk_platform::kpi::{self, Kind, Kpi};

use self::recorder::Registry;

/// What is done right before the metrics are read.
type BeforeScrape = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The metrics of a process; clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    before_scrape: Arc<Mutex<Vec<BeforeScrape>>>,
}

impl Metrics {
    /// A set of metrics of its own, with every KPI described and those without labels present.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self { registry: Arc::new(Registry::default()), before_scrape: Arc::default() };
        for kpi in kpi::ALL {
            metrics.registry.describe(kpi);
            if kpi.labels.is_empty() {
                metrics.preset(kpi, &[]);
            }
        }
        for signal in kpi::SIGNALS {
            metrics.registry.describe(signal);
        }
        metrics
    }

    /// Describes a measure that is not among the KPIs.
    pub fn describe(&self, kpi: &Kpi) {
        self.registry.describe(kpi);
    }

    /// Makes a series present before its first value: 0 for counters and histograms, NaN (not known yet) for gauges.
    pub fn preset(&self, kpi: &Kpi, values: &[&str]) {
        let key = kpi.key(values);
        match kpi.kind {
            Kind::Counter => drop(self.registry.counter(&key)),
            Kind::Histogram(_) => drop(self.registry.histogram(&key)),
            Kind::Gauge => self.registry.gauge_or_unknown(&key),
        }
    }

    /// Sets a gauge, or a counter that something else counts.
    pub fn set(&self, kpi: &Kpi, values: &[&str], value: f64) {
        self.registry.set(&kpi.key(values), value);
    }

    /// Runs `update` each time before the metrics are read.
    pub fn before_scrape(&self, update: impl Fn(&Self) + Send + Sync + 'static) {
        self.before_scrape.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(update));
    }

    /// The Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        for update in self.before_scrape.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            update(self);
        }
        self.registry.read(text::page)
    }

    /// The recorder, for tests that use the facade on one thread.
    #[must_use]
    pub fn recorder(&self) -> impl metrics::Recorder + 'static {
        recorder::Handle(Arc::clone(&self.registry))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Installs the recorder of this process and its process metrics; later calls give the same set.
pub fn install(name: &'static str) -> Metrics {
    static INSTALLED: OnceLock<Metrics> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let metrics = Metrics::new();
        process::add_to(&metrics, name);
        derived::add_to(&metrics);
        // Fails when the application has installed one of its own, which then records instead.
        let _ = metrics::set_global_recorder(metrics.recorder());
        metrics
    });
    installed.clone()
}

#[cfg(test)]
mod tests;
