//! What the kernel says about this process, under the names every Prometheus client uses.

use std::time::{Instant, SystemTime};

use nightdesk_platform::kpi::{Kind, Kpi};

use super::Metrics;

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Kpi {
    Kpi { name, help, kind: Kind::Gauge, labels, alias: None }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Kpi {
    Kpi { name, help, kind: Kind::Counter, labels, alias: None }
}

const RESIDENT: Kpi = gauge("process_resident_memory_bytes", &[], "Resident memory size in bytes.");
const THREADS: Kpi = gauge("process_threads", &[], "Threads of the process.");
const OPEN_FILES: Kpi = gauge("process_open_fds", &[], "Open file descriptors.");
const CPU: Kpi = counter("process_cpu_seconds_total", &[], "Processor time used, user and system, in seconds.");
const STARTED: Kpi = gauge("process_start_time_seconds", &[], "Start of the process since the Unix epoch in seconds.");
const UPTIME: Kpi = gauge("nightdesk_uptime_seconds", &[], "Time since the process started.");
const BUILD: Kpi = gauge("nightdesk_build_info", &["service", "version"], "1, with what runs in its labels.");
const LOG_LINES: Kpi =
    counter("nightdesk_log_lines_total", &["severity"], "Log lines of this severity since the start.");

/// Clock ticks a second in `/proc`, fixed on Linux for user space.
const TICKS: f64 = 100.0;

#[expect(clippy::cast_precision_loss, reason = "no process has 2^53 of anything")]
pub(super) fn add_to(metrics: &Metrics, service: &'static str) {
    for kpi in [RESIDENT, THREADS, OPEN_FILES, STARTED, UPTIME, BUILD, CPU, LOG_LINES] {
        metrics.describe(&kpi);
    }
    let begun = Instant::now();
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    metrics.set(&STARTED, &[], since_epoch.as_secs_f64());
    metrics.set(&BUILD, &[service, crate::version()], 1.0);
    metrics.before_scrape(move |metrics| {
        metrics.set(&UPTIME, &[], begun.elapsed().as_secs_f64());
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok())
        };
        metrics.set(&RESIDENT, &[], field("VmRSS:").map_or(f64::NAN, |kib| kib * 1_024.0));
        metrics.set(&THREADS, &[], field("Threads:").unwrap_or(f64::NAN));
        let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
        // The directory that is being listed is open itself.
        metrics.set(&OPEN_FILES, &[], files.map_or(f64::NAN, |n| n.saturating_sub(1) as f64));
        metrics.set(&CPU, &[], cpu_seconds().unwrap_or(f64::NAN));
        if let Some((errors, warnings)) = crate::logs::counts() {
            metrics.set(&LOG_LINES, &["error"], errors as f64);
            metrics.set(&LOG_LINES, &["warning"], warnings as f64);
        }
    });
}

/// User and system time, fields 14 and 15 of `/proc/self/stat`.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the name, may hold spaces and ends with the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}
