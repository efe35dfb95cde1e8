//! What this machine can do at all, measured in the same run as the figures that are compared with it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nightdesk_store::{Batch, JournalRow, Store};
use nightdesk_store_sql::{Options, SqliteStore};
use nightdesk_units::Timestamp;

use crate::report::rate;

/// What a small commit writes: a page.
const PAGE: [u8; 4096] = [0x5a; 4096];
/// How long each limit is looked for.
const SPAN: Duration = Duration::from_secs(2);

/// How often a second the disk makes an appended page durable when nothing else is asked of it.
pub(crate) fn disk_syncs(dir: &Path) -> anyhow::Result<f64> {
    let path = dir.join("syncs");
    let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < SPAN {
        file.write_all(&PAGE)?;
        file.sync_data()?;
        count += 1;
    }
    let took = started.elapsed();
    std::fs::remove_file(path)?;
    Ok(rate(count, took))
}

/// How often a second SQLite commits one row by itself: what a trade for each transaction would come to.
pub(crate) async fn single_commits(dir: &Path) -> anyhow::Result<f64> {
    let store = SqliteStore::open(dir, &nightdesk_capital_manager::SCHEMA, Options::default()).await?;
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < SPAN {
        count += 1;
        let row = JournalRow {
            stream: "peer".to_owned(),
            version: count,
            epoch: 1,
            at: Timestamp(0),
            kind: "row".to_owned(),
            body: "{}".to_owned(),
        };
        store.commit(Batch { journal: vec![row], ..Batch::default() }).await?;
    }
    let took = started.elapsed();
    store.close().await;
    std::fs::remove_file(dir.join(format!("{}.sqlite", nightdesk_capital_manager::SCHEMA.service)))?;
    Ok(rate(count, took))
}

/// How many requests a second the exchange at `address` answers on `connections` kept open, when a bare client asks for
/// nothing but the time.
pub(crate) fn answers(address: &str, connections: usize) -> anyhow::Result<f64> {
    let ask = |address: String| -> anyhow::Result<u64> {
        let mut stream = TcpStream::connect(&address)?;
        stream.set_nodelay(true)?;
        let request = format!("GET /api/v3/time HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let (started, mut count, mut answer) = (Instant::now(), 0, [0; 4096]);
        while started.elapsed() < SPAN {
            stream.write_all(request.as_bytes())?;
            // Such an answer comes in one piece.
            let length = stream.read(&mut answer)?;
            ensure!(answer[..length].starts_with(b"HTTP/1.1 200"), "the exchange does not tell the time");
            count += 1;
        }
        Ok(count)
    };
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            std::thread::spawn({
                let address = address.to_owned();
                move || ask(address)
            })
        })
        .collect();
    let mut total = 0;
    for client in clients {
        total += client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    Ok(rate(total, SPAN))
}

/// How many of `items` are copied in a second of processor time: nothing that looks at each can be faster.
pub(crate) fn copies<T: Clone>(items: &[T]) -> f64 {
    const TIMES: usize = 20;
    let began = thread_time();
    for _ in 0..TIMES {
        std::hint::black_box(items.to_vec());
    }
    rate((items.len() * TIMES) as u64, thread_time() - began)
}

/// Processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0))
}
