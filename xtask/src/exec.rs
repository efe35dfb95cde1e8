//! Starts programs: always without stdin, so that nothing here can wait for a person.

use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The command line was wrong.
pub(crate) const USAGE: u8 = 64;
/// A program or package that the command needs is not there.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Something failed that should not have.
pub(crate) const FAULT: u8 = 70;
/// The answer is no: a test failed, a rule is broken.
pub(crate) const NO: u8 = 1;

/// An error that knows the exit code it deserves; all others exit with [`FAULT`].
#[derive(Debug)]
pub(crate) struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    /// The work was done and the answer is no.
    pub(crate) fn no(message: impl Into<String>) -> anyhow::Error {
        Self { code: NO, message: message.into() }.into()
    }

    /// Something is missing; `message` says how to get it.
    pub(crate) fn unavailable(message: impl Into<String>) -> anyhow::Error {
        Self { code: UNAVAILABLE, message: message.into() }.into()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failed {}

/// The exit code for `error`.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Failed>().map_or(FAULT, |failed| failed.code)
}

/// The cargo that runs us, so that one toolchain does everything.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` with our output.
///
/// # Errors
/// When it cannot be started, or ends with anything but 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", shown(command)))?;
    judge(command, status)
}

/// Runs `command` and gives up after `limit`.
///
/// # Errors
/// When it cannot be started, ends with anything but 0, or is not ready in time.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    announce(command);
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
    match wait_until(&mut child, Instant::now() + limit)? {
        Some(status) => judge(command, status),
        None => Err(Failed::no(format!("{} gave no answer within {} s", shown(command), limit.as_secs()))),
    }
}

/// What `command` prints, or `None` when it fails or does not exist.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// When the standard output of a watched program is shown; its stderr always is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As it comes.
    Always,
    /// At the end, if the program failed: there is much of it and it says little.
    Failure,
}

/// Runs `command`, shows its output, and returns it with whether the command succeeded.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn watch(command: &mut Command, show: Show) -> Result<(bool, String)> {
    announce(command);
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let err = thread::spawn(move || err.map(|pipe| copy(pipe, std::io::stderr())).unwrap_or_default());
    let to: Box<dyn Write> = if show == Show::Always { Box::new(std::io::stdout()) } else { Box::new(std::io::sink()) };
    let out = out.map(|pipe| copy(pipe, to)).unwrap_or_default();
    let err = err.join().unwrap_or_default();
    let status = child.wait().with_context(|| format!("cannot wait for {}", shown(command)))?;
    if show == Show::Failure && !status.success() {
        print!("{out}");
    }
    Ok((status.success(), out + &err))
}

/// Copies line by line and keeps the lines. A line that cannot be shown is still kept: what it says may be counted.
fn copy(from: impl Read, mut to: impl Write) -> String {
    let mut lines = BufReader::new(from);
    let (mut text, mut line) = (String::new(), Vec::new());
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let _shown = to.write_all(&line).and_then(|()| to.flush());
        text.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    text
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn judge(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    // Cargo passes on the code of what it runs; its own 101, and a signal, are no codes of ours.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code < 100).unwrap_or(NO);
    Err(Failed { code, message: format!("{} failed ({status})", shown(command)) }.into())
}

fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_kind_of_failure() {
        assert_eq!(exit_code(&Failed::no("x")), 1);
        assert_eq!(exit_code(&Failed::unavailable("x")), 69);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 70);
        assert_eq!(exit_code(&Failed::unavailable("x").context("while looking")), 69);
    }

    #[test]
    fn watched_output_is_kept_from_both_pipes() {
        let (good, text) =
            watch(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), Show::Failure).unwrap();
        assert!(!good);
        assert_eq!(text, "out\nerr\n");
    }

    #[test]
    fn children_have_no_stdin() {
        assert_eq!(answer(Command::new("sh").args(["-c", "cat; echo end"])).as_deref(), Some("end\n"));
    }

    #[test]
    fn the_code_of_what_we_started_is_passed_on() {
        let code = |script: &str| exit_code(&run(Command::new("sh").args(["-c", script])).unwrap_err());
        assert_eq!((code("exit 78"), code("exit 101"), code("kill -9 $$")), (78, 1, 1));
    }

    #[test]
    fn what_does_not_answer_is_stopped() {
        let error = run_within(Command::new("sleep").arg("60"), Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "sleep 60 gave no answer within 0 s");
    }

    #[test]
    fn a_command_reads_as_it_is_typed() {
        assert_eq!(shown(Command::new("/usr/bin/git").args(["status", "--short"])), "git status --short");
    }
}
