//! What each service does once it holds its lease.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::FutureExt;
use nightdesk_assembly::Seat;
use nightdesk_bus_rabbitmq::BusState;
use nightdesk_core_engine::Event as CoreEvent;
use nightdesk_core_engine::api::{Api, Feed};
use nightdesk_exchange_connector::Gauges;
use nightdesk_host::{Failure, Host, Status};
use nightdesk_shell::{EventSender, Service, Shell};
use nightdesk_strategy_worker::StrategyWorker;

use super::{Ground, required};
use crate::leased::Leased;
use crate::outage::Outages;
use crate::{Kind, exchange, failure, meters, readiness, shells};

/// Starts the service that `kind` names.
pub(super) async fn begin(kind: Kind, ground: Ground) -> Result<(), Failure> {
    match kind {
        Kind::CoreEngine => core(ground).await,
        Kind::ExchangeConnector => connector(ground).await,
        Kind::CapitalManager => capital(ground).await,
        Kind::StrategyWorker => worker(ground).await,
    }
}

async fn core(ground: Ground) -> Result<(), Failure> {
    let mut config = ground.config.trading()?.core;
    config.epoch = ground.epoch;
    let feed = Feed::default();
    let store = feed.tap(Arc::clone(&ground.store));
    let core = start(&ground.host, ground.shared().core(config, store)?).await?;
    let records = ground.emergency.pending()?;
    if !records.is_empty() {
        core.send(CoreEvent::Emergencies(records)).await;
    }
    readiness::watch(&ground.host, core.clone(), ground.config.symbols()?);
    meters::queues(&ground.host, Arc::new(ground.bus.clone()));
    let api = Api::new(core, Arc::clone(&ground.store), Arc::clone(&ground.env.clock), feed);
    ground.api.open(api.router());
    Ok(())
}

async fn connector(ground: Ground) -> Result<(), Failure> {
    let config = ground.config.trading()?.connector;
    let Some(endpoints) = ground.config.endpoints() else {
        let text = "exchange.kind is simulator: a connector needs an exchange in another process, kind = \"external\"";
        return Err(Failure::new(Status::BadConfig, text));
    };
    let key = required(&ground.vault, &ground.config.exchange.secret, "the exchange's API key").await?;
    let (binance, events) = exchange::connect(&ground.config, endpoints, &key)?;
    let (until, clock) = (ground.until.clone(), Arc::clone(&ground.env.clock));
    let leased = Arc::new(Leased { exchange: binance, until, clock });
    let gauges = Arc::new(Gauges::default());
    let store = Arc::clone(&ground.store);
    let (bus, clock) = (ground.bus.clone(), Arc::clone(&ground.env.clock));
    let works = Box::new(move || bus.status() == BusState::Up);
    let events = Outages { events: Box::new(events), clock, works, up: false, since: None };
    let seat = ground.shared().connector(config, Arc::clone(&gauges), store, leased, Box::new(events))?;
    start(&ground.host, seat).await?;
    meters::exchange(&ground.host, Arc::clone(&gauges));
    let figures = move || {
        let market_messages = gauges.figures().market_messages;
        async move { Json(serde_json::json!({ "market_messages": market_messages })) }
    };
    ground.api.open(Router::new().route("/v1/figures", get(figures)));
    Ok(())
}

async fn capital(ground: Ground) -> Result<(), Failure> {
    let mut config = ground.config.trading()?.capital();
    config.epoch = ground.epoch;
    let seat = ground.shared().capital(config, Arc::clone(&ground.store))?;
    let capital = start(&ground.host, seat).await?;
    ground.api.open(nightdesk_capital_manager::api::router(capital));
    Ok(())
}

async fn worker(ground: Ground) -> Result<(), Failure> {
    let known = ground.config.trading()?.workers.into_iter().nth(ground.worker);
    let mut config = known.ok_or("the configuration has lost its strategy instance")?;
    config.epoch = ground.epoch;
    let instance = config.instance;
    meters::strategy(&ground.host, instance.as_str());
    let seat = ground.shared().worker(StrategyWorker::new(config), Arc::clone(&ground.store))?;
    let worker = start(&ground.host, seat).await?;
    ground.api.open(nightdesk_strategy_worker::api::router(vec![(instance, worker)]));
    Ok(())
}

/// Restores the service, lets it take its first turn, and keeps it going.
async fn start<S: Service + Send + 'static>(host: &Host, seat: Seat<S>) -> Result<EventSender<S::Event>, Failure> {
    let (name, status) = (seat.service.name().to_owned(), Arc::clone(&seat.ports.status));
    let shell = Shell::start(seat.service, seat.ports).await.map_err(failure::of_shell)?;
    shells::register(host, &name, shell.run().boxed(), status, seat.stopper);
    Ok(seat.api)
}
