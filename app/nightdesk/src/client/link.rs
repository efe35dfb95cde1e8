//! The way to a running process: found by `run.json`, spoken to over its own API.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use nightdesk_core_engine::api::Problem;
use nightdesk_host::{Failure, RunFile, Status as Exit};
use nightdesk_platform::Secret;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// How long an answer may take: a little longer than the server's own limit, whose words are better.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// Between two looks at something that is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A running process.
pub(super) struct Link {
    file: RunFile,
    core: Core,
    runtime: Runtime,
}

impl Link {
    /// Finds the process that runs on `dir`.
    pub(super) fn find(dir: &Path) -> Result<Self, Failure> {
        let file = RunFile::read(dir)?;
        // A cluster has several core-engines, of which one acts.
        let bases: Vec<String> =
            file.addresses.iter().filter(|(name, _)| name.starts_with("api")).map(|(_, base)| base.clone()).collect();
        if bases.is_empty() {
            return Err(Failure::new(Exit::Fault, format!("process {} does not say where its API is", file.pid)));
        }
        let core = Core::new(bases, &Secret::new(file.token.clone()))?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { file, core, runtime })
    }

    /// Who it is, for people.
    pub(super) fn about(&self) -> String {
        let RunFile { pid, version, started_at, .. } = &self.file;
        format!("nightdesk {version}, process {pid} since {started_at}, at {}", self.core.bases.join(" and "))
    }

    pub(super) const fn pid(&self) -> u32 {
        self.file.pid
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.get_with(path, &[])
    }

    pub(super) fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let asked = self.core.ask(Method::GET, path, query, None, ANSWER_WITHIN);
        self.runtime.block_on(asked).map_err(|failure| self.named(failure))
    }

    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.post_within(path, body, ANSWER_WITHIN)
    }

    pub(super) fn post_within(&self, path: &str, body: Option<&Value>, limit: Duration) -> Result<Value, Failure> {
        let asked = self.core.ask(Method::POST, path, &[], body, limit);
        self.runtime.block_on(asked).map_err(|failure| self.named(failure))
    }

    /// A failure to reach the process names it.
    fn named(&self, failure: Failure) -> Failure {
        match failure.status() {
            Exit::Unavailable => Failure::new(Exit::Unavailable, format!("process {} {failure}", self.file.pid)),
            _ => failure,
        }
    }
}

/// How long a takeover is waited for while no core-engine acts.
const TAKEOVER: Duration = Duration::from_secs(5);

/// core-engine's API, at whichever of its replicas acts.
pub(crate) struct Core {
    bases: Vec<String>,
    token: Secret,
    http: reqwest::Client,
}

/// Why an address did not do what was asked.
enum Refusal {
    /// It had not heard it: another may.
    Elsewhere(Failure),
    Final(Failure),
}

impl Core {
    /// The replicas at `bases`, which `token` opens.
    pub(crate) fn new(bases: Vec<String>, token: &Secret) -> Result<Self, Failure> {
        // The token must reach nobody but this machine's own processes.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { bases, token: token.clone(), http })
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, &[], None, ANSWER_WITHIN).await
    }

    /// Has something done; a null body is none.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, &[], (!body.is_null()).then_some(body), ANSWER_WITHIN).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let pairs = query.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let began = Instant::now();
        loop {
            let mut first = None;
            for base in &self.bases {
                let url = format!("{base}/api/core{path}?{query}");
                match self.ask_one(method.clone(), url.trim_end_matches('?'), base, body, limit).await {
                    Err(Refusal::Elsewhere(failure)) => drop(first.get_or_insert(failure)),
                    Err(Refusal::Final(failure)) => return Err(failure),
                    Ok(answer) => return Ok(answer),
                }
            }
            let failure = first.unwrap_or_else(|| Failure::new(Exit::Unavailable, "does not say where its API is"));
            // One that is alone will not be replaced.
            if self.bases.len() == 1 || began.elapsed() > TAKEOVER {
                return Err(failure);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn ask_one(
        &self,
        method: Method,
        url: &str,
        base: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, Refusal> {
        let mut request = self.http.request(method, url).timeout(limit).header("x-nightdesk-actor", actor());
        request = request.bearer_auth(self.token.expose_str().unwrap_or_default());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| unreachable(base, &error, limit))?;
        let status = response.status();
        if status.is_success() {
            return content(response).await.map_err(Refusal::Final);
        }
        Err(refused(status, response).await)
    }
}

fn unreachable(base: &str, error: &reqwest::Error, limit: Duration) -> Refusal {
    if error.is_timeout() {
        let seconds = limit.as_secs();
        let text = format!("nobody has answered at {base} within {seconds} s");
        return Refusal::Final(Failure::new(Exit::TryAgain, text));
    }
    // The outermost text repeats the address; the innermost says why.
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let failure = Failure::new(Exit::Unavailable, format!("does not answer at {base}: {cause}"));
    if error.is_connect() { Refusal::Elsewhere(failure) } else { Refusal::Final(failure) }
}

/// Looks until there is something to see; none when time runs out.
pub(super) fn until<T>(
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if began.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

async fn content(response: Response) -> Result<Value, Failure> {
    let bytes = response.bytes().await?;
    if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
}

/// What the process says about why it did not do it.
async fn refused(status: StatusCode, response: Response) -> Refusal {
    let answer: Value = match response.bytes().await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => Value::Null,
    };
    let detail = match Problem::deserialize(&answer) {
        Ok(problem) => problem.detail,
        Err(_) => format!("it answered {status} without saying why"),
    };
    let exit = match status.as_u16() {
        401 | 403 | 500 => Exit::Fault,
        503 => Exit::TryAgain,
        _ => Exit::No,
    };
    let failure = Failure::new(exit, detail);
    if answer["standby"] == true { Refusal::Elsewhere(failure) } else { Refusal::Final(failure) }
}

/// An answer in its own shape.
pub(super) fn read<T: DeserializeOwned>(json: &Value) -> Result<T, Failure> {
    let strange = |error| {
        let text = format!("the running process answers in a shape that this version does not know: {error}");
        Failure::new(Exit::Fault, text)
    };
    T::deserialize(json).map_err(strange)
}

/// Who asks, for the journal.
pub(super) fn actor() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user: String = user.unwrap_or_default().chars().filter(char::is_ascii_graphic).take(32).collect();
    if user.is_empty() { "cli".to_owned() } else { format!("{user}@cli") }
}

/// Text as a part of an address.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
