//! What is done to the system, and when. Each seed draws its own mix, so that now one thing goes wrong often, now another.

use nightdesk_exchange::Stream;
use nightdesk_market::Side;
use nightdesk_matching::{OrderRequest, RequestKind};
use nightdesk_store::StoreError;
use nightdesk_units::{Decimal, Lots, Micros, Qty, Timestamp};

use crate::bus::Only;
use crate::exchange::ACCOUNT;
use crate::life::{Armed, Point, Who, name_of};
use crate::world::{Call, World};

/// Everything that can go wrong here.
pub(crate) const NAMES: &[&str] = &[
    "crash of all",
    "crash of one",
    "restart of all",
    "restart of one",
    "freeze",
    "disk full",
    "disk gone",
    "slow disk",
    "bus down",
    "slow bus",
    "message lost",
    "confirm lost",
    "message confirmed and lost",
    "message repeated",
    "message overtakes",
    "message delayed",
    "request lost",
    "answer lost",
    "request late",
    "504, not executed",
    "504, executed",
    "429",
    "reject",
    "slow network",
    "request outside of its window",
    "ban",
    "maintenance",
    "user stream cut",
    "market stream cut",
    "user stream silent",
    "market stream silent",
    "report lost",
    "report repeated",
    "report out of order",
    "clock step",
    "market stands",
    "foreign trade",
    "deposit",
];

/// Faults of messages, per mille.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BusChaos {
    pub(crate) lose: u32,
    pub(crate) lose_confirm: u32,
    pub(crate) vanish: u32,
    pub(crate) duplicate: u32,
    pub(crate) overtake: u32,
    pub(crate) delay: u32,
}

impl BusChaos {
    pub(crate) fn is_calm(&self) -> bool {
        *self == Self::default()
    }
}

/// Faults of requests, per mille.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NetChaos {
    pub(crate) request_lost: u32,
    pub(crate) answer_lost: u32,
    pub(crate) late: u32,
    pub(crate) error_before: u32,
    pub(crate) error_after: u32,
    pub(crate) retry: u32,
    pub(crate) reject: u32,
}

impl NetChaos {
    pub(crate) fn is_calm(&self) -> bool {
        *self == Self::default()
    }
}

/// Faults of execution reports, per mille.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ReportChaos {
    pub(crate) drop: u32,
    pub(crate) repeat: u32,
    pub(crate) reorder: u32,
}

/// What goes wrong at present.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) bus: BusChaos,
    /// Of these messages alone.
    pub(crate) bus_only: Option<Only>,
    pub(crate) bus_down: bool,
    pub(crate) bus_slow: Micros,
    pub(crate) net: NetChaos,
    pub(crate) slow_net: Micros,
    pub(crate) reports: ReportChaos,
    pub(crate) slow_disk: Micros,
    pub(crate) market_stands: bool,
    /// Counts changes of each part, so that the end of an earlier spell does not end a later one.
    spells: [u64; 8],
}

/// A kind of trouble that the plan draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Crash,
    CrashOne,
    Restart,
    RestartOne,
    Freeze,
    DiskFull,
    DiskGone,
    SlowDisk,
    BusDown,
    SlowBus,
    Bus,
    Net,
    SlowNet,
    Ban,
    Maintenance,
    CutUser,
    CutMarket,
    HushUser,
    HushMarket,
    Reports,
    ClockStep,
    MarketStands,
    Foreign,
}

/// With how often each is drawn, before the seed's own mix.
const TROUBLES: [(Trouble, u64); 23] = [
    (Trouble::Crash, 6),
    (Trouble::CrashOne, 8),
    (Trouble::Restart, 2),
    (Trouble::RestartOne, 2),
    (Trouble::Freeze, 3),
    (Trouble::DiskFull, 2),
    (Trouble::DiskGone, 2),
    (Trouble::SlowDisk, 2),
    (Trouble::BusDown, 2),
    (Trouble::SlowBus, 2),
    (Trouble::Bus, 7),
    (Trouble::Net, 12),
    (Trouble::SlowNet, 3),
    (Trouble::Ban, 1),
    (Trouble::Maintenance, 2),
    (Trouble::CutUser, 3),
    (Trouble::CutMarket, 2),
    (Trouble::HushUser, 3),
    (Trouble::HushMarket, 1),
    (Trouble::Reports, 4),
    (Trouble::ClockStep, 1),
    (Trouble::MarketStands, 1),
    (Trouble::Foreign, 1),
];

impl World {
    /// Plans the seed's troubles between `from` and `to`.
    pub(crate) fn plan_faults(&mut self, from: Timestamp, to: Timestamp) {
        let chance = &self.chance.fault;
        let mut mix: Vec<(Trouble, u64)> =
            TROUBLES.iter().map(|(trouble, weight)| (*trouble, weight * chance.below(4))).collect();
        let total: u64 = mix.iter().map(|(_, weight)| weight).sum();
        // Somebody else at the account excuses what otherwise would be a fault of ours: only now and then.
        let strict = chance.hits(800);
        if total == 0 {
            mix = TROUBLES.to_vec();
        }
        mix.retain(|(trouble, _)| !(strict && *trouble == Trouble::Foreign));
        let total: u64 = mix.iter().map(|(_, weight)| weight).sum();
        let count = chance.between(26, 44);
        let mut plan = Vec::new();
        for _ in 0..count {
            let at = Timestamp(chance.between(from.0, to.0));
            let mut drawn = chance.below(total);
            let trouble = mix.iter().find(|(_, weight)| {
                let here = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                here
            });
            plan.extend(trouble.map(|(trouble, _)| (at, *trouble)));
        }
        for (at, trouble) in plan {
            self.agenda.plan(at, "trouble", Box::new(move |world| world.strike(trouble)));
        }
    }

    fn strike(&mut self, trouble: Trouble) {
        self.note("trouble", 0, || format!("{trouble:?}"));
        match trouble {
            Trouble::Crash => self.arm(true),
            Trouble::CrashOne => self.arm(false),
            Trouble::Restart => self.restart(None),
            Trouble::RestartOne => {
                let who = self.chance.fault.index(self.lives.len());
                self.restart(Some(who));
            }
            Trouble::Freeze => self.freeze(),
            Trouble::DiskFull => self.disk(true),
            Trouble::DiskGone => self.disk(false),
            Trouble::SlowDisk => {
                let slow = self.chance.fault.millis(20, 1_500);
                self.spell(0, "slow disk", (3, 30), move |weather, on| {
                    weather.slow_disk = if on { slow } else { Micros(0) }
                });
            }
            Trouble::BusDown => self.spell(1, "bus down", (1, 20), |weather, on| weather.bus_down = on),
            Trouble::SlowBus => {
                let slow = self.chance.fault.millis(20, 4_000);
                self.spell(2, "slow bus", (3, 30), move |weather, on| {
                    weather.bus_slow = if on { slow } else { Micros(0) }
                });
            }
            Trouble::Bus => self.bus_chaos(),
            Trouble::Net => self.net_chaos(),
            Trouble::SlowNet => {
                let slow = self.chance.fault.millis(200, 3_500);
                self.spell(5, "slow network", (3, 40), move |weather, on| {
                    weather.slow_net = if on { slow } else { Micros(0) }
                });
            }
            Trouble::Reports => self.report_chaos(),
            Trouble::Foreign => self.meddle(),
            Trouble::MarketStands => {
                self.spell(7, "market stands", (20, 120), |weather, on| weather.market_stands = on)
            }
            other => self.strike_exchange(other),
        }
    }

    fn strike_exchange(&mut self, trouble: Trouble) {
        let now = self.now();
        let chance = &self.chance.fault;
        match trouble {
            Trouble::Ban => {
                self.exchange.banned_until = now + chance.secs(10, 120);
                self.fault("ban");
            }
            Trouble::Maintenance => {
                let long = chance.secs(5, 90);
                self.exchange.maintenance_until = now + long;
                self.fault("maintenance");
                self.cut_stream(Stream::User, long, "serverShutdown");
                self.cut_stream(Stream::Market, long, "serverShutdown");
            }
            Trouble::CutUser => {
                let long = chance.millis(50, 40_000);
                self.fault("user stream cut");
                self.cut_stream(Stream::User, long, "reset");
            }
            Trouble::CutMarket => {
                let long = chance.millis(50, 60_000);
                self.fault("market stream cut");
                self.cut_stream(Stream::Market, long, "reset");
            }
            Trouble::HushUser => {
                let noticed = chance.secs(5, 100);
                self.fault("user stream silent");
                self.hush_stream(Stream::User, noticed);
            }
            Trouble::HushMarket => {
                let noticed = chance.secs(5, 100);
                self.fault("market stream silent");
                self.hush_stream(Stream::Market, noticed);
            }
            // Forward only: an exchange whose clock falls back keeps its windows open for longer than it has promised,
            // and nothing that a client knows of can heal that. A few milliseconds back are within the margin.
            _ => {
                let step = if chance.hits(500) { chance.millis(0, 9_000) } else { chance.millis(-60, 60) };
                self.exchange.ahead = Micros(self.exchange.ahead.0 + step.0);
                self.fault("clock step");
            }
        }
    }

    /// Bad weather of one kind for a while.
    fn spell(
        &mut self,
        part: usize,
        name: &'static str,
        secs: (i64, i64),
        set: impl Fn(&mut Weather, bool) + Send + 'static,
    ) {
        self.fault(name);
        self.spell_quietly(part, secs, set);
    }

    fn spell_quietly(&mut self, part: usize, secs: (i64, i64), set: impl Fn(&mut Weather, bool) + Send + 'static) {
        let long = self.chance.fault.secs(secs.0, secs.1);
        self.weather.spells[part] += 1;
        let spell = self.weather.spells[part];
        set(&mut self.weather, true);
        self.plan(long, "weather", move |world| {
            if world.weather.spells[part] == spell {
                set(&mut world.weather, false);
            }
        });
    }

    /// A probability: often zero, sometimes high.
    fn odds(&self, high: u64) -> u32 {
        let chance = &self.chance.fault;
        if chance.hits(500) { 0 } else { u32::try_from(chance.below(high)).unwrap_or(0) }
    }

    fn bus_chaos(&mut self) {
        let chaos = BusChaos {
            lose: self.odds(250),
            lose_confirm: self.odds(250),
            vanish: self.odds(300),
            duplicate: self.odds(300),
            overtake: self.odds(300),
            delay: self.odds(300),
        };
        // Often only some messages suffer, so that they lag behind the others.
        let only = if self.chance.fault.hits(500) { self.chance.fault.pick(&Only::ALL).copied() } else { None };
        self.spell_quietly(3, (5, 60), move |weather, on| {
            (weather.bus, weather.bus_only) = if on { (chaos, only) } else { (BusChaos::default(), None) };
        });
    }

    fn net_chaos(&mut self) {
        let chaos = NetChaos {
            request_lost: self.odds(300),
            answer_lost: self.odds(400),
            late: self.odds(400),
            error_before: self.odds(300),
            error_after: self.odds(400),
            retry: self.odds(200),
            reject: self.odds(150),
        };
        self.spell_quietly(4, (5, 60), move |weather, on| weather.net = if on { chaos } else { NetChaos::default() });
    }

    fn report_chaos(&mut self) {
        let chaos = ReportChaos { drop: self.odds(400), repeat: self.odds(400), reorder: self.odds(400) };
        self.spell_quietly(6, (5, 90), move |weather, on| {
            weather.reports = if on { chaos } else { ReportChaos::default() }
        });
    }

    fn arm(&mut self, all: bool) {
        let chance = &self.chance.fault;
        let who: Who = chance.index(self.lives.len());
        let down = chance.millis(5, if chance.hits(700) { 3_000 } else { 30_000 });
        if chance.hits(150) {
            return self.crash((!all).then_some(who), Point::Idle, down);
        }
        let point = if chance.hits(800) { chance.pick(&Point::CHOICE).copied() } else { None };
        let passes = if chance.hits(500) { 0 } else { chance.below(8) };
        let who = (!all || chance.hits(700)).then_some(who);
        let wait = chance.secs(5, 60);
        let until = self.now() + wait;
        self.armed.push(Armed { who, point, passes, all, until, down });
        self.plan(wait, "disarm", Self::disarm);
    }

    /// Crashes whose place has not come happen now.
    fn disarm(&mut self) {
        let now = self.now();
        while let Some(index) = self.armed.iter().position(|armed| armed.until <= now) {
            let armed = self.armed.swap_remove(index);
            let who = armed.who.filter(|_| !armed.all);
            self.crash(who, Point::Idle, armed.down);
        }
    }

    /// Somebody else uses the account: trades by hand, or pays in.
    fn meddle(&mut self) {
        let chance = &self.chance.fault;
        let (trades, index, buys) = (chance.hits(700), chance.index(2), chance.hits(500));
        let instrument = self.exchange.venue.config().instruments[index].clone();
        let (at, mut out) = (self.exchange_time(), Vec::new());
        self.judge.meddled = true;
        let done = if trades {
            let request = OrderRequest {
                symbol: instrument.symbol,
                side: if buys { Side::Buy } else { Side::Sell },
                kind: RequestKind::Market { qty: instrument.qty(Lots(300)) },
                client_order_id: None,
                stp: None,
            };
            self.fault("foreign trade");
            self.exchange.venue.place(ACCOUNT, &request, at, &mut out).map(drop)
        } else {
            self.fault("deposit");
            let amount = Qty::new(Decimal::from(100));
            self.exchange.venue.deposit(ACCOUNT, instrument.quote, amount, at, &mut out)
        };
        self.note("meddle", 0, || format!("{done:?}"));
        self.told(&out);
        for wait in [20, 90, 200] {
            self.plan(Micros::from_secs(wait), "release", Self::look_and_release);
        }
    }

    /// Asks one service, or all, to end in good order, and starts it again.
    fn restart(&mut self, who: Option<Who>) {
        let all = who.is_none() || self.one_process;
        self.fault(if all { "restart of all" } else { "restart of one" });
        let whos: Vec<Who> = if all { (0..self.lives.len()).collect() } else { who.into_iter().collect() };
        self.calls.extend(whos.into_iter().map(Call::Stop));
    }

    fn freeze(&mut self) {
        let who = self.chance.fault.index(self.lives.len());
        let long = self.chance.fault.millis(100, 12_000);
        if self.lives[who].is_some() {
            let until = self.now() + long;
            self.fault("freeze");
            self.frozen.insert(who, until);
            self.plan(long, "thaw", move |world| {
                if world.frozen.get(&who).is_some_and(|until| *until <= world.now()) {
                    world.frozen.remove(&who);
                }
            });
        }
    }

    fn disk(&mut self, full: bool) {
        let chance = &self.chance.fault;
        let long = chance.millis(50, 25_000);
        let whos: Vec<Who> =
            if chance.hits(400) { (0..self.stores.len()).collect() } else { vec![chance.index(self.stores.len())] };
        self.fault(if full { "disk full" } else { "disk gone" });
        for who in whos {
            let place = name_of(who);
            self.stores[who].trouble = Some(match full {
                true => StoreError::Full { place },
                false => StoreError::Unavailable { place, detail: "simulated".to_owned() },
            });
            self.plan(long, "disk again", move |world| world.stores[who].trouble = None);
        }
    }

    /// Faults are over, for good.
    pub(crate) fn heal(&mut self) {
        self.note("heal", 0, String::new);
        self.weather = Weather::default();
        self.armed.clear();
        self.frozen.clear();
        let now = self.now();
        self.exchange.banned_until = self.exchange.banned_until.min(now);
        self.exchange.maintenance_until = self.exchange.maintenance_until.min(now);
        for store in &mut self.stores {
            store.trouble = None;
        }
    }
}
