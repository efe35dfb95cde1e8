//! `nightdesk record`: an exchange's live streams into a file that replays.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use nightdesk_exchange::Events;
use nightdesk_exchange_binance::{Binance, Config, Endpoints, Streams, Tap};
use nightdesk_host::{Failure, Host, Status, output};
use nightdesk_units::Symbol;

use crate::cli::RecordArgs;
use crate::limit;

type Sink = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// Records until it is stopped.
pub(crate) async fn run(host: Host, args: RecordArgs) -> Result<(), Failure> {
    let endpoints = match args.exchange.as_str() {
        "live" => Endpoints::live(),
        "testnet" => Endpoints::testnet(),
        address => Endpoints::simulator(address),
    };
    let symbols = args.symbols.iter().map(|symbol| symbol.parse::<Symbol>()).collect::<Result<Vec<_>, _>>();
    let symbols = symbols.map_err(|error| Failure::new(Status::Usage, format!("--symbols: {error}")))?;
    let mut config = Config::new(endpoints, symbols);
    config.user_stream = false;
    config.streams = Streams::default();
    let sink = open(&args)?;
    let messages = Arc::new(AtomicU64::new(0));
    let (closing, recorded, file) = (Arc::clone(&sink), Arc::clone(&messages), args.file.clone());
    host.on_drain("recording", move || async move {
        let sink = closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping the compressor writes its end.
        sink.map_or(Ok(()), |mut sink| sink.flush())?;
        conclude(&file, recorded.load(Ordering::Relaxed))
    });
    let (shown, health) = (Arc::clone(&messages), host.health().clone());
    host.job("progress", async move {
        let mut progress = output::Progress::new("record");
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        while !health.is_stopping() {
            ticks.tick().await;
            progress.at(shown.load(Ordering::Relaxed), 0, "messages");
        }
        Ok::<(), Failure>(())
    });
    let stopper = host.clone();
    let tap: Tap = Arc::new(move |received: nightdesk_units::Timestamp, text: &str| {
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = sink.as_mut() else { return };
        if let Err(error) = writeln!(file, "{} {text}", received.0.saturating_mul(1_000)) {
            tracing::error!(%error, "the recording cannot be written");
            stopper.stop("the recording cannot be written");
        } else if text.contains("\"stream\"") {
            // The exchange's answers to our subscriptions are recorded too, and are no market.
            messages.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (binance, mut events) = Binance::observe(config, Some(tap))?;
    let keep = Arc::clone(&binance);
    host.job("streams", async move {
        while events.next().await.is_some() {}
        drop(keep);
        Ok::<(), Failure>(())
    });
    limit::run_for(&host, args.run_for);
    Ok(())
}

/// Says what there is. An empty recording replays nothing, so it is not kept, and whoever asked for one has none.
fn conclude(file: &Path, messages: u64) -> Result<(), Failure> {
    let name = file.display();
    if messages == 0 {
        std::fs::remove_file(file).with_context(|| format!("cannot remove the empty {name}"))?;
        let text = "no market message came: is the exchange there, and does it know the symbols? nothing was kept";
        return Err(Failure::new(Status::No, text));
    }
    output::to_stderr(&format!("{name}: {messages} market messages\n"));
    Ok(())
}

fn open(args: &RecordArgs) -> anyhow::Result<Sink> {
    let file = File::create_new(&args.file).with_context(|| format!("cannot make {}", args.file.display()))?;
    let file = BufWriter::new(file);
    let compressed = args.file.extension().is_some_and(|extension| extension == "gz");
    let sink: Box<dyn Write + Send> =
        if compressed { Box::new(GzEncoder::new(file, Compression::default())) } else { Box::new(file) };
    Ok(Arc::new(Mutex::new(Some(sink))))
}
