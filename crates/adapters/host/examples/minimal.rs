//! The smallest process of ours: a config, one task, one route. Try it with
//! `cargo run -p nightdesk-host --example minimal -- CONFIG.toml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use nightdesk_host::config::{self, Problem, Validate};
use nightdesk_host::http::{Server, ServerOptions};
use nightdesk_host::{Failure, Host, Options, RunFile, run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::info;

/// The configuration of the example.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where to listen; port 0 lets the system choose.
    #[schemars(example = "127.0.0.1:0")]
    listen: String,
    /// Where `run.json` goes.
    #[schemars(example = "/tmp")]
    data_dir: String,
}

impl Validate for Config {
    fn problems(&self) -> Vec<Problem> {
        let address = self.listen.parse::<SocketAddr>();
        let problem = |_| Problem::at("listen", "not an address").hint("write it like 127.0.0.1:8080");
        address.map_err(problem).err().into_iter().collect()
    }
}

fn main() -> ExitCode {
    run("minimal", Options::default(), wire)
}

async fn wire(host: Host) -> Result<(), Failure> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "minimal.toml".to_owned());
    let config: Config = config::load_file(Path::new(&path))?;
    info!(config = %config::effective(&config), "configuration {}", config::fingerprint(&config));
    let token = RunFile::new_token()?;
    let server = Server::bind(ServerOptions::new(vec![config.listen.parse()?], token.clone()))?;
    let addresses = BTreeMap::from([("api".to_owned(), format!("http://{}", server.addresses()[0]))]);
    work(&host);
    server.mount("/api/minimal", Router::new().route("/v1/hello", get(|| async { "hello" }))).start(&host)?;
    RunFile::of_this_process(nightdesk_units::Timestamp(0), addresses, &token)
        .publish(&host, config.data_dir.as_ref())?;
    Ok(())
}

/// An event loop that beats until it is told to end.
fn work(host: &Host) {
    let end = std::sync::Arc::new(Notify::new());
    let (told, heart) = (end.clone(), host.health().heartbeat("work", Duration::from_secs(5)));
    let task = async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = ticks.tick() => heart.beat(),
                () = told.notified() => return Ok::<(), Failure>(()),
            }
        }
    };
    host.register("work", task, move || async move {
        end.notify_one();
        Ok::<(), Failure>(())
    });
}
