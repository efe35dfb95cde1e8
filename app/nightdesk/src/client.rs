//! Commands that ask the running process, or act for it when there is none.

mod link;
mod offline;
mod pending;
mod show;

use std::path::Path;
use std::time::Duration;

use nightdesk_core_engine::api::{Mode, ModeChange, Order, Page, Position, Status, Strategy};
use nightdesk_host::{Failure, Status as Exit, output};
use nightdesk_platform_local::{DataDir, DataDirError};
use serde_json::{Value, json};

use self::link::Link;
use self::offline::Offline;
use crate::cli::{Ask, HaltArgs, ListArgs, StrategiesArgs, StrategyChange};
use crate::data;

pub(crate) use self::link::Core;
pub(crate) use self::pending::{clear_pending_halt, pending_halt};

/// Orders in one answer of the API.
const PAGE: usize = 500;
/// How long a reconciliation may take.
const RECONCILE_WITHIN: Duration = Duration::from_secs(30);
/// How long a halt waits for its answer, which takes two seconds at most when all is well.
const HALT_WITHIN: Duration = Duration::from_secs(10);
/// How long a process that has just begun may take to say where it listens.
const START_WITHIN: Duration = Duration::from_secs(10);

/// An answer, for machines and for people.
struct Told {
    json: Value,
    text: String,
}

impl Told {
    fn print(self, json: bool) -> Result<(), Failure> {
        if json {
            output::json(&self.json)?
        } else {
            output::to_stdout(&self.text)?
        }
        Ok(())
    }
}

/// How things stand.
pub(crate) fn status(ask: &Ask) -> Result<(), Failure> {
    let online = |link: Link| {
        let json = link.get("/v1/status")?;
        let status: Status = link::read(&json)?;
        let text = format!("{}{:<12}{}\n", show::status(&status), "process", link.about());
        Ok(Told { text, json })
    };
    let waiting = pending_halt(&data::data_dir(ask.data_dir.as_deref())?)?;
    answer(ask, online, |offline| offline.status(waiting.as_ref()))
}

/// Orders, newest first.
pub(crate) fn orders(args: &ListArgs) -> Result<(), Failure> {
    let offline = |offline: &Offline| {
        let page = offline.orders(args.limit.min(PAGE), args.status.clone())?;
        Ok(Told { text: show::orders(&page.items, page.next.is_some()), json: json!(page) })
    };
    answer(&args.ask, |link| list(&link, args), offline)
}

fn list(link: &Link, args: &ListArgs) -> Result<Told, Failure> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let limit = (args.limit - items.len().min(args.limit)).min(PAGE);
        let mut query = vec![("limit", limit.to_string())];
        query.extend(args.status.clone().map(|status| ("status", status)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Page<Order> = link::read(&link.get_with("/v1/orders", &query)?)?;
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || items.len() >= args.limit {
            break;
        }
    }
    Ok(Told { text: show::orders(&items, cursor.is_some()), json: json!({ "items": items, "next": cursor }) })
}

/// What is held.
pub(crate) fn positions(ask: &Ask) -> Result<(), Failure> {
    let told = |positions: &[Position]| Told { text: show::positions(positions), json: json!(positions) };
    let online = |link: Link| Ok(told(&link::read::<Vec<Position>>(&link.get("/v1/positions")?)?));
    answer(ask, online, |offline| Ok(told(&offline.positions()?)))
}

/// Asks the running process. Where there is none, tells the database's last word, and still fails as one who found
/// nobody.
fn answer(
    ask: &Ask,
    online: impl FnOnce(Link) -> Result<Told, Failure>,
    offline: impl FnOnce(&Offline) -> Result<Told, Failure>,
) -> Result<(), Failure> {
    let dir = data::data_dir(ask.data_dir.as_deref())?;
    match Link::find(&dir) {
        Ok(link) => online(link)?.print(ask.json),
        Err(nobody) if nobody.status() == Exit::Unavailable => {
            if let Some(database) = Offline::open(&dir)? {
                offline(&database)?.print(ask.json)?;
                return Err(Failure::new(nobody.status(), format!("{nobody}\nThis is the database's last word.")));
            }
            Err(nobody)
        }
        Err(failure) => Err(failure),
    }
}

/// Profit and loss, of the portfolio and of each strategy.
pub(crate) fn pnl(ask: &Ask) -> Result<(), Failure> {
    let status: Status = link::read(&link(ask)?.get("/v1/status")?)?;
    let strategies = status.strategies.iter().map(|known| (known.instance.to_string(), json!(known.figures)));
    let strategies: serde_json::Map<String, Value> = strategies.collect();
    let json = json!({ "currency": status.currency, "portfolio": status.portfolio, "strategies": strategies });
    Told { text: show::pnl(&status), json }.print(ask.json)
}

/// Strategy instances; starts or stops one.
pub(crate) fn strategies(args: &StrategiesArgs) -> Result<(), Failure> {
    let link = link(&args.ask)?;
    let (instance, action) = match &args.change {
        None => {
            let json = link.get("/v1/strategies")?;
            let strategies: Vec<Strategy> = link::read(&json)?;
            return Told { text: show::strategies(&strategies), json }.print(args.ask.json);
        }
        Some(StrategyChange::Start { instance }) => (instance, "start"),
        Some(StrategyChange::Stop { instance }) => (instance, "stop"),
    };
    let json = link.post(&format!("/v1/strategies/{}/{action}", link::escaped(instance)), None)?;
    let strategy: Strategy = link::read(&json)?;
    Told { text: show::strategies(&[strategy]), json }.print(args.ask.json)
}

/// Lifts the halt that is in force.
pub(crate) fn resume(ask: &Ask) -> Result<(), Failure> {
    let dir = data::data_dir(ask.data_dir.as_deref())?;
    match Link::find(&dir) {
        Ok(link) => lift(&link)?.print(ask.json),
        Err(failure) if failure.status() == Exit::Unavailable => withdraw(&dir, failure)?.print(ask.json),
        Err(failure) => Err(failure),
    }
}

fn lift(link: &Link) -> Result<Told, Failure> {
    let before: Mode = link::read(&link.get("/v1/mode")?)?;
    let json = link.post("/v1/mode/resume", Some(&json!({ "version": before.version })))?;
    let Mode { level, version, reason, by, .. } = before;
    let text = format!("resumed: {level} (version {version}, by {by}: {reason}) is lifted\n");
    Ok(Told { text, json })
}

/// Takes back a halt that waits for the next start.
fn withdraw(dir: &Path, nobody: Failure) -> Result<Told, Failure> {
    let Some(halt) = pending_halt(dir)? else { return Err(nobody) };
    clear_pending_halt(dir)?;
    let text = format!(
        "nothing runs on {}; the halt that waited for the next start ({}) is withdrawn\nA halt that was in force when \
         it stopped stays in force.\n",
        dir.display(),
        halt.reason
    );
    Ok(Told { text, json: json!({ "running": false, "withdrawn": halt }) })
}

/// Compares with the exchange now, and waits for the outcome.
pub(crate) fn reconcile(ask: &Ask) -> Result<(), Failure> {
    let link = link(ask)?;
    let before: Status = link::read(&link.get("/v1/status")?)?;
    link.post("/v1/reconcile", None)?;
    let found = link::until(RECONCILE_WITHIN, || {
        let json = link.get("/v1/status")?;
        let status: Status = link::read(&json)?;
        Ok((status.reconciled_at != before.reconciled_at).then_some((status, json)))
    })?;
    let Some((status, json)) = found else {
        let seconds = RECONCILE_WITHIN.as_secs();
        let text = format!("the exchange has not answered within {seconds} s; nightdesk goes on asking");
        return Err(Failure::new(Exit::TryAgain, text));
    };
    let json = json!({ "reconciled_at": json["reconciled_at"], "quarantine": json["quarantine"] });
    Told { text: show::reconciled(&status), json }.print(ask.json)
}

/// Takes no new risk from now on; when nothing runs, from the next start on.
pub(crate) fn halt(args: &HaltArgs) -> Result<(), Failure> {
    let dir = data::data_dir(args.ask.data_dir.as_deref())?;
    if args.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "--reason is empty: it is journaled and shown to whoever resumes"));
    }
    hold(&dir, &args.reason, START_WITHIN)?.print(args.ask.json)
}

fn hold(dir: &Path, reason: &str, start_within: Duration) -> Result<Told, Failure> {
    if !dir.is_dir() {
        // Whoever misspelt it must not believe that something was halted.
        let text = format!(
            "there is no data directory {}: nothing runs there and NOTHING WAS HALTED; name the right one with --data-dir",
            dir.display()
        );
        return Err(Failure::new(Exit::Unavailable, text));
    }
    match Link::find(dir) {
        Ok(link) => hold_running(&link, dir, reason),
        Err(failure) if failure.status() == Exit::Unavailable => hold_next(dir, reason, start_within),
        Err(failure) => {
            pending::write(dir, reason, &link::actor())?;
            let text = format!("{failure}; the next start is held, but what runs now, if anything, was not reached");
            Err(Failure::new(failure.status(), text))
        }
    }
}

fn hold_running(link: &Link, dir: &Path, reason: &str) -> Result<Told, Failure> {
    let body = json!({ "reason": reason });
    match link.post_within("/v1/mode/halt", Some(&body), HALT_WITHIN) {
        Ok(json) => {
            let change: ModeChange = link::read(&json)?;
            Ok(Told { text: show::halted(&change), json })
        }
        // It was heard, and refused.
        Err(failure) if failure.status() == Exit::No => Err(failure),
        Err(failure) => {
            pending::write(dir, reason, &link::actor())?;
            let (status, about) = (failure.status(), link.about());
            let text = format!(
                "{failure}\nIT MAY STILL TRADE: {about} did not confirm the halt. Its next start is held. If it does not \
                 answer again, end it: kill -9 {}",
                link.pid()
            );
            Err(Failure::new(status, text))
        }
    }
}

/// Nothing answers. Whoever has the directory's lock is the only one who may start there: with it in our hand, the next
/// start is sure to see the halt; without it, somebody is just starting or stopping.
fn hold_next(dir: &Path, reason: &str, start_within: Duration) -> Result<Told, Failure> {
    match DataDir::open(dir) {
        Ok(_lock) => {
            let halt = pending::write(dir, reason, &link::actor())?;
            let text = format!("nothing runs on {}; the next start is held: {}\n", dir.display(), halt.reason);
            Ok(Told { text, json: json!({ "running": false, "pending": halt }) })
        }
        Err(DataDirError::InUse { holder, .. }) => {
            let found = link::until(start_within, || Ok(Link::find(dir).ok()))?;
            if let Some(link) = found {
                return hold_running(&link, dir, reason);
            }
            pending::write(dir, reason, &link::actor())?;
            let text = format!(
                "{holder} uses {} but does not say where it listens: IT MAY STILL TRADE. Its next start is held",
                dir.display()
            );
            Err(Failure::new(Exit::Unavailable, text))
        }
        Err(error) => Err(Failure::from(error)),
    }
}

/// The process that runs on the data directory.
fn link(ask: &Ask) -> Result<Link, Failure> {
    Link::find(&data::data_dir(ask.data_dir.as_deref())?)
}

#[cfg(test)]
mod tests;
