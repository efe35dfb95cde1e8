//! What `/ready` and `/metrics` say about trading: whether new risk is taken, and how fresh what it depends on is.

use std::collections::BTreeMap;
use std::time::Duration;

use nightdesk_core_engine::{Event, Reply, Request, Response, View, Watchdog};
use nightdesk_host::http::{Dependency, Health, State};
use nightdesk_host::{Failure, Host};
use nightdesk_platform::kpi;
use nightdesk_shell::EventSender;
use nightdesk_units::Symbol;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// What core-engine says about the whole.
const TRADING: &str = "trading";

/// Looks at core-engine once a second as long as the process lives.
pub fn watch(host: &Host, core: EventSender<Event>, symbols: Vec<Symbol>) {
    let health = host.health().clone();
    host.job("trading readiness", async move {
        let mut told = Told::new(health, symbols);
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let (reply, answer) = Reply::channel();
            if core.try_send(Event::Request(Request::View, reply)).is_err() {
                told.unknown("core-engine takes no questions");
                continue;
            }
            match tokio::time::timeout(EVERY, answer.recv()).await {
                Ok(Ok(Response::View(view))) => told.view(&view),
                Ok(_) => return Ok::<(), Failure>(()),
                Err(_) => told.unknown("core-engine does not answer"),
            }
        }
    });
}

/// What was told last.
struct Told {
    health: Health,
    symbols: Vec<Symbol>,
    dependencies: BTreeMap<String, Dependency>,
}

impl Told {
    fn new(health: Health, symbols: Vec<Symbol>) -> Self {
        let mut told = Self { health, symbols, dependencies: BTreeMap::new() };
        told.tell(TRADING.to_owned(), State::Down("not looked at yet".to_owned()));
        told
    }

    fn tell(&mut self, name: String, state: State) {
        let health = &self.health;
        self.dependencies.entry(name).or_insert_with_key(|name| health.dependency(name.clone())).set(state);
    }

    fn view(&mut self, view: &View) {
        self.tell(TRADING.to_owned(), trading(view));
        for watchdog in &view.watchdogs {
            measure(watchdog);
            let state = watchdog.check().map_or_else(State::Down, |()| State::Up);
            self.tell(name(watchdog), state);
        }
        for symbol in &self.symbols {
            let held_back = view.held_back.iter().any(|(known, _)| known == symbol);
            kpi::NEW_RISK_TAKEN.gauge(&[symbol.as_str()]).set(if held_back { 0.0 } else { 1.0 });
        }
    }

    /// The last word is no longer true, and an age that stands still would look like a young one.
    fn unknown(&mut self, why: &str) {
        let names: Vec<String> = self.dependencies.keys().cloned().collect();
        names.into_iter().for_each(|name| self.tell(name, State::Down(why.to_owned())));
        for symbol in &self.symbols {
            kpi::NEW_RISK_TAKEN.gauge(&[symbol.as_str()]).set(f64::NAN);
        }
    }
}

fn trading(view: &View) -> State {
    let reasons: Vec<String> = view.held_back.iter().map(|(symbol, reason)| format!("{symbol}: {reason}")).collect();
    match (reasons.is_empty(), view.mode.permits(true)) {
        (true, _) => State::Up,
        // A halt is a decision, not a failure: the service is ready to serve.
        (false, false) => State::UpBut(reasons.join("; ")),
        (false, true) => State::Down(reasons.join("; ")),
    }
}

fn name(watchdog: &Watchdog) -> String {
    let source = watchdog.source.as_str().replace('_', " ");
    watchdog.symbol.map_or_else(|| source.clone(), |symbol| format!("{source} {symbol}"))
}

#[allow(clippy::cast_precision_loss, reason = "an age in seconds, for a graph")]
fn measure(watchdog: &Watchdog) {
    let labels = [watchdog.source.as_str(), watchdog.symbol.as_ref().map_or("", Symbol::as_str)];
    let age = watchdog.age.map_or(f64::NAN, |age| age.0.max(0) as f64 / 1e6);
    kpi::WATCHDOG_AGE.gauge(&labels).set(age);
    kpi::WATCHDOG_LIMIT.gauge(&labels).set(watchdog.limit.0 as f64 / 1e6);
    kpi::WATCHDOG_STALE.gauge(&labels).set(if watchdog.is_stale() { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use nightdesk_core_engine::Source;
    use nightdesk_units::Micros;

    use super::*;

    #[test]
    fn each_watchdog_has_a_name_and_a_state() {
        let symbol: Option<Symbol> = Some("BTCUSDT".parse().unwrap());
        let limit = Micros::from_secs(30);
        let told = |source, symbol, age| {
            let watchdog = Watchdog { source, symbol, age, limit };
            format!("{}: {:?}", name(&watchdog), watchdog.check())
        };
        let second = Micros::from_secs;
        let all = [
            told(Source::MarketData, symbol, Some(second(30))),
            told(Source::MarketData, symbol, Some(second(31))),
            told(Source::UserStream, None, None),
            told(Source::Reconciliation, None, None),
            told(Source::Reconciliation, None, Some(second(99))),
            told(Source::Outbox, None, Some(second(0))),
            told(Source::Outbox, None, Some(second(40))),
        ];
        expect_test::expect![[r#"
            market data BTCUSDT: Ok(())
            market data BTCUSDT: Err("market data of BTCUSDT is 31000 ms old")
            user stream: Err("account stream is down")
            reconciliation: Err("not reconciled with the exchange yet")
            reconciliation: Err("last reconciled 99000 ms ago")
            outbox: Ok(())
            outbox: Err("a message has waited for 40000 ms")"#]]
        .assert_eq(&all.join("\n"));
    }
}
