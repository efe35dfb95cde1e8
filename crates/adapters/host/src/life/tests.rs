use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::*;
use crate::metrics::Metrics;

/// Runs a main to its end inside a test and gives what failed.
fn lives<F, Fut>(grace: Duration, main: F) -> Vec<String>
where
    F: FnOnce(Host) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    let options = Options { grace, ..Options::default() };
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let failures = runtime.block_on(live("test", &options, Metrics::new(), main));
    failures.iter().map(|failure| format!("{failure:?}")).collect()
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn tell(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn told(&self) -> String {
        self.0.lock().unwrap().join(", ")
    }
}

/// Registers a task that works until its drain tells it to end.
fn well_behaved(host: &Host, story: &Story, name: &'static str) {
    let (told, end) = (story.clone(), Arc::new(Notify::new()));
    let ended = Arc::clone(&end);
    let task = async move {
        ended.notified().await;
        told.tell(format!("{name} ended"));
        Ok::<(), Failure>(())
    };
    let told = story.clone();
    host.register(name, task, move || async move {
        told.tell(format!("{name} told"));
        end.notify_one();
        Ok::<(), Failure>(())
    });
}

#[test]
fn what_started_last_drains_first() {
    let story = Story::default();
    let failures = lives(Duration::from_secs(10), async |host| {
        well_behaved(&host, &story, "store");
        well_behaved(&host, &story, "engine");
        well_behaved(&host, &story, "http");
        host.stop("test");
        Ok(())
    });
    assert_eq!(failures, [""; 0]);
    assert_eq!(story.told(), "http told, http ended, engine told, engine ended, store told, store ended");
}

#[test]
fn a_step_that_hangs_is_named_and_does_not_starve_the_store() {
    let story = Story::default();
    let failures = lives(Duration::from_secs(10), async |host| {
        well_behaved(&host, &story, "store");
        let forever = std::future::pending::<Result<(), Failure>>();
        host.register("bus", forever, || async { Ok::<(), Failure>(()) });
        host.stop("test");
        Ok(())
    });
    assert_eq!(failures, ["drain bus: did not finish within the grace period (exit 70)"]);
    assert_eq!(story.told(), "store told, store ended");
}

#[test]
fn a_drain_that_fails_or_panics_is_named_and_the_rest_goes_on() {
    let story = Story::default();
    let failures = lives(Duration::from_secs(10), async |host| {
        well_behaved(&host, &story, "store");
        host.on_drain("verify", || async { Err(Failure::new(Status::No, "2 differences")) });
        host.on_drain("bad", || async {
            assert!(story_is_over(), "lost my way");
            Ok::<(), Failure>(())
        });
        host.stop("test");
        Ok(())
    });
    assert_eq!(failures, ["drain bad: panicked: lost my way (exit 70)", "drain verify: 2 differences (exit 1)"]);
    assert_eq!(story.told(), "store told, store ended");
}

fn story_is_over() -> bool {
    false
}

#[test]
fn a_task_that_fails_panics_or_ends_early_stops_the_process() {
    let fails = lives(Duration::from_secs(1), async |host| {
        host.register("bus", async { Err::<(), _>("broker gone") }, || async { Ok::<(), Failure>(()) });
        Ok(())
    });
    assert_eq!(fails, ["bus: broker gone (exit 70)"]);
    let panics = lives(Duration::from_secs(1), async |host| {
        let task = async {
            assert!(story_is_over(), "impossible");
            Ok::<(), Failure>(())
        };
        host.register("bus", task, || async { Ok::<(), Failure>(()) });
        Ok(())
    });
    assert_eq!(panics, ["bus: panicked: impossible (exit 70)"]);
    let ends = lives(Duration::from_secs(1), async |host| {
        host.register("bus", async { Ok::<(), Failure>(()) }, || async { Ok::<(), Failure>(()) });
        Ok(())
    });
    assert_eq!(ends, ["bus: bus ended, though nobody asked it to (exit 70)"]);
}

#[test]
fn a_job_may_end_and_may_ask_the_process_to_stop() {
    let failures = lives(Duration::from_secs(1), async |host| {
        host.job("quick", async { Ok::<(), Failure>(()) });
        host.job("endless", std::future::pending::<Result<(), Failure>>());
        let stopper = host.clone();
        host.job("replay", async move {
            stopper.stop("end of the replay");
            Ok::<(), Failure>(())
        });
        Ok(())
    });
    assert_eq!(failures, [""; 0]);
}

#[test]
fn a_failed_wiring_still_drains_what_had_started() {
    let story = Story::default();
    let failures = lives(Duration::from_secs(1), async |host| {
        well_behaved(&host, &story, "store");
        Err(Failure::new(Status::TryAgain, "address in use"))
    });
    assert_eq!(failures, ["address in use (exit 75)"]);
    assert_eq!(story.told(), "store told, store ended");
}

/// Not a test of its own: the process that the tests below start, by running this very test binary.
#[test]
fn child_process() {
    let Ok(plot) = std::env::var("NIGHTDESK_TEST_CHILD") else { return };
    let options =
        Options { logs: logs::Options { format: logs::Format::Json, ..Default::default() }, ..Options::default() };
    let code = run("child", options, async move |host| {
        match plot.as_str() {
            "lives" => host.on_drain("nothing", || async { Ok::<(), Failure>(()) }),
            "hangs" => host.on_drain("hang", std::future::pending::<Result<(), Failure>>),
            "slow-wiring" => {
                tracing::info!("wiring");
                std::future::pending::<()>().await;
            }
            _ => return Err("no such plot".into()),
        }
        Ok(())
    });
    let named = [Status::Good, Status::No, Status::Usage, Status::Unavailable, Status::Fault, Status::TryAgain];
    let status = named.into_iter().find(|status| ExitCode::from(*status) == code);
    std::process::exit(status.map_or(99, |status| i32::from(status.code())));
}

/// Starts the child and waits until it says `until`.
fn child(plot: &str, until: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::tests::child_process", "--nocapture"])
        .env("NIGHTDESK_TEST_CHILD", plot)
        .env_remove("NIGHTDESK_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut lines, until);
    (child, lines)
}

fn read_until(lines: &mut impl BufRead, until: &str) {
    let mut seen = String::new();
    while !seen.contains(until) {
        assert!(lines.read_line(&mut seen).unwrap() > 0, "ended before it said {until}: {seen}");
    }
}

fn send(signal: &str, child: &Child) {
    // The shell's own `kill`: a small Debian has no program of that name.
    let command = format!("kill {signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

#[test]
fn sigterm_and_sigint_end_a_process_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let (mut process, mut lines) = child("lives", "child runs");
        send(signal, &process);
        read_until(&mut lines, "child ended cleanly");
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_signal_while_wiring_ends_the_process_cleanly() {
    let (mut process, mut lines) = child("slow-wiring", "wiring");
    send("-TERM", &process);
    read_until(&mut lines, "child ended cleanly");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let (mut process, mut lines) = child("hangs", "child runs");
    send("-TERM", &process);
    read_until(&mut lines, "stopping");
    send("-TERM", &process);
    read_until(&mut lines, "ending at once");
    assert_eq!(process.wait().unwrap().code(), Some(70));
}
