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
use nightdesk_exchange_local::{Entry, Feed, Input, LocalVenue, Options, RecordLog};
use nightdesk_exchange_simulator::DEFAULT_ACCOUNT;
use nightdesk_exchange_simulator::market::{Playback, Recorded, Survey, survey};
use nightdesk_host::{Failure, Host, Status, output};
use nightdesk_market::MarketEvent;
use nightdesk_matching::{AccountId, Venue, VenueConfig};
use nightdesk_platform::EmergencyJournal;
use nightdesk_platform_local::{DataDir, EmergencyFile};
use nightdesk_units::{Micros, Symbol, Timestamp};

use crate::cli::UpArgs;
use crate::summary::Summary;
use crate::{cluster, data, exchange, up};
use nightdesk_process::{Config, failure};

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
    cluster::refuse(&dir)?;
    let front = up::bind(&args, &config)?;
    data::keep_config(&dir, &config)?;
    let summary = Summary::new(&host, dir.clone(), args.ask.json);
    let closing = summary.clone();
    host.on_drain("summary", move || async move {
        drop(lock);
        closing.print().await
    });

    let mut tape = Tape::new(&args.replay, &survey, start_of(&survey))?;
    let lockstep = Lockstep::new(start_of(&survey) - BEFORE);
    let venue = match Past::read(&dir)? {
        None => {
            let record = RecordFile::create(&dir, "")?;
            let venue = open_venue(&survey, &lockstep, Some(Box::new(record)));
            fund(&config, &venue)?;
            venue
        }
        Some(past) => past.repeat(&dir, &survey, &lockstep, &mut tape)?,
    };
    let trading = config.trading()?;
    let stores = data::open_stores(&dir, &trading).await?;
    let env = environment(&lockstep, args.seed);
    let world = world(&lockstep, &venue, &env, &dir, &stores)?;
    let desk = Desk::start(&trading, world).await.map_err(failure::of_start)?;
    summary.watch(&desk.apis, &stores);
    let apis = desk.apis.clone();
    up::measure(&host, &trading, &apis, &lockstep.bus);
    up::register(&host, desk, || std::future::ready(Ok(())));
    up::serve(&host, &args, front, &dir, &apis, &stores, &env)?;
    let settle = summary.clone();
    let (stopper, exit) = (host.clone(), args.exit_at_end);
    host.job("recording", async move {
        let mut progress = output::Progress::new("replay");
        let total = survey.messages.saturating_sub(venue.position());
        lockstep.settle().await;
        let mut player = Player { tape: &mut tape, venue: &venue };
        lockstep.run(&mut player, u64::MAX, |done| progress.at(done, total, "messages")).await;
        drop(progress);
        tape.finish()?;
        // In step with the services, the exchange has told everything already.
        settle.settle(&apis, false).await;
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

fn world(lockstep: &Lockstep, venue: &LocalVenue, env: &Env, dir: &Path, stores: &Stores) -> anyhow::Result<World> {
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

/// An exchange in the process.
pub(crate) fn open_venue(survey: &Survey, lockstep: &Lockstep, record: Option<Box<dyn RecordLog>>) -> LocalVenue {
    let venue = Venue::new(VenueConfig::new(survey.instruments.clone()));
    let options = Options {
        clock: Arc::new(lockstep.clock.clone()),
        activity: Arc::clone(&lockstep.activity) as Arc<dyn Activity>,
        feed: Feed::Recorded,
        depth: false,
        record,
    };
    LocalVenue::new(venue, ACCOUNT, options)
}

/// Gives the account what the configuration says.
pub(crate) fn fund(config: &Config, venue: &LocalVenue) -> anyhow::Result<()> {
    for (asset, amount) in exchange::balances(config)? {
        venue.deposit(asset, amount).context("opening balance")?;
    }
    Ok(())
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

/// The exchange's own record in the simulator's format, and beside it what it was asked, from which it can be brought back.
struct RecordFile {
    record: File,
    asked: File,
    sequence: u64,
    events: Vec<u8>,
    inputs: Vec<u8>,
}

impl RecordFile {
    fn create(dir: &Path, ending: &str) -> anyhow::Result<Self> {
        let make = |name: &str| {
            let path = exchange_file(dir, name, ending);
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))
        };
        let folder = dir.join("exchange");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (record, asked) = (make(RECORD)?, make(ASKED)?);
        Ok(Self { record, asked, sequence: 0, events: Vec::new(), inputs: Vec::new() })
    }
}

impl RecordLog for RecordFile {
    fn append(&mut self, line: &str) -> std::io::Result<()> {
        match serde_json::from_str(line)? {
            Entry::Input(input) => {
                serde_json::to_writer(&mut self.inputs, &input)?;
                self.inputs.push(b'\n');
            }
            Entry::Event(event) => {
                let name = |_| DEFAULT_ACCOUNT.to_owned();
                nightdesk_exchange_simulator::record::write(&event, &mut self.sequence, name, &mut self.events);
            }
        }
        Ok(())
    }

    /// What was asked comes first: with it alone the rest can be written again.
    fn sync(&mut self) -> std::io::Result<()> {
        if !self.inputs.is_empty() {
            self.asked.write_all(&self.inputs)?;
            self.inputs.clear();
            self.asked.sync_data()?;
        }
        self.record.write_all(&self.events)?;
        self.events.clear();
        self.record.sync_data()
    }
}

const RECORD: &str = "record.jsonl";
const ASKED: &str = "asked.jsonl";

fn exchange_file(dir: &Path, name: &str, ending: &str) -> PathBuf {
    dir.join("exchange").join(format!("{name}{ending}"))
}

/// What an exchange that was killed has left behind.
struct Past {
    inputs: Vec<Input>,
    record: Vec<u8>,
    /// The last moment that anything was asked or told.
    until: Timestamp,
}

impl Past {
    /// `None` where nothing has run yet.
    fn read(dir: &Path) -> anyhow::Result<Option<Self>> {
        if !exchange_file(dir, ASKED, "").exists() {
            return Ok(None);
        }
        let read = |name: &str| {
            let path = exchange_file(dir, name, "");
            let mut bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            // A torn last line was never answered.
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
            anyhow::Ok(bytes)
        };
        let (asked, record) = (read(ASKED)?, read(RECORD)?);
        let inputs = asked.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let inputs: Vec<Input> =
            inputs.map(serde_json::from_slice).collect::<Result<_, _>>().context("the exchange's asked.jsonl")?;
        #[derive(serde::Deserialize)]
        struct Line {
            at: Timestamp,
        }
        let last = record.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let told = last.map(serde_json::from_slice::<Line>).transpose().context("the exchange's record.jsonl")?;
        let until = told.map(|line| line.at).into_iter().chain(inputs.last().map(|input| input.at)).max();
        Ok(Some(Self { inputs, record, until: until.unwrap_or_default() }))
    }

    /// Brings the exchange back: the same market and the same requests give the same exchange, and the same record.
    fn repeat(self, dir: &Path, survey: &Survey, lockstep: &Lockstep, tape: &mut Tape) -> Result<LocalVenue, Failure> {
        let venue = open_venue(survey, lockstep, Some(Box::new(RecordFile::create(dir, ".new")?)));
        let mut inputs = self.inputs.iter().peekable();
        loop {
            while let Some(input) = inputs.next_if(|input| input.position == venue.position()) {
                venue.redo(input)?;
            }
            let Some(at) = tape.next_at().filter(|at| *at <= self.until || inputs.peek().is_some()) else { break };
            lockstep.clock.advance_to(at);
            if let Some(event) = tape.take() {
                venue.apply(&event);
            }
        }
        let fresh = exchange_file(dir, RECORD, ".new");
        let written = std::fs::read(&fresh).with_context(|| format!("cannot read {}", fresh.display()))?;
        if !written.starts_with(&self.record) {
            let text = format!("{} was made with another recording: name that one, or a new directory", dir.display());
            return Err(Failure::new(Status::BadConfig, text));
        }
        for name in [ASKED, RECORD] {
            let (from, to) = (exchange_file(dir, name, ".new"), exchange_file(dir, name, ""));
            std::fs::rename(&from, &to).with_context(|| format!("cannot replace {}", to.display()))?;
        }
        tracing::info!(messages = venue.position(), "the exchange is where it was");
        Ok(venue)
    }
}
