//! A strict, scripted exchange: it answers what the script says, checks every signature, and remembers whatever the
//! script did not foresee.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use futures_util::{SinkExt, StreamExt};
use nightdesk_exchange::{Events, ExchangeEvent, NewOrder, Window};
use nightdesk_exchange_binance::{ApiKey, Binance, BinanceEvents, Config, Endpoints};
use nightdesk_market::Side;
use nightdesk_orders::{OrderKind, TimeInForce};
use nightdesk_units::{Micros, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as WsRequest, Response as WsResponse};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub(crate) const API_KEY: &str = "test-key";
pub(crate) const SECRET: &str = "test-secret";
/// No test waits longer for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// What the exchange does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, String),
    /// With extra headers.
    With(u16, Vec<(&'static str, String)>, String),
    /// Takes the request and cuts the connection with a reset.
    Reset,
    /// Takes the request and closes the connection in good order.
    Close,
    /// Takes the request and never answers.
    Silence,
    /// Answers half of what it announces, then closes.
    Half,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Json(200, body.to_string())
    }

    pub(crate) fn error(status: u16, code: i32, msg: &str) -> Self {
        Self::Json(status, json!({ "code": code, "msg": msg }).to_string())
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and path.
    pub(crate) what: String,
    pub(crate) query: BTreeMap<String, String>,
}

#[derive(Default)]
struct Script {
    /// Answers by method and path, each used once.
    once: BTreeMap<String, VecDeque<Reply>>,
    /// Answers by method and path, used when no single one is left.
    always: BTreeMap<String, Reply>,
    seen: Vec<Seen>,
    wrong: Vec<String>,
    /// Exchange time minus ours, in milliseconds.
    ahead_ms: i64,
}

pub(crate) struct Fake {
    pub(crate) config: Config,
    script: Arc<Mutex<Script>>,
    sockets: mpsc::UnboundedReceiver<Socket>,
}

pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl Fake {
    /// Starts the exchange, with time and one instrument, BTCUSDT.
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ws = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (sender, sockets) = mpsc::unbounded_channel();
        let endpoints = Endpoints {
            rest: format!("http://{}", rest.local_addr().unwrap()),
            streams: format!("ws://{}", ws.local_addr().unwrap()),
            ws_api: format!("ws://{}", ws.local_addr().unwrap()),
        };
        tokio::spawn(serve_rest(rest, Arc::clone(&script)));
        tokio::spawn(serve_sockets(ws, sender));
        let mut config = Config::new(endpoints, vec!["BTCUSDT".parse().unwrap()]);
        config.user_stream = false;
        config.streams.quotes = false;
        config.streams.trades = false;
        config.streams.depth = false;
        config.requests_per_second = 1_000;
        config.request_limit = Duration::from_millis(500);
        config.backoff = (Duration::from_millis(20), Duration::from_millis(100));
        config.overlap = Duration::from_millis(100);
        let fake = Self { config, script, sockets };
        fake.always("GET /api/v3/exchangeInfo", Reply::ok(exchange_info("0.01")));
        fake
    }

    pub(crate) fn connect(&self) -> (Arc<Binance>, BinanceEvents) {
        Binance::connect(self.config.clone(), ApiKey::hmac(API_KEY, SECRET).unwrap()).unwrap()
    }

    pub(crate) async fn connect_ready(&self) -> (Arc<Binance>, BinanceEvents) {
        let (binance, events) = self.connect();
        timeout(LIMIT, binance.ready()).await.expect("the adapter becomes ready");
        (binance, events)
    }

    pub(crate) fn once(&self, what: &str, reply: Reply) {
        self.script.lock().unwrap().once.entry(what.to_owned()).or_default().push_back(reply);
    }

    pub(crate) fn always(&self, what: &str, reply: Reply) {
        self.script.lock().unwrap().always.insert(what.to_owned(), reply);
    }

    pub(crate) fn set_clock_ahead(&self, ms: i64) {
        self.script.lock().unwrap().ahead_ms = ms;
    }

    /// Requests of this kind that arrived.
    pub(crate) fn seen(&self, what: &str) -> Vec<Seen> {
        self.script.lock().unwrap().seen.iter().filter(|seen| seen.what == what).cloned().collect()
    }

    /// Waits until `count` requests of this kind have arrived.
    pub(crate) async fn wait_for(&self, what: &str, count: usize) {
        let wait = async {
            while self.seen(what).len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("{count} × {what} arrive"));
    }

    /// The next connection to a stream.
    pub(crate) async fn socket(&mut self) -> Socket {
        timeout(LIMIT, self.sockets.recv()).await.expect("a connection is opened").unwrap()
    }

    /// The next connection to the market stream, subscribed.
    pub(crate) async fn market(&mut self) -> Socket {
        let mut socket = self.socket().await;
        socket.accept_subscription().await;
        socket
    }

    /// The next connection to the user stream, subscribed with a shared secret.
    pub(crate) async fn user(&mut self) -> Socket {
        let mut socket = self.socket().await;
        socket.accept_user().await;
        socket
    }

    /// Fails if anything happened that the script did not foresee.
    pub(crate) fn check(&self) {
        let script = self.script.lock().unwrap();
        assert!(script.wrong.is_empty(), "the exchange objects: {:#?}", script.wrong);
        let left: Vec<_> = script.once.iter().filter(|(_, replies)| !replies.is_empty()).collect();
        assert!(left.is_empty(), "never asked for: {left:#?}");
    }
}

pub(crate) fn exchange_info(tick: &str) -> Value {
    json!({
        "timezone": "UTC", "serverTime": 0, "exchangeFilters": [],
        "rateLimits": [
            { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000 },
            { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100 },
        ],
        "symbols": [{
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
            "filters": [
                { "filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": tick },
                { "filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001" },
                { "filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": true, "maxNotional": "9000000.0" },
            ],
        }],
    })
}

async fn serve_rest(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_connection(stream, Arc::clone(&script)));
    }
}

async fn serve_connection(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    while let Some(head) = read_head(&mut stream).await {
        let reply = answer(&head, &script);
        let (status, headers, body) = match reply {
            Reply::Json(status, body) => (status, Vec::new(), body),
            Reply::With(status, headers, body) => (status, headers, body),
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::Close => return,
            Reply::Silence => {
                tokio::time::sleep(LIMIT).await;
                return;
            }
            Reply::Half => {
                let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"symbol\":";
                stream.write_all(half.as_bytes()).await.unwrap();
                return;
            }
        };
        let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

fn answer(head: &str, script: &Mutex<Script>) -> Reply {
    let mut script = script.lock().unwrap();
    let line = head.lines().next().unwrap();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let what = format!("{method} {path}");
    if let Err(wrong) = check_signature(head, query, script.ahead_ms) {
        script.wrong.push(format!("{what}: {wrong}"));
    }
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    script.seen.push(Seen { what: what.clone(), query });
    if let Some(reply) = script.once.get_mut(&what).and_then(VecDeque::pop_front) {
        return reply;
    }
    if let Some(reply) = script.always.get(&what) {
        return reply.clone();
    }
    if what == "GET /api/v3/time" {
        return Reply::ok(json!({ "serverTime": now_ms() + script.ahead_ms }));
    }
    script.wrong.push(format!("{what}: not in the script"));
    Reply::error(400, -1, "not in the script")
}

fn check_signature(head: &str, query: &str, ahead_ms: i64) -> Result<(), String> {
    let Some((signed, signature)) = query.split_once("&signature=") else { return Ok(()) };
    let expected = sign(signed);
    if signature != expected {
        return Err(format!("signature {signature}, expected {expected}"));
    }
    if !head.to_ascii_lowercase().contains(&format!("x-mbx-apikey: {API_KEY}")) {
        return Err("no API key in the header".to_owned());
    }
    let value = |name: &str| {
        let start = signed.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        start.and_then(|text| text.parse::<i64>().ok()).ok_or_else(|| format!("no {name}"))
    };
    let (mut timestamp, recv_window) = (value("timestamp")?, value("recvWindow")?);
    if timestamp > 100_000_000_000_000 {
        timestamp /= 1_000;
    }
    let now = now_ms() + ahead_ms;
    if timestamp >= now + 1_000 || now - timestamp > recv_window {
        return Err(format!("timestamp {timestamp} at {now}"));
    }
    Ok(())
}

pub(crate) fn sign(text: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serve_sockets(listener: TcpListener, sender: mpsc::UnboundedSender<Socket>) {
    while let Ok((stream, _)) = listener.accept().await {
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut path = String::new();
            #[allow(clippy::result_large_err, reason = "the library's own signature")]
            let callback = |request: &WsRequest, response: WsResponse| {
                path = request.uri().to_string();
                Ok(response)
            };
            if let Ok(inner) = accept_hdr_async(stream, callback).await {
                drop(sender.send(Socket { path, inner }));
            }
        });
    }
}

/// The exchange's end of a WebSocket.
pub(crate) struct Socket {
    pub(crate) path: String,
    inner: WebSocketStream<TcpStream>,
}

impl Socket {
    /// The next text from the adapter; `None` when it has closed.
    pub(crate) async fn receive(&mut self) -> Option<Value> {
        loop {
            match timeout(LIMIT, self.inner.next()).await.expect("the adapter says something") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.inner.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn ping(&mut self) {
        self.inner.send(Message::Ping(Vec::new().into())).await.unwrap();
    }

    /// Cuts the connection without a word.
    pub(crate) fn cut(self) {}

    /// Takes the subscription of a market stream; returns the streams asked for.
    pub(crate) async fn accept_subscription(&mut self) -> Vec<String> {
        assert!(self.path.starts_with("/stream"), "{}", self.path);
        let message = self.receive().await.unwrap();
        assert_eq!(message["method"], "SUBSCRIBE");
        self.send(&json!({ "result": null, "id": message["id"] })).await;
        message["params"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Takes the subscription of a user stream, if its signature is good.
    pub(crate) async fn accept_user(&mut self) {
        assert!(self.path.starts_with("/ws-api/v3"), "{}", self.path);
        let message = self.receive().await.unwrap();
        assert_eq!(message["method"], "userDataStream.subscribe.signature");
        let params = &message["params"];
        let text = format!("apiKey={API_KEY}&recvWindow={}&timestamp={}", params["recvWindow"], params["timestamp"]);
        assert_eq!(params["signature"], sign(&text));
        self.send(&json!({ "id": message["id"], "status": 200, "result": { "subscriptionId": 0 } })).await;
    }

    pub(crate) async fn trade(&mut self, id: u64) {
        let data = json!({ "e": "trade", "E": 1, "s": "BTCUSDT", "t": id, "p": "100.00", "q": "1.0", "T": now_ms(), "m": true });
        self.send(&json!({ "stream": "btcusdt@trade", "data": data })).await;
    }

    pub(crate) async fn depth(&mut self, first: u64, last: u64) {
        let data = json!({ "e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": [["99.00", "1.0"]], "a": [] });
        self.send(&json!({ "stream": "btcusdt@depth@100ms", "data": data })).await;
    }

    pub(crate) async fn candle(&mut self, open_ms: i64, closed: bool) {
        let k = json!({ "t": open_ms, "T": open_ms + 999, "s": "BTCUSDT", "i": "1s", "f": 1, "L": 2, "o": "1.00", "c": "1.00",
            "h": "1.00", "l": "1.00", "v": "1.0", "n": 2, "x": closed, "q": "1.0", "V": "1.0", "Q": "1.0", "B": "0" });
        let data = json!({ "e": "kline", "E": 1, "s": "BTCUSDT", "k": k });
        self.send(&json!({ "stream": "btcusdt@kline_1s", "data": data })).await;
    }

    pub(crate) async fn report(&mut self, id: &str, status: &str, at_ms: i64) {
        let event = json!({ "e": "executionReport", "E": at_ms, "s": "BTCUSDT", "c": id, "S": "BUY", "o": "LIMIT", "f": "GTC",
            "q": "1.0", "p": "100.00", "C": "", "x": status, "X": status, "r": "NONE", "i": 1, "l": "0", "z": "0", "L": "0",
            "n": "0", "N": null, "T": at_ms, "t": -1, "I": 1, "w": true, "m": false, "M": false, "O": at_ms, "Z": "0" });
        self.send(&json!({ "subscriptionId": 0, "event": event })).await;
    }
}

/// The next event that is not a mere sign of life.
pub(crate) async fn next(events: &mut BinanceEvents) -> ExchangeEvent {
    loop {
        match timeout(LIMIT, events.next()).await.expect("an event comes").expect("the stream goes on") {
            ExchangeEvent::Alive { .. } => {}
            event => return event,
        }
    }
}

pub(crate) fn order(id: &str) -> NewOrder {
    NewOrder {
        symbol: "BTCUSDT".parse().unwrap(),
        client_order_id: id.parse().unwrap(),
        side: Side::Buy,
        kind: OrderKind::Limit { price: "100.5".parse().unwrap(), tif: TimeInForce::Gtc },
        qty: "0.25".parse().unwrap(),
    }
}

pub(crate) fn window() -> Window {
    Window { timestamp: Timestamp::from_millis(now_ms()), recv_window: Micros::from_secs(2) }
}

pub(crate) fn placed(id: &str) -> Value {
    json!({ "symbol": "BTCUSDT", "orderId": 1, "orderListId": -1, "clientOrderId": id, "transactTime": now_ms(),
        "price": "100.50000000", "origQty": "0.25000000", "executedQty": "0.00000000", "cummulativeQuoteQty": "0.00000000",
        "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "fills": [] })
}
