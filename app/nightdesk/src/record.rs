//! `nightdesk record`: an exchange's live streams into a file that replays.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use nightdesk_exchange::Events;
use nightdesk_exchange_binance::{Binance, Config, Endpoints, Streams, Tap};
use nightdesk_host::{Failure, Host};
use nightdesk_units::Symbol;

use crate::cli::RecordArgs;

type Sink = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// Records until it is stopped.
pub(crate) async fn run(host: Host, args: RecordArgs) -> Result<(), Failure> {
    let endpoints = match args.exchange.as_str() {
        "live" => Endpoints::live(),
        "testnet" => Endpoints::testnet(),
        address => Endpoints::simulator(address),
    };
    let symbols = args.symbols.iter().map(|symbol| symbol.parse::<Symbol>()).collect::<Result<Vec<_>, _>>()?;
    let mut config = Config::new(endpoints, symbols);
    config.user_stream = false;
    config.streams = Streams::default();
    let sink = open(&args)?;
    let closing = Arc::clone(&sink);
    host.on_drain("recording", move || async move {
        let sink = closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping the compressor writes its end.
        sink.map_or(Ok(()), |mut sink| sink.flush()).map_err(Failure::from)
    });
    let stopper = host.clone();
    let tap: Tap = Arc::new(move |received: nightdesk_units::Timestamp, text: &str| {
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = sink.as_mut() else { return };
        if let Err(error) = writeln!(file, "{} {text}", received.0.saturating_mul(1_000)) {
            tracing::error!(%error, "the recording cannot be written");
            stopper.stop("the recording cannot be written");
        }
    });
    let (binance, mut events) = Binance::observe(config, Some(tap))?;
    let keep = Arc::clone(&binance);
    host.job("streams", async move {
        while events.next().await.is_some() {}
        drop(keep);
        Ok::<(), Failure>(())
    });
    if let Some(limit) = args.run_for {
        let stopper = host.clone();
        host.job("time limit", async move {
            tokio::time::sleep(limit).await;
            stopper.stop("the time given by --for is over");
            Ok::<(), Failure>(())
        });
    }
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
