//! The task that lives on the market stream: connects, subscribes, decodes, fills gaps, notices silence, reconnects.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use nightdesk_exchange::{ExchangeEvent, Stream};
use nightdesk_units::{Scale, Symbol};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};

use crate::backfill::{Fetched, fetch};
use crate::clock::wall;
use crate::decode::{self, MarketMessage};
use crate::market_state::{Fetch, MarketState, Output};
use crate::outbox::{End, Outbox};
use crate::session::{Delivery, Opened, Opener, Session};
use crate::shared::Shared;
use crate::socket::{Backoff, Cut, Frame, Socket, chance};

/// Streams named in one message.
const BATCH: usize = 100;
/// The exchange takes five messages a second, pongs included.
const MESSAGE_EVERY: Duration = Duration::from_millis(300);
/// How long subscribing may take.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(30);
/// How often silence is looked for.
const TICK: Duration = Duration::from_millis(250);

struct MarketTask {
    shared: Arc<Shared>,
    scales: BTreeMap<Symbol, Scale>,
    state: MarketState,
    fetches: FuturesUnordered<BoxFuture<'static, Fetched>>,
    outbox: Outbox,
    /// What we believe of ticks and lots may be out of date.
    suspect: bool,
}

/// Lives until the consumer is gone.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(shared.config.backoff);
    let mut task = MarketTask::new(shared);
    let opener = opener(&task.shared);
    loop {
        let started = Instant::now();
        let end = task.life(&opener).await;
        task.fetches = FuturesUnordered::new();
        let End::Cut(reason) = end else { return };
        task.outbox.down(&reason);
        if task.outbox.drain().await.is_err() {
            return;
        }
        backoff.lived(started.elapsed());
        sleep(backoff.next(chance())).await;
    }
}

impl MarketTask {
    fn new(shared: Arc<Shared>) -> Self {
        let config = &shared.config;
        let state = MarketState::new(&config.symbols, &config.streams, config.stale_after, Instant::now());
        let outbox = Outbox::new(Arc::clone(&shared), Stream::Market);
        Self { shared, scales: BTreeMap::new(), state, fetches: FuturesUnordered::new(), outbox, suspect: false }
    }

    /// One connection's life, from the first byte to its end.
    async fn life(&mut self, opener: &Opener) -> End {
        if let Err(end) = self.outbox.wait_until_ready().await {
            return end;
        }
        if let Err(cut) = self.learn_scales().await {
            return End::Cut(cut);
        }
        let opened = self.shared.rest.clock.surely_past();
        let (renew_after, overlap) = (self.shared.config.renew_after, self.shared.config.overlap);
        let session = match Session::open(Arc::clone(opener), renew_after, overlap).await {
            Ok(session) => session,
            Err(cut) => return End::Cut(cut),
        };
        self.outbox.up(opened);
        let out = self.state.resume(Instant::now());
        let end = match self.act(out) {
            Ok(()) => self.live(session).await,
            Err(end) => Err(end),
        };
        match end {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    /// Ticks and lots: fetched again after a malformed message, for a changed tick size makes every message malformed.
    async fn learn_scales(&mut self) -> Result<(), Cut> {
        let symbols = &self.shared.config.symbols;
        if std::mem::take(&mut self.suspect) {
            self.shared.load(symbols).await.map_err(|e| format!("no instruments: {e}"))?;
        }
        let scale = |symbol: &Symbol| self.shared.instrument(*symbol).map(|instrument| (*symbol, instrument.scale));
        self.scales = symbols.iter().filter_map(scale).collect();
        Ok(())
    }

    async fn live(&mut self, mut session: Session) -> Result<std::convert::Infallible, End> {
        let mut tick = ticker();
        loop {
            self.outbox.flush().await?;
            tokio::select! {
                delivery = session.next() => match delivery.map_err(End::Cut)? {
                    Delivery::Frame(Frame::Text(text)) => self.frame(&text, &mut session)?,
                    Delivery::Frame(Frame::Alive) => self.outbox.alive(Instant::now()),
                    Delivery::Renewed => self.shared.rest.meters.renewed(Stream::Market),
                },
                Some(fetched) = self.fetches.next() => {
                    let out = self.fetched(fetched);
                    self.act(out)?;
                }
                _ = tick.tick() => {
                    let fetches = self.state.tick(Instant::now()).map_err(End::Cut)?;
                    self.act(Output { fetches, ..Output::default() })?;
                }
            }
        }
    }

    fn frame(&mut self, text: &str, session: &mut Session) -> Result<(), End> {
        let meters = &self.shared.rest.meters;
        meters.event(Stream::Market);
        if let Some(tap) = &self.shared.tap {
            tap(wall(), text);
        }
        let message = match decode::market(text, &self.scales, self.shared.rest.clock.now()) {
            Ok(message) => message,
            Err(malformed) => {
                meters.malformed(&malformed);
                self.suspect = true;
                return Err(End::Cut(malformed.to_string()));
            }
        };
        match &message {
            MarketMessage::Shutdown => session.renew(),
            MarketMessage::Unknown => meters.unknown_event(Stream::Market),
            MarketMessage::Ack { error: Some(error), .. } => {
                return Err(End::Cut(format!("the exchange refused a message: {error}")));
            }
            MarketMessage::OpenCandle(_) => self.outbox.alive(Instant::now()),
            _ => {}
        }
        let out = self.state.message(message, Instant::now());
        self.act(out)
    }

    fn fetched(&mut self, fetched: Fetched) -> Output {
        match fetched {
            Fetched::Snapshot(snapshot) => self.state.snapshot(snapshot),
            Fetched::Trades(symbol, trades) => self.state.trades(symbol, trades),
            Fetched::Candles(symbol, interval, candles) => self.state.candles(symbol, interval, candles),
            Fetched::Probe(symbol, reached) => {
                self.state.probed(symbol, reached, Instant::now());
                self.outbox.alive(Instant::now());
                Output::default()
            }
        }
    }

    /// Delivers and fetches what the state asks for. What is lost for good is told as a cut, before what follows it.
    fn act(&mut self, out: Output) -> Result<(), End> {
        if let Some(lost) = &out.lost {
            self.outbox.down(lost);
            self.outbox.up(self.shared.rest.clock.surely_past());
        }
        for event in out.events {
            self.outbox.put(ExchangeEvent::Market(event));
        }
        for what in out.fetches {
            let (Fetch::Snapshot(symbol)
            | Fetch::Trades(symbol, _)
            | Fetch::Candles(symbol, _, _)
            | Fetch::Probe(symbol, _)) = what;
            let Some(scale) = self.scales.get(&symbol) else {
                return Err(End::Cut(format!("no tick and lot of {symbol}")));
            };
            self.fetches.push(Box::pin(fetch(Arc::clone(&self.shared), *scale, what)));
        }
        Ok(())
    }
}

fn ticker() -> Interval {
    let mut tick = interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

fn opener(shared: &Arc<Shared>) -> Opener {
    let shared = Arc::clone(shared);
    Arc::new(move || {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            shared.rest.limiter.unblocked().await;
            let config = &shared.config;
            let (url, names, silence) = (config.stream_url(), config.stream_names(), config.silence_limit);
            let opening = subscribe(&url, &names, silence);
            timeout(SUBSCRIBE_LIMIT, opening).await.unwrap_or_else(|_| Err("subscribing took too long".to_owned()))
        })
    })
}

/// Opens a connection and subscribes to `names`, a batch at a time.
async fn subscribe(url: &str, names: &[String], silence: Duration) -> Result<Opened, Cut> {
    let mut socket = Socket::open(url, silence).await?;
    let mut early = VecDeque::new();
    for (id, batch) in (1u64..).zip(names.chunks(BATCH)) {
        if id > 1 {
            sleep(MESSAGE_EVERY).await;
        }
        let message = serde_json::json!({ "method": "SUBSCRIBE", "params": batch, "id": id });
        socket.send(message.to_string()).await?;
        loop {
            let Frame::Text(text) = socket.next().await? else { continue };
            // Only answers matter here; data is decoded, and judged, by whoever takes it over.
            match decode::market(&text, &BTreeMap::new(), nightdesk_units::Timestamp(0)) {
                Ok(MarketMessage::Ack { error: Some(error), .. }) => return Err(format!("cannot subscribe: {error}")),
                Ok(MarketMessage::Ack { id: answered, .. }) if answered == id => break,
                _ => early.push_back(text),
            }
        }
    }
    Ok(Opened { socket, early })
}
