//! The services: started on the wiring that trades, crashed, restarted, and polled.

use std::any::Any;
use std::sync::Arc;

use futures_util::future::FutureExt;
use nightdesk_assembly::{Seat, Shared};
use nightdesk_bus::BusError;
use nightdesk_core_engine::Event;
use nightdesk_env::{Env, NoActivity, SeededEntropy};
use nightdesk_exchange::Exchange;
use nightdesk_exchange_connector::Gauges;
use nightdesk_platform::EmergencyJournal;
use nightdesk_shell::{Service, ShellError, Stopper};
use nightdesk_store::Store;
use nightdesk_strategies::StrategyParams;
use nightdesk_strategy_worker::StrategyWorker;
use nightdesk_units::Micros;

use crate::bus::SimBus;
use crate::chance::Chance;
use crate::emergency::SimEmergency;
use crate::exchange::{SimEvents, SimExchange};
use crate::executor::{Executor, Running};
use crate::fuzzer::Fuzzer;
use crate::life::{CAPITAL, CONNECTOR, CORE, FIRST_WORKER, Life, Who, name_of};
use crate::matrix::Scripted;
use crate::setup::Setup;
use crate::store::SimStore;
use crate::world::{Call, Sim};

/// A service at work.
struct Tenant {
    task: usize,
    stopper: Stopper,
    stopping: bool,
    /// A service whose last ear is gone waits for its end.
    _api: Box<dyn Any>,
}

/// The services and what runs them.
pub(crate) struct House {
    sim: Sim,
    pub(crate) setup: Setup,
    executor: Executor,
    tenants: Vec<Option<Tenant>>,
    epoch: u64,
    /// A service that has ended in good order does not come back by itself any more.
    pub(crate) closing: bool,
    chance: Chance,
    fuzz: Chance,
}

impl House {
    pub(crate) fn new(sim: Sim, setup: Setup, root: &Chance) -> Self {
        let tenants = (0..FIRST_WORKER + setup.trading.workers.len()).map(|_| None).collect();
        let (chance, fuzz) = (root.child("house"), root.child("fuzzer"));
        Self { sim, setup, executor: Executor::default(), tenants, epoch: 1, closing: false, chance, fuzz }
    }

    /// Does what the world has asked for.
    pub(crate) fn serve(&mut self) {
        loop {
            let calls = std::mem::take(&mut self.sim.lock().calls);
            if calls.is_empty() {
                return;
            }
            for call in calls {
                match call {
                    Call::Bury(who) => {
                        if let Some(tenant) = self.tenants[who].take() {
                            self.executor.bury(tenant.task);
                        }
                    }
                    Call::Start(who) => self.start(who),
                    Call::Stop(who) => {
                        if let Some(tenant) = &mut self.tenants[who] {
                            tenant.stopping = true;
                            tenant.stopper.stop();
                        }
                    }
                }
            }
        }
    }

    /// Lets one task go on; false when none can.
    pub(crate) fn step(&mut self) -> bool {
        let chosen = {
            let world = self.sim.lock();
            let frozen: Vec<usize> =
                world.frozen.keys().filter_map(|who| Some(self.tenants[*who].as_ref()?.task)).collect();
            self.executor.pick(&world.chance.order, |task| frozen.contains(&task))
        };
        let Some(task) = chosen else { return false };
        let who = self.tenants.iter().position(|tenant| tenant.as_ref().is_some_and(|tenant| tenant.task == task));
        self.sim.lock().note("poll", who.unwrap_or(99) as u64, String::new);
        let ended = self.executor.poll(task);
        if who == Some(CORE) {
            self.sim.lock().read_answers();
        }
        if let (Some(result), Some(who)) = (ended, who) {
            self.ended(who, &result);
        }
        true
    }

    pub(crate) const fn polls(&self) -> u64 {
        self.executor.polls
    }

    /// A shell has returned.
    fn ended(&mut self, who: Who, result: &Result<(), ShellError>) {
        let asked = self.tenants[who].take().is_some_and(|tenant| tenant.stopping);
        let mut world = self.sim.lock();
        let died_first = world.lives[who].is_none();
        world.end_life(who);
        match result {
            _ if died_first => return,
            // A process whose disk is away ends, and is started again by whoever watches over it.
            Err(ShellError::Store { .. }) if world.stores[who].trouble.is_some() => {}
            Err(error) => {
                let cause = std::error::Error::source(error).map_or_else(String::new, ToString::to_string);
                world.violate(format!("{} ended: {error}: {cause}", name_of(who)));
            }
            Ok(()) if !asked => world.violate(format!("{} ended without being asked", name_of(who))),
            Ok(()) => {}
        }
        let all_gone = world.lives.iter().all(Option::is_none);
        if all_gone && world.one_process {
            world.bus.vanish();
        }
        if !self.closing {
            let down = self.chance.millis(5, 4_000);
            world.start_later(vec![who], down);
        }
    }

    fn start(&mut self, who: Who) {
        if self.closing || self.tenants[who].is_some() {
            return;
        }
        if who == CORE && self.chance.hits(150) {
            // Whoever may act is told by its epoch; a later start may bring a later one.
            self.epoch += 1;
        }
        let life = Life::new(who);
        self.sim.lock().note("start", who as u64, || name_of(who));
        self.sim.lock().lives[who] = Some(Arc::clone(&life));
        if let Err(error) = self.seat(&life) {
            let text = format!("{} cannot start: {error}", name_of(who));
            self.sim.lock().violate(text);
        }
    }

    fn seat(&mut self, life: &Arc<Life>) -> Result<(), BusError> {
        let sim = &self.sim;
        let store: Arc<dyn Store> = Arc::new(SimStore { sim: sim.clone(), life: Arc::clone(life) });
        let clock = sim.lock().clock.clone();
        let entropy = Arc::new(SeededEntropy::new(self.chance.bits()));
        let emergency: Arc<dyn EmergencyJournal> = Arc::new(SimEmergency { sim: sim.clone(), life: Arc::clone(life) });
        let shared = Shared {
            env: Env { clock: Arc::new(clock), entropy, activity: Arc::new(NoActivity) },
            bus: Arc::new(SimBus { sim: sim.clone(), life: Arc::clone(life) }),
            emergency: Arc::clone(&emergency),
        };
        let trading = &self.setup.trading;
        match life.who {
            CORE => {
                let mut config = trading.core.clone();
                config.epoch = self.epoch;
                let seat = shared.core(config, store)?;
                let pending = emergency.pending().unwrap_or_default();
                if !pending.is_empty() {
                    let _ = seat.api.try_send(Event::Emergencies(pending));
                }
                sim.lock().operator.core = Some(seat.api.clone());
                self.take_in(life.who, seat);
            }
            CAPITAL => {
                let seat = shared.capital(trading.capital(), store)?;
                self.take_in(life.who, seat);
            }
            CONNECTOR => {
                let events = Box::new(SimEvents::connect(sim, life));
                let exchange: Arc<dyn Exchange> = Arc::new(SimExchange { sim: sim.clone(), life: Arc::clone(life) });
                let config = trading.connector.clone();
                let seat = shared.connector(config, Arc::new(Gauges::default()), store, exchange, events)?;
                self.take_in(life.who, seat);
            }
            worker => {
                let seat = shared.worker(self.worker(worker - FIRST_WORKER), store)?;
                self.take_in(life.who, seat);
            }
        }
        Ok(())
    }

    fn worker(&self, index: usize) -> StrategyWorker {
        let config = self.setup.trading.workers[index].clone();
        match &config.params {
            StrategyParams::MaCrossover(params) if let Some(wish) = self.setup.wish => {
                let scripted = Scripted::new(wish, params);
                StrategyWorker::with_strategy(config, Box::new(scripted))
            }
            StrategyParams::MaCrossover(params) if self.setup.fuzzers.contains(&index) => {
                // The same decisions after every start.
                let chance = self.fuzz.child(&index.to_string());
                let pace = Micros::from_secs(11 + 4 * i64::try_from(index).unwrap_or(0));
                let fuzzer = Fuzzer::new(params, chance, pace);
                StrategyWorker::with_strategy(config, Box::new(fuzzer))
            }
            _ => StrategyWorker::new(config),
        }
    }

    fn take_in<S: Service + Send + 'static>(&mut self, who: Who, seat: Seat<S>) {
        let running: Running = nightdesk_shell::run(seat.service, seat.ports).boxed();
        let task = self.executor.spawn(running);
        self.tenants[who] = Some(Tenant { task, stopper: seat.stopper, stopping: false, _api: Box::new(seat.api) });
    }
}
