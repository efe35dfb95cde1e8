//! How often this process asks the kernel to make something durable, as the kernel counts it.
//!
//! `perf stat` counts without slowing anything down, but needs the right to; where it has none, the trace of the section
//! "durable before sent" is what there is.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EVENTS: &str = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync";

/// A count under way, of every thread that this process has or will start.
pub(crate) struct Syncs(Option<Child>);

impl Syncs {
    /// Begins to count. To be called before the threads that are to be counted are started.
    pub(crate) fn start() -> Self {
        let pid = std::process::id().to_string();
        let mut command = Command::new("perf");
        command.args(["stat", "--field-separator", ",", "--event", EVENTS, "--pid", &pid]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok();
        // It says nothing when it has begun: its events show among its open files.
        let begun = |child: &Child| {
            let files = std::fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
            files
                .filter_map(|file| std::fs::read_link(file.path()).ok())
                .any(|to| to.to_string_lossy().contains("perf_event"))
        };
        let limit = Instant::now() + Duration::from_secs(2);
        let started = child.filter(|child| {
            while !begun(child) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
            begun(child)
        });
        Self(started)
    }

    /// Ends, and gives the count; `None` where nobody was allowed to count.
    pub(crate) fn stop(self) -> Option<u64> {
        let mut child = self.0?;
        // perf prints its counts when it is interrupted.
        let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().ok()?;
        let mut text = String::new();
        child.stderr.take()?.read_to_string(&mut text).ok()?;
        child.wait().ok()?;
        told.success().then(|| total(&text)).flatten()
    }
}

/// The sum of all counters in what perf printed.
fn total(text: &str) -> Option<u64> {
    let counters = text.lines().filter(|line| line.contains("sys_enter_"));
    let counts: Vec<u64> = counters.filter_map(|line| line.split(',').next()?.trim().parse().ok()).collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up() {
        let text = "17,,syscalls:sys_enter_fdatasync,1,100.00,,\n3,,syscalls:sys_enter_fsync,1,100.00,,\n";
        assert_eq!(total(text), Some(20));
        assert_eq!(total("<not supported>,,syscalls:sys_enter_fsync,0,100.00,,\n"), None);
        assert_eq!(total("event syntax error"), None);
    }
}
