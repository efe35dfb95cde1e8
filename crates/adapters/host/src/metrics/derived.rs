//! Error rates, from the error counters: errors of each service a second, over the last minute.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nightdesk_platform::kpi;

use super::Metrics;
use super::recorder::Series;

const WINDOW: Duration = Duration::from_secs(60);
/// Scrapes closer than this share a sample, so that many readers do not fill the memory.
const SPACING: Duration = Duration::from_secs(1);

type Totals = BTreeMap<String, u64>;

/// Samples of the error counters, oldest first, reaching back one window.
#[derive(Default)]
pub(super) struct ErrorRates(VecDeque<(Instant, Totals)>);

impl ErrorRates {
    /// Takes the counters' state at `now`; gives each service's rate.
    #[expect(clippy::cast_precision_loss, reason = "counts of errors are far below 2^53")]
    pub(super) fn sample(&mut self, now: Instant, totals: Totals) -> BTreeMap<String, f64> {
        // One sample older than the window stays, as the window's beginning.
        while self.0.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.0.pop_front();
        }
        let empty = Totals::new();
        let (since, before) = self.0.front().map_or((now, &empty), |(at, totals)| (*at, totals));
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let rate = |service: &String, total: &u64| {
            let errors = total.saturating_sub(before.get(service).copied().unwrap_or(0));
            if seconds > 0.0 { errors as f64 / seconds } else { 0.0 }
        };
        let rates = totals.iter().map(|(service, total)| (service.clone(), rate(service, total))).collect();
        if self.0.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SPACING) {
            self.0.push_back((now, totals));
        }
        rates
    }
}

pub(super) fn add_to(metrics: &Metrics) {
    let rates = Mutex::new(ErrorRates::default());
    rates.lock().unwrap_or_else(PoisonError::into_inner).sample(Instant::now(), Totals::new());
    metrics.before_scrape(move |metrics| {
        let totals = error_totals(metrics);
        let now = rates.lock().unwrap_or_else(PoisonError::into_inner).sample(Instant::now(), totals);
        for (service, rate) in now {
            metrics.set(&kpi::ERROR_RATE, &[&service], rate);
        }
    });
}

/// Errors of each service so far; a service that is watched and has none yet counts zero.
fn error_totals(metrics: &Metrics) -> Totals {
    metrics.registry.read(|families| {
        let mut totals = Totals::new();
        for (family, counts) in [(kpi::SERVICE_UP.name, false), (kpi::ERRORS.name, true)] {
            for (labels, series) in families.get(family).into_iter().flat_map(|family| &family.series) {
                let Some((_, service)) = labels.iter().find(|(name, _)| name == "service") else { continue };
                let total = totals.entry(service.clone()).or_default();
                if let (true, Series::Counter(value)) = (counts, series) {
                    *total += value.load(Ordering::Relaxed);
                }
            }
        }
        totals
    })
}
