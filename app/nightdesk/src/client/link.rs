//! The way to a running process: found by `run.json`, spoken to over its own API.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use nightdesk_core_engine::api::Problem;
use nightdesk_host::{Failure, RunFile, Status as Exit};
use reqwest::{Method, Response, StatusCode};
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
    base: String,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Link {
    /// Finds the process that runs on `dir`.
    pub(super) fn find(dir: &Path) -> Result<Self, Failure> {
        let file = RunFile::read(dir)?;
        let Some(base) = file.addresses.get("api").cloned() else {
            return Err(Failure::new(Exit::Fault, format!("process {} does not say where its API is", file.pid)));
        };
        // The token must reach nobody but this machine's own process.
        let http = reqwest::Client::builder().no_proxy().build()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { file, base, http, runtime })
    }

    /// Who it is, for people.
    pub(super) fn about(&self) -> String {
        let RunFile { pid, version, started_at, .. } = &self.file;
        format!("nightdesk {version}, process {pid} since {started_at}, at {}", self.base)
    }

    pub(super) const fn pid(&self) -> u32 {
        self.file.pid
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, &[], None, ANSWER_WITHIN)
    }

    pub(super) fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(Method::GET, path, query, None, ANSWER_WITHIN)
    }

    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.post_within(path, body, ANSWER_WITHIN)
    }

    pub(super) fn post_within(&self, path: &str, body: Option<&Value>, limit: Duration) -> Result<Value, Failure> {
        self.ask(Method::POST, path, &[], body, limit)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let pairs = query.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let url = format!("{}/api/core{path}?{query}", self.base);
        let mut request = self.http.request(method, url.trim_end_matches('?')).timeout(limit);
        request = request.bearer_auth(&self.file.token).header("x-nightdesk-actor", actor());
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.unreachable(&error, limit))?;
            let status = response.status();
            if status.is_success() { content(response).await } else { Err(refused(status, response).await) }
        })
    }

    fn unreachable(&self, error: &reqwest::Error, limit: Duration) -> Failure {
        let (pid, base) = (self.file.pid, &self.base);
        if error.is_timeout() {
            let seconds = limit.as_secs();
            return Failure::new(
                Exit::TryAgain,
                format!("process {pid} has not answered at {base} within {seconds} s"),
            );
        }
        // The outermost text repeats the address; the innermost says why.
        let mut cause: &dyn Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Failure::new(Exit::Unavailable, format!("process {pid} does not answer at {base}: {cause}"))
    }
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
async fn refused(status: StatusCode, response: Response) -> Failure {
    let detail = match response.bytes().await.map(|bytes| serde_json::from_slice::<Problem>(&bytes)) {
        Ok(Ok(problem)) => problem.detail,
        _ => format!("it answered {status} without saying why"),
    };
    let exit = match status.as_u16() {
        401 | 403 | 500 => Exit::Fault,
        503 => Exit::TryAgain,
        _ => Exit::No,
    };
    Failure::new(exit, detail)
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
