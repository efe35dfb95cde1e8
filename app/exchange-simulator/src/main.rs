//! The paper exchange: Binance Spot's REST and WebSocket protocol over a matching engine of our own.

mod cli;

use std::process::ExitCode;

use nightdesk_exchange_simulator::ExchangeSimulator;
use nightdesk_host::{Failure, Options, Status, Threads, run};
use tracing::info;

fn main() -> ExitCode {
    let config = match cli::read() {
        Ok(config) => config,
        Err(code) => return code,
    };
    // The engine has a thread of its own; one more speaks HTTP.
    let options = Options { threads: Threads::Current, ..Options::default() };
    run("exchange-simulator", options, async move |host| {
        let exchange = ExchangeSimulator::start(config).await.map_err(|e| Failure::new(Status::BadConfig, e))?;
        info!("REST and streams on http://{0} and ws://{0}", exchange.address());
        let control = exchange.control_address().map_or_else(|| "nowhere".to_owned(), |a| format!("http://{a}"));
        info!("faults, state and record on {control}");
        let (running, stopping) = (exchange.clone(), exchange);
        host.register("exchange", async move { running.ended().await }, async move || stopping.stop().await);
        Ok(())
    })
}
