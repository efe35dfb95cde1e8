//! Families and their series, behind the facade's recorder.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use nightdesk_platform::kpi::{Alias, Kind, Kpi, LATENCY_SECONDS};
use tracing::warn;

/// Series a family may have. A label with more values than this is a defect: it would fill memory and the monitoring.
const SERIES_MAX: usize = 1_000;

/// Label names and values, sorted by name.
pub(super) type Labels = Vec<(String, String)>;

/// A name and all its series.
pub(super) struct Family {
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) alias: Option<Alias>,
    pub(super) series: BTreeMap<Labels, Series>,
    refused: bool,
}

/// One value.
#[derive(Clone)]
pub(super) enum Series {
    Counter(Arc<AtomicU64>),
    /// A counter that is read elsewhere and may be fractional.
    Float(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

/// Observations in fixed buckets.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Cumulative counts, the last of them that of all observations, and their sum.
    pub(super) fn read(&self) -> (Vec<u64>, f64) {
        let mut total = 0;
        let cumulative = self.counts.iter().map(|count| {
            total += count.load(Ordering::Relaxed);
            total
        });
        (cumulative.collect(), f64::from_bits(self.sum.load(Ordering::Relaxed)))
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        let add = |sum: u64| Some((f64::from_bits(sum) + value).to_bits());
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// All families.
#[derive(Default)]
pub(super) struct Registry(Mutex<BTreeMap<String, Family>>);

impl Registry {
    pub(super) fn describe(&self, kpi: &Kpi) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(kpi.name.to_owned()).or_insert_with(|| Family::new(kpi.kind));
        kpi.help.clone_into(&mut family.help);
        family.kind = kpi.kind;
        family.alias = kpi.alias;
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&BTreeMap<String, Family>) -> R) -> R {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn counter(&self, key: &Key) -> Counter {
        match self.series(key, Kind::Counter) {
            Some(Series::Counter(value)) => Counter::from_arc(value),
            _ => Counter::noop(),
        }
    }

    pub(super) fn gauge(&self, key: &Key) -> Gauge {
        match self.series(key, Kind::Gauge) {
            Some(Series::Gauge(value)) => Gauge::from_arc(value),
            _ => Gauge::noop(),
        }
    }

    /// Sets a value whatever its family's kind is: the kernel's counters are read, not counted.
    pub(super) fn set(&self, key: &Key, value: f64) {
        let kind = self.read(|families| families.get(key.name()).map_or(Kind::Gauge, |family| family.kind));
        match self.series(key, kind) {
            Some(Series::Gauge(slot) | Series::Float(slot)) => slot.store(value.to_bits(), Ordering::Relaxed),
            Some(Series::Counter(_)) => self.make_float(key, value),
            _ => {}
        }
    }

    fn make_float(&self, key: &Key, value: f64) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get_mut(key.name()) {
            family.series.insert(labels_of(key), Series::Float(Arc::new(AtomicU64::new(value.to_bits()))));
        }
    }

    /// The gauge, set to NaN if it is new.
    pub(super) fn gauge_or_unknown(&self, key: &Key) {
        if let Some(Series::Gauge(value)) = self.series(key, Kind::Gauge) {
            // Zero is only the value of a gauge that nobody has set: a set zero is set again soon.
            let unknown = f64::NAN.to_bits();
            let _ = value.compare_exchange(0, unknown, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(super) fn histogram(&self, key: &Key) -> metrics::Histogram {
        match self.series(key, Kind::Histogram(LATENCY_SECONDS)) {
            Some(Series::Histogram(value)) => metrics::Histogram::from_arc(value),
            _ => metrics::Histogram::noop(),
        }
    }

    /// The series of a key, made if it is new; none when the family is of another kind or full.
    fn series(&self, key: &Key, kind: Kind) -> Option<Series> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !families.contains_key(key.name()) {
            families.insert(key.name().to_owned(), Family::new(kind));
        }
        let family = families.get_mut(key.name())?;
        let labels = labels_of(key);
        if let Some(series) = family.series.get(&labels) {
            return same_kind(series, kind).then(|| series.clone());
        }
        let fits = std::mem::discriminant(&family.kind) == std::mem::discriminant(&kind);
        if !fits || family.series.len() >= SERIES_MAX {
            if !std::mem::replace(&mut family.refused, true) {
                let name = key.name();
                warn!(
                    metric = name,
                    "metric {name} refused a series: used as another kind, or over {SERIES_MAX} series"
                );
            }
            return None;
        }
        let series = match family.kind {
            Kind::Counter => Series::Counter(Arc::default()),
            Kind::Gauge => Series::Gauge(Arc::default()),
            Kind::Histogram(bounds) => Series::Histogram(Arc::new(Buckets::new(bounds))),
        };
        family.series.insert(labels, series.clone());
        Some(series)
    }
}

fn labels_of(key: &Key) -> Labels {
    let mut labels: Labels = key.labels().map(|l| (l.key().to_owned(), l.value().to_owned())).collect();
    labels.sort();
    labels
}

const fn same_kind(series: &Series, kind: Kind) -> bool {
    matches!(
        (series, kind),
        (Series::Counter(_) | Series::Float(_), Kind::Counter)
            | (Series::Gauge(_), Kind::Gauge)
            | (Series::Histogram(_), Kind::Histogram(_))
    )
}

impl Family {
    const fn new(kind: Kind) -> Self {
        Self { help: String::new(), kind, alias: None, series: BTreeMap::new(), refused: false }
    }
}

/// The registry as the facade's recorder.
pub(super) struct Handle(pub(super) Arc<Registry>);

impl Handle {
    fn describe(&self, name: &KeyName, kind: Kind, help: &SharedString) {
        let mut families = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name.as_str().to_owned()).or_insert_with(|| Family::new(kind));
        family.help = help.to_string();
    }
}

impl Recorder for Handle {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Counter, &help);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Gauge, &help);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&key, Kind::Histogram(LATENCY_SECONDS), &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.0.counter(key)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.0.gauge(key)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        self.0.histogram(key)
    }
}
