//! `nightdesk up --replay FILE… --speed max`: the services as they are, in lockstep with the recording.
//!
//! The exchange is the same matching engine, called in the process: the market waits until everything that an event led to
//! has come to rest, durably, before the next one happens. The journal is the same every time, to the byte.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use nightdesk_assembly::{Desk, Lockstep, Market, Stores, World};
use nightdesk_env::{Activity, Env, SeededEntropy};
use nightdesk_exchange_local::{Entry, Feed, LocalVenue, Options, RecordLog};
use nightdesk_exchange_simulator::DEFAULT_ACCOUNT;
use nightdesk_exchange_simulator::market::{Playback, Recorded, Survey, survey};
use nightdesk_host::{Failure, Host, Status, output};
use nightdesk_market::MarketEvent;
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform::EmergencyJournal;
use nightdesk_platform_local::{DataDir, EmergencyFile};
use nightdesk_units::{Micros, Symbol, Timestamp};

use crate::cli::UpArgs;
use crate::config::Config;
use crate::summary::Summary;
use crate::{data, exchange, up};

/// The only account of a replay.
const ACCOUNT: AccountId = AccountId(1);
/// Before the recording begins, the services start and look at the account.
const BEFORE: Micros = Micros::from_secs(1);

/// What a recording holds, by symbol, most messages first.
pub(crate) fn symbols(files: &[PathBuf]) -> Result<Vec<Symbol>, Failure> {
    let survey = survey(files).map_err(|error| Failure::new(Status::BadConfig, error))?;
    Ok(survey.instruments.iter().map(|instrument| instrument.symbol).collect())
}

/// Wires everything and lets it run to the recording's end.
pub(crate) async fn run(host: Host, args: UpArgs) -> Result<(), Failure> {
    let survey = survey(&args.replay).map_err(|error| Failure::new(Status::BadConfig, error))?;
    let config = up::read_config(&args)?;
    let dir = directory(&args)?;
    let lock = DataDir::open(&dir).map_err(|error| Failure::new(Status::TryAgain, error))?;
    if data::has_databases(&dir) {
        let text = format!("{} holds an earlier run: a replay at full speed begins anew in an empty directory", dir.display());
        return Err(Failure::new(Status::BadConfig, text));
    }
    data::keep_config(&dir, &config)?;
    let summary = Summary::new(&host, dir.clone(), args.ask.json);
    let closing = summary.clone();
    host.on_drain("summary", move || async move {
        drop(lock);
        closing.print().await
    });

    let mut tape = Tape::new(&args.replay, &survey, start_of(&survey))?;
    let lockstep = Lockstep::new(start_of(&survey) - BEFORE);
    let venue = open_venue(&config, &survey, &lockstep, Some(Box::new(RecordFile::create(&dir)?)))?;
    let trading = config.trading()?;
    let stores = data::open_stores(&dir, &trading).await?;
    let env = environment(&lockstep, args.seed);
    let world = world(&lockstep, &venue, &env, &dir, &stores)?;
    let desk = Desk::start(&trading, world).await?;
    summary.watch(&desk.apis, &stores);
    let apis = desk.apis.clone();
    up::register(&host, desk);
    up::serve(&host, &args, &config, &dir, &apis, &stores, &env)?;
    let settle = summary.clone();
    let (stopper, exit) = (host.clone(), args.exit_at_end);
    host.job("recording", async move {
        let mut progress = output::Progress::new("replay");
        let total = survey.messages;
        lockstep.settle().await;
        let mut player = Player { tape: &mut tape, venue: &venue };
        lockstep.run(&mut player, u64::MAX, |done| progress.at(done, total, "messages")).await;
        drop(progress);
        tape.finish()?;
        settle.settle(&apis).await;
        tracing::info!(messages = total, "the recording has ended");
        if exit {
            stopper.stop("the recording has ended");
        }
        Ok::<(), Failure>(())
    });
    Ok(())
}

/// A replay at full speed is a run of its own: without a named directory it gets a new one.
fn directory(args: &UpArgs) -> anyhow::Result<PathBuf> {
    if let Some(named) = &args.ask.data_dir {
        return Ok(named.clone());
    }
    let replays = data::data_dir(None)?.join("replays");
    std::fs::create_dir_all(&replays).with_context(|| format!("cannot make {}", replays.display()))?;
    for number in 1..u32::MAX {
        let dir = replays.join(format!("{number:04}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make {}", dir.display())),
        }
    }
    anyhow::bail!("no free name under {}", replays.display())
}

fn start_of(survey: &Survey) -> Timestamp {
    Timestamp(survey.span_ns.0.div_euclid(1_000))
}

fn environment(lockstep: &Lockstep, seed: u64) -> Env {
    Env {
        clock: Arc::new(lockstep.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        activity: Arc::clone(&lockstep.activity) as Arc<dyn Activity>,
    }
}

fn world(
    lockstep: &Lockstep,
    venue: &LocalVenue,
    env: &Env,
    dir: &Path,
    stores: &Stores,
) -> anyhow::Result<World> {
    let (exchange, events) = venue.connect();
    let emergency: Arc<dyn EmergencyJournal> = Arc::new(EmergencyFile::open(&dir.join("emergency.journal"))?);
    Ok(World {
        env: env.clone(),
        bus: Arc::new(lockstep.bus.clone()),
        exchange: Arc::new(exchange),
        events: Box::new(events),
        stores: stores.clone(),
        emergency,
    })
}

/// An exchange in the process on which the configuration's account owns what the configuration says.
pub(crate) fn open_venue(
    config: &Config,
    survey: &Survey,
    lockstep: &Lockstep,
    record: Option<Box<dyn RecordLog>>,
) -> anyhow::Result<LocalVenue> {
    let venue = Venue::new(VenueConfig::new(survey.instruments.clone()));
    let options = Options {
        clock: Arc::new(lockstep.clock.clone()),
        activity: Arc::clone(&lockstep.activity) as Arc<dyn Activity>,
        feed: Feed::Recorded,
        depth: false,
        record,
    };
    let venue = LocalVenue::new(venue, ACCOUNT, options);
    for (asset, amount) in exchange::balances(config)? {
        venue.deposit(asset, amount).context("opening balance")?;
    }
    Ok(venue)
}

/// A recording, read ahead by one message, at the times of its receipt.
pub(crate) struct Tape {
    playback: Playback,
    next: Option<Recorded>,
    last: Timestamp,
    failure: Option<anyhow::Error>,
}

impl Tape {
    pub(crate) fn new(files: &[PathBuf], survey: &Survey, start: Timestamp) -> anyhow::Result<Self> {
        let mut playback = Playback::new(files, survey);
        let next = playback.take()?;
        Ok(Self { playback, next, last: start, failure: None })
    }

    /// When the next message was received; time never goes back.
    fn next_at(&self) -> Option<Timestamp> {
        self.next.as_ref().map(|next| Timestamp(next.received_ns.div_euclid(1_000)).max(self.last))
    }

    fn take(&mut self) -> Option<MarketEvent> {
        let at = self.next_at()?;
        self.last = at;
        let event = self.next.take().map(|next| at_receipt(next.event, at));
        match self.playback.take() {
            Ok(next) => self.next = next,
            Err(error) => self.failure = Some(error.into()),
        }
        event
    }

    /// What was wrong with the recording, if its end came too soon.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The recording's exchange and the machine that recorded had different clocks; in a replay there is one.
pub(crate) fn at_receipt(mut event: MarketEvent, now: Timestamp) -> MarketEvent {
    match &mut event {
        MarketEvent::Quote(quote) => quote.at = now,
        MarketEvent::Trade(trade) => trade.at = now,
        MarketEvent::Depth(update) => update.at = now,
        MarketEvent::Snapshot(snapshot) => snapshot.at = now,
        MarketEvent::Candle(_) => {}
    }
    event
}

struct Player<'a> {
    tape: &'a mut Tape,
    venue: &'a LocalVenue,
}

impl Market for Player<'_> {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.tape.next_at()
    }

    fn step(&mut self) {
        if let Some(event) = self.tape.take() {
            self.venue.apply(&event);
        }
    }
}

/// The exchange's own record, in the simulator's format.
struct RecordFile {
    file: File,
    sequence: u64,
    waiting: Vec<u8>,
}

impl RecordFile {
    fn create(dir: &Path) -> anyhow::Result<Self> {
        let path = up::record(dir);
        let folder = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, sequence: 0, waiting: Vec::new() })
    }
}

impl RecordLog for RecordFile {
    fn append(&mut self, line: &str) -> std::io::Result<()> {
        if let Entry::Event(event) = serde_json::from_str(line)? {
            let name = |_| DEFAULT_ACCOUNT.to_owned();
            nightdesk_exchange_simulator::record::write(&event, &mut self.sequence, name, &mut self.waiting);
        }
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        self.file.sync_data()
    }
}
