//! What `/health` and `/ready` answer: heartbeats of event loops, states of dependencies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Whether a dependency can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It works.
    Up,
    /// It works, with a remark worth reading.
    UpBut(String),
    /// It does not, and why.
    Down(String),
}

type Check = Box<dyn Fn() -> State + Send + Sync>;

/// The health of a process; clones share it.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    started: Instant,
    stopping: AtomicBool,
    loops: Mutex<BTreeMap<String, Heartbeat>>,
    dependencies: Mutex<BTreeMap<String, Check>>,
}

impl Health {
    pub(crate) fn new() -> Self {
        let (loops, dependencies) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { started: Instant::now(), stopping: false.into(), loops, dependencies }) }
    }

    /// Watches a service's event loop: unhealthy when its last beat is older than `limit`.
    #[must_use]
    pub fn heartbeat(&self, service: impl Into<String>, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat { started: self.inner.started, beat_us: Arc::default(), limit };
        heartbeat.beat();
        self.inner.loops.lock().unwrap_or_else(PoisonError::into_inner).insert(service.into(), heartbeat.clone());
        heartbeat
    }

    /// Watches a dependency by asking `check`, which must answer at once.
    pub fn check(&self, name: impl Into<String>, check: impl Fn() -> State + Send + Sync + 'static) {
        let mut dependencies = self.inner.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        dependencies.insert(name.into(), Box::new(check));
    }

    /// Watches a dependency whose state is told through the handle; down, with "not tried yet", until then.
    #[must_use]
    pub fn dependency(&self, name: impl Into<String>) -> Dependency {
        let dependency = Dependency(Arc::new(Mutex::new(State::Down("not tried yet".to_owned()))));
        let told = dependency.clone();
        self.check(name, move || told.state());
        dependency
    }

    /// Whether the process was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stopping(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    /// Each watched service and whether its loop works.
    #[must_use]
    pub fn services(&self) -> Vec<(String, bool)> {
        let loops = self.inner.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.iter().map(|(name, heartbeat)| (name.clone(), heartbeat.is_alive())).collect()
    }

    /// Whether all event loops work, and the page that says so.
    #[must_use]
    pub fn live(&self) -> (bool, Value) {
        let loops = self.inner.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive = true;
        let mut services = Map::new();
        for (name, heartbeat) in loops.iter() {
            let (beats, age) = (heartbeat.is_alive(), heartbeat.age());
            alive &= beats;
            let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            let mut said = json!({ "status": if beats { "up" } else { "down" }, "heartbeat_age_ms": age_ms });
            if !beats {
                said["reason"] = format!("no heartbeat for {} s", age.as_secs()).into();
            }
            services.insert(name.clone(), said);
        }
        let status = if alive { "up" } else { "down" };
        let uptime_s = self.inner.started.elapsed().as_secs();
        let page = json!({
            "status": status, "version": crate::version(), "uptime_s": uptime_s, "services": services,
        });
        (alive, page)
    }

    /// Whether all dependencies can be used, and the page that says so.
    #[must_use]
    pub fn ready(&self) -> (bool, Value) {
        let dependencies = self.inner.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ready = !self.is_stopping();
        let mut pages = Map::new();
        for (name, check) in dependencies.iter() {
            let state = check();
            ready &= !matches!(state, State::Down(_));
            let page = match state {
                State::Up => json!({ "status": "up" }),
                State::UpBut(remark) => json!({ "status": "up", "remark": remark }),
                State::Down(reason) => json!({ "status": "down", "reason": reason }),
            };
            pages.insert(name.clone(), page);
        }
        let status = match (ready, self.is_stopping()) {
            (true, _) => "ready",
            (false, true) => "stopping",
            (false, false) => "not ready",
        };
        (ready, json!({ "status": status, "dependencies": pages }))
    }
}

/// The sign of life of an event loop; clones share it.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    started: Instant,
    beat_us: Arc<AtomicU64>,
    limit: Duration,
}

impl Heartbeat {
    /// The loop turns.
    pub fn beat(&self) {
        let us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.beat_us.store(us, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_micros(self.beat_us.load(Ordering::Relaxed)))
    }

    fn is_alive(&self) -> bool {
        self.age() <= self.limit
    }
}

/// Tells the state of a dependency; clones tell the same.
#[derive(Debug, Clone)]
pub struct Dependency(Arc<Mutex<State>>);

impl Dependency {
    /// Sets the state.
    pub fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn state(&self) -> State {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
