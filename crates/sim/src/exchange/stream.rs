//! The two streams of our connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures_util::future::{BoxFuture, FutureExt, poll_fn};
use nightdesk_exchange::{Events, ExchangeEvent, Stream};
use nightdesk_market::{MarketEvent, Quote, Trade};
use nightdesk_matching::VenueEvent;
use nightdesk_units::{Micros, Timestamp};

use super::{ACCOUNT, convert};
use crate::life::{CONNECTOR, Life};
use crate::world::{Sim, World};

/// Between two signs of life.
const PING: Micros = Micros::from_secs(20);

/// Our connection to the exchange.
pub(crate) struct Line {
    pub(super) life: Arc<Life>,
    number: u64,
    heard: VecDeque<ExchangeEvent>,
    waker: Option<Waker>,
    user: Feed,
    market: Feed,
}

/// One stream.
#[derive(Default)]
struct Feed {
    up: bool,
    /// Up, and silent: what happens meanwhile is lost.
    stale: bool,
    /// When the last event on its way will be there: the next is not there before.
    last_at: Timestamp,
    /// When it last carried something; `None` before.
    heard_at: Option<Timestamp>,
    cuts: u64,
}

impl Line {
    fn feed(&mut self, stream: Stream) -> &mut Feed {
        match stream {
            Stream::Market => &mut self.market,
            Stream::User => &mut self.user,
        }
    }

    fn hear(&mut self, event: ExchangeEvent) {
        self.heard.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A connector's end of the connection.
pub(crate) struct SimEvents {
    sim: Sim,
    number: u64,
}

impl SimEvents {
    /// Connects.
    pub(crate) fn connect(sim: &Sim, life: &Arc<Life>) -> Self {
        let mut world = sim.lock();
        world.exchange.lines += 1;
        let number = world.exchange.lines;
        let life = Arc::clone(life);
        let (user, market) = (Feed::default(), Feed::default());
        world.exchange.line = Some(Line { life, number, heard: VecDeque::new(), waker: None, user, market });
        for stream in [Stream::Market, Stream::User] {
            let after = world.chance.stream.millis(5, 800);
            world.come_up(number, stream, after);
        }
        world.ping(number);
        Self { sim: sim.clone(), number }
    }
}

impl Events for SimEvents {
    fn next(&mut self) -> BoxFuture<'_, Option<ExchangeEvent>> {
        poll_fn(|context| {
            let mut world = self.sim.lock();
            let line = world.exchange.line.as_mut().filter(|line| line.number == self.number);
            let Some(line) = line else { return Poll::Pending };
            match line.heard.pop_front() {
                Some(event) => Poll::Ready(Some(event)),
                None => {
                    line.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .boxed()
    }
}

impl World {
    fn line(&mut self, number: u64) -> Option<&mut Line> {
        self.exchange.line.as_mut().filter(|line| line.number == number)
    }

    /// A stream comes (back) up; what happened since it last carried something may be missing.
    fn come_up(&mut self, number: u64, stream: Stream, after: Micros) {
        self.plan(after, "stream up", move |world| {
            if world.exchange.maintenance_until > world.now() {
                return world.come_up(number, stream, Micros::from_secs(2));
            }
            let Some(line) = world.line(number) else { return };
            let feed = line.feed(stream);
            (feed.up, feed.stale) = (true, false);
            let since = feed.heard_at;
            line.hear(ExchangeEvent::Up { stream, since });
        });
    }

    fn ping(&mut self, number: u64) {
        self.plan(PING, "ping", move |world| {
            let Some(line) = world.line(number) else { return };
            for stream in [Stream::Market, Stream::User] {
                let feed = line.feed(stream);
                if feed.up && !feed.stale {
                    line.hear(ExchangeEvent::Alive { stream });
                }
            }
            world.ping(number);
        });
    }

    /// Cuts a stream for `long`.
    pub(crate) fn cut_stream(&mut self, stream: Stream, long: Micros, reason: &'static str) {
        let Some(line) = &mut self.exchange.line else { return };
        let number = line.number;
        let feed = line.feed(stream);
        if !feed.up {
            return;
        }
        feed.up = false;
        feed.cuts += 1;
        line.hear(ExchangeEvent::Down { stream, reason: reason.to_owned() });
        self.come_up(number, stream, long);
    }

    /// A stream falls silent without an end; after `noticed` the adapter sees it and connects anew.
    pub(crate) fn hush_stream(&mut self, stream: Stream, noticed: Micros) {
        let Some(line) = &mut self.exchange.line else { return };
        let (number, feed) = (line.number, line.feed(stream));
        if !feed.up || feed.stale {
            return;
        }
        feed.stale = true;
        let cuts = feed.cuts;
        self.plan(noticed, "silence noticed", move |world| {
            let same = world.line(number).is_some_and(|line| line.feed(stream).stale && line.feed(stream).cuts == cuts);
            if same {
                let long = world.chance.stream.millis(50, 2_000);
                world.cut_stream(stream, long, "silent");
            }
        });
    }

    /// Carries an event of the venue to us, if the stream does.
    pub(super) fn carry(&mut self, event: &VenueEvent) {
        let now = self.now();
        match event {
            VenueEvent::Order(told) if told.order.account == ACCOUNT => {
                let report = convert::report(&told.order, told.fill.as_ref(), told.at);
                self.carry_user(ExchangeEvent::Report(report));
            }
            VenueEvent::Balances(told) if told.account == ACCOUNT => {
                let balances = told.balances.iter().map(convert::balance).collect();
                self.carry_user(ExchangeEvent::Balances { at: told.at, balances });
            }
            // A side without orders has no price, and nobody can decide on it.
            VenueEvent::Best(quote) if quote.bid.0 > 0 && quote.ask.0 > 0 => {
                self.carry_market(MarketEvent::Quote(Quote { at: now, ..*quote }));
            }
            VenueEvent::Trade(trade) => self.carry_market(MarketEvent::Trade(Trade {
                symbol: trade.symbol,
                id: trade.id,
                price: trade.price,
                qty: trade.qty,
                buyer_is_maker: trade.buyer_is_maker,
                at: trade.at,
            })),
            VenueEvent::Transfer(told) if told.account == ACCOUNT => {
                let (asset, delta, at) = (told.asset, told.delta, told.at);
                self.carry_user(ExchangeEvent::Transfer { asset, delta, at });
            }
            VenueEvent::Order(_)
            | VenueEvent::Balances(_)
            | VenueEvent::Best(_)
            | VenueEvent::Level(_)
            | VenueEvent::Transfer(_) => {}
        }
    }

    fn carry_market(&mut self, event: MarketEvent) {
        let now = self.now();
        let Some(line) = &mut self.exchange.line else { return };
        if line.market.up && !line.market.stale {
            line.market.heard_at = Some(now);
            line.hear(ExchangeEvent::Market(event));
        }
    }

    fn carry_user(&mut self, event: ExchangeEvent) {
        let (now, chaos) = (self.now(), self.weather.reports);
        let Some(line) = &mut self.exchange.line else { return };
        let number = line.number;
        if !line.user.up || line.user.stale {
            return;
        }
        line.user.heard_at = Some(now);
        let chance = &self.chance.stream;
        let way = chance.millis(0, 60);
        if chance.hits(chaos.drop) {
            return self.fault("report lost");
        }
        if chance.hits(chaos.repeat) {
            let after = self.chance.stream.millis(0, 5_000);
            self.fault("report repeated");
            self.arrive(number, event.clone(), after);
        }
        if self.chance.stream.hits(chaos.reorder) {
            let after = self.chance.stream.millis(50, 3_000);
            self.fault("report out of order");
            return self.arrive(number, event, after);
        }
        let Some(line) = self.line(number) else { return };
        line.user.last_at = line.user.last_at.max(now + way);
        let after = line.user.last_at.since(now);
        self.arrive(number, event, after);
    }

    fn arrive(&mut self, number: u64, event: ExchangeEvent, after: Micros) {
        let cuts = self.line(number).map_or(0, |line| line.user.cuts);
        self.plan(after, "report", move |world| {
            world.note("user stream", CONNECTOR as u64, || format!("{event:?}"));
            if let Some(line) = world.line(number).filter(|line| line.user.cuts == cuts) {
                line.hear(event);
            }
        });
    }
}
