//! What the figures were taken on.

use std::collections::BTreeMap;

/// What can be said of this machine, and how busy it is by others.
pub(crate) fn about() -> BTreeMap<&'static str, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    BTreeMap::from([
        ("processors", processors.to_string()),
        ("model", model.map_or("unknown", |(_, name)| name.trim()).to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("load average before", load()),
    ])
}

/// Processes that ran or waited to run, on average over the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
