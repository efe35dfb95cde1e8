use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Json;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures_util::StreamExt;
use nightdesk_platform::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::exit::Status;
use crate::life::Host;
use crate::metrics::Metrics;

const TOKEN: &str = "t0ken";

fn host() -> Host {
    Host::new("test", Duration::from_secs(5), Metrics::new()).0
}

fn api() -> Router {
    Router::new()
        .route("/v1/orders", get(|| async { "orders" }))
        .route("/v1/echo", post(|body: Json<Value>| async { body }))
        .route("/v1/slow", get(std::future::pending::<&'static str>))
        .route("/v1/bug", get(|| async { if TOKEN.is_empty() { "fine" } else { panic!("index out of range") } }))
        .route(
            "/v1/own",
            get(|| async { HttpProblem::new(axum::http::StatusCode::CONFLICT, "held").with("mode", "halted") }),
        )
        .route("/v1/events", get(events))
}

async fn events() -> Sse<impl futures_util::Stream<Item = Result<Event, std::convert::Infallible>>> {
    let first = futures_util::stream::iter([Ok(Event::default().data("first"))]);
    Sse::new(first.chain(futures_util::stream::pending()))
}

fn options() -> ServerOptions {
    let mut options = ServerOptions::new(vec!["127.0.0.1:0".parse().unwrap()], Secret::new(TOKEN));
    options.timeout = Duration::from_millis(200);
    options.body_bytes_max = 1_000;
    options
}

/// Starts a server on a free port.
fn serve(host: &Host) -> SocketAddr {
    let server = Server::bind(options()).unwrap();
    let address = server.addresses()[0];
    let open = Router::new().route("/", get(|| async { "status page" }));
    let server = server.mount("/api/core", api()).mount_open("/", open);
    server.document("/api/core/openapi.json", json!({ "openapi": "3.1.0" })).start(host).unwrap();
    address
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn is_problem(&self, status: u16) -> bool {
        self.status == status
            && self.head.contains("content-type: application/problem+json")
            && self.json()["status"] == status
            && self.json()["title"].is_string()
            && self.json()["instance"].as_str().is_some_and(|path| path.starts_with('/'))
    }
}

async fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer { status: head[9..12].parse().unwrap(), head: head.to_lowercase(), body: body.to_owned() }
}

async fn get_with_token(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, "authorization: Bearer t0ken\r\n", "").await
}

#[tokio::test]
async fn the_token_opens_apis_and_nothing_else_needs_it() {
    let host = host();
    let address = serve(&host);
    assert_eq!(get_with_token(address, "/api/core/v1/orders").await.body, "orders");
    for headers in
        ["", "authorization: Bearer wrong\r\n", "authorization: Basic t0ken\r\n", "authorization: Bearer \r\n"]
    {
        let refused = ask(address, "GET", "/api/core/v1/orders", headers, "").await;
        assert!(refused.is_problem(401), "{headers}");
        assert!(refused.head.contains("www-authenticate: bearer"));
    }
    for path in ["/", "/health", "/ready", "/metrics", "/api/core/openapi.json"] {
        assert_eq!(ask(address, "GET", path, "", "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let host = host();
    let address = serve(&host);
    let token = "authorization: Bearer t0ken\r\n";
    assert!(get_with_token(address, "/nowhere").await.is_problem(404));
    assert!(get_with_token(address, "/api/core/v2/orders").await.is_problem(404));
    let not_allowed = ask(address, "DELETE", "/api/core/v1/orders", token, "").await;
    assert!(not_allowed.is_problem(405));
    assert!(not_allowed.head.contains("allow: get"), "{}", not_allowed.head);
    let json_type = format!("{token}content-type: application/json\r\n");
    assert!(ask(address, "POST", "/api/core/v1/echo", token, "{}").await.is_problem(415));
    let broken = ask(address, "POST", "/api/core/v1/echo", &json_type, "{\"a\": ").await;
    assert!(broken.is_problem(400), "{}", broken.body);
    let large = format!("\"{}\"", "x".repeat(2_000));
    assert!(ask(address, "POST", "/api/core/v1/echo", &json_type, &large).await.is_problem(413));
    assert!(get_with_token(address, "/api/core/v1/slow").await.is_problem(503));
    let bug = get_with_token(address, "/api/core/v1/bug").await;
    assert!(bug.is_problem(500) && !bug.body.contains("index"), "{}", bug.body);
    let own = get_with_token(address, "/api/core/v1/own").await;
    assert!(own.is_problem(409));
    assert_eq!((own.json()["detail"].as_str(), own.json()["mode"].as_str()), (Some("held"), Some("halted")));
    assert_eq!(get_with_token(address, "/api/core/v1/orders").await.status, 200, "a panic harms nobody else");
}

#[tokio::test]
async fn requests_are_named_and_only_harmless_names_are_taken_over() {
    let host = host();
    let address = serve(&host);
    let given = ask(address, "GET", "/health", "x-request-id: abc-1\r\n", "").await;
    assert!(given.head.contains("x-request-id: abc-1"));
    let bad = ask(address, "GET", "/health", "x-request-id: a b<script>\r\n", "").await;
    assert!(bad.head.contains("x-request-id: ") && !bad.head.contains("script"));
}

#[tokio::test]
async fn readiness_names_each_dependency_and_health_each_loop() {
    let host = host();
    let address = serve(&host);
    let exchange = host.health().dependency("exchange");
    host.health().check("store", || State::UpBut("slow disk".to_owned()));
    let answer = ask(address, "GET", "/ready", "", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["dependencies"]["exchange"]["reason"], "not tried yet");
    exchange.set(State::Up);
    let answer = ask(address, "GET", "/ready", "", "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ready")));
    assert_eq!(answer.json()["dependencies"]["store"]["remark"], "slow disk");

    let heart = host.health().heartbeat("core-engine", Duration::from_secs(5));
    heart.beat();
    let answer = ask(address, "GET", "/health", "", "").await;
    assert_eq!((answer.status, &answer.json()["services"]["core-engine"]["status"]), (200, &json!("up")));
    let _stuck = host.health().heartbeat("capital-manager", Duration::ZERO);
    let answer = ask(address, "GET", "/health", "", "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("down")));
    let metrics = ask(address, "GET", "/metrics", "", "").await.body;
    assert!(metrics.contains("nightdesk_service_up{service=\"capital-manager\"} 0"), "{metrics}");
    assert!(metrics.contains("service_availability{service=\"core-engine\"} 1"));
}

#[tokio::test]
async fn a_stopping_process_refuses_new_work_but_stays_visible() {
    let host = host();
    let address = serve(&host);
    host.stop("test");
    let refused = get_with_token(address, "/api/core/v1/orders").await;
    assert!(refused.is_problem(503));
    assert!(refused.head.contains("retry-after"));
    assert_eq!(ask(address, "GET", "/health", "", "").await.status, 200);
    let ready = ask(address, "GET", "/ready", "", "").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("stopping")));
}

#[tokio::test]
async fn event_streams_end_at_the_stop_and_the_server_drains() {
    let host = host();
    let address = serve(&host);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /api/core/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t0ken\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("data: first") {
        let mut chunk = [0; 1_024];
        let n = stream.read(&mut chunk).await.unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..n]));
    }
    let began = std::time::Instant::now();
    host.stop("test");
    let failures = host.drain().await;
    assert!(failures.is_empty(), "{failures:?}");
    stream.read_to_string(&mut seen).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "nobody had to be cut off");
    assert!(TcpStream::connect(address).await.is_err(), "the door is shut");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_remedy() {
    let first = Server::bind(options()).unwrap();
    let address = first.addresses()[0];
    let error = Server::bind(ServerOptions::new(vec![address], Secret::new(TOKEN))).err().unwrap();
    assert_eq!(error.status(), Status::TryAgain);
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("in use") && text.contains("ss -ltnp"), "{text}");
    let elsewhere = ServerOptions::new(vec!["192.0.2.1:0".parse().unwrap()], Secret::new(TOKEN));
    assert_eq!(Server::bind(elsewhere).err().unwrap().status(), Status::BadConfig);
}

#[test]
fn secrets_are_compared_whole() {
    assert!(constant_time_eq(b"t0ken", b"t0ken"));
    assert!(!constant_time_eq(b"t0ken", b"t0keN"));
    assert!(!constant_time_eq(b"t0ken", b"t0ken0"));
    assert!(!constant_time_eq(b"", b"t0ken"));
}
