//! A small client: signs, sends, listens.

use std::time::Duration;

use aws_lc_rs::hmac;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::{Config, ExchangeSimulator, KeySpec};

pub(super) const KEY: &str = "key-1";
pub(super) const SECRET: &str = "secret-1";

/// An answer: status, headers, body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn code(&self) -> i64 {
        self.body["code"].as_i64().unwrap_or(0)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer that must be good.
    pub(super) fn good(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// A running exchange and a client of it.
pub(super) struct Exchange {
    pub(super) sim: ExchangeSimulator,
    http: reqwest::Client,
}

pub(super) fn config() -> Config {
    let mut config = Config::new(vec![format!("{KEY}:{SECRET}").parse::<KeySpec>().unwrap()]);
    config.control = Some("127.0.0.1:0".parse().unwrap());
    config.balances =
        vec![("USDT".parse().unwrap(), "100000".parse().unwrap()), ("BTC".parse().unwrap(), "1".parse().unwrap())];
    config
}

pub(super) fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

pub(super) fn sign(payload: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), payload.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Exchange {
    /// Opens with `config` and stands the market still as soon as there is a book, so that prices stay where they are.
    pub(super) async fn open(config: Config) -> Self {
        let exchange = Self::running(config).await;
        exchange.within(async |e| e.best("BTCUSDT").await.0 > 0.0).await;
        exchange.control_post("/market", json!({ "paused": true })).await.good();
        exchange
    }

    /// Opens with the market going on.
    pub(super) async fn running(config: Config) -> Self {
        let sim = ExchangeSimulator::start(config).await.unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { sim, http }
    }

    /// Asks until `check` holds.
    pub(super) async fn within(&self, mut check: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..1_000 {
            if check(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come true within ten seconds");
    }

    pub(super) async fn try_send(
        &self,
        method: &str,
        path: &str,
        query: &str,
        key: bool,
    ) -> Result<Reply, reqwest::Error> {
        let url = format!("http://{}{path}?{query}", self.sim.address());
        let mut request = self.http.request(method.parse().unwrap(), url);
        if key {
            request = request.header("X-MBX-APIKEY", KEY);
        }
        Self::reply(request.send().await?).await
    }

    async fn reply(response: reqwest::Response) -> Result<Reply, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Reply { status, headers, body })
    }

    pub(super) async fn get(&self, path: &str, query: &str) -> Reply {
        self.try_send("GET", path, query, false).await.unwrap()
    }

    pub(super) async fn try_signed(&self, method: &str, path: &str, query: &str) -> Result<Reply, reqwest::Error> {
        let join = if query.is_empty() { "" } else { "&" };
        let payload = format!("{query}{join}timestamp={}", now_ms());
        let signed = format!("{payload}&signature={}", sign(&payload));
        self.try_send(method, path, &signed, true).await
    }

    pub(super) async fn signed(&self, method: &str, path: &str, query: &str) -> Reply {
        self.try_signed(method, path, query).await.unwrap()
    }

    /// Best bid and ask.
    pub(super) async fn best(&self, symbol: &str) -> (f64, f64) {
        let book = self.get("/api/v3/ticker/bookTicker", &format!("symbol={symbol}")).await.good();
        let price = |name: &str| book[name].as_str().unwrap().parse().unwrap();
        (price("bidPrice"), price("askPrice"))
    }

    /// Places a limit order to buy 0.001 BTC well below the market.
    pub(super) async fn rest_order(&self, id: &str) -> Reply {
        let query = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId={id}"
        );
        self.signed("POST", "/api/v3/order", &query).await
    }

    /// Buys 0.001 BTC at the market.
    pub(super) async fn market_order(&self, id: &str) -> Reply {
        let query = format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId={id}");
        self.signed("POST", "/api/v3/order", &query).await
    }

    fn control_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.sim.control_address().unwrap())
    }

    pub(super) async fn control_post(&self, path: &str, body: Value) -> Reply {
        let request = self.http.post(self.control_url(path)).body(body.to_string());
        Self::reply(request.send().await.unwrap()).await.unwrap()
    }

    pub(super) async fn fault(&self, fault: Value) {
        self.control_post("/faults", fault).await.good();
    }

    pub(super) async fn clear_faults(&self) {
        Self::reply(self.http.delete(self.control_url("/faults")).send().await.unwrap()).await.unwrap().good();
    }

    pub(super) async fn control_get(&self, path: &str) -> Reply {
        Self::reply(self.http.get(self.control_url(path)).send().await.unwrap()).await.unwrap()
    }

    /// The record's lines about `event`.
    pub(super) async fn record(&self, event: &str) -> Vec<Value> {
        let text = self.http.get(self.control_url("/record")).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }

    pub(super) async fn stream(&self, path: &str) -> Stream {
        let (socket, _) = connect_async(format!("ws://{}{path}", self.sim.address())).await.unwrap();
        Stream { socket, pings: 0, pong: true }
    }
}

/// A WebSocket.
pub(super) struct Stream {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(super) pings: u32,
    /// Whether pings are answered.
    pub(super) pong: bool,
}

impl Stream {
    pub(super) async fn send(&mut self, message: Value) {
        self.socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    /// The next text as JSON; `None` when the connection has ended.
    pub(super) async fn next(&mut self) -> Option<Value> {
        self.next_text().await.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn next_text(&mut self) -> Option<String> {
        loop {
            let next = if self.pong {
                tokio::time::timeout(Duration::from_secs(10), self.socket.next()).await.expect("ten seconds of silence")
            } else {
                // Reading would answer pings: look at the raw socket only for its end.
                return self.raw_end().await;
            };
            match next? {
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Ping(_)) => self.pings += 1,
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn raw_end(&mut self) -> Option<String> {
        use tokio::io::AsyncReadExt;
        let mut bytes = [0u8; 1_024];
        loop {
            let read = self.socket.get_mut().read(&mut bytes);
            let read = tokio::time::timeout(Duration::from_secs(10), read).await.expect("ten seconds of silence");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next message that `wanted` takes.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Sends a request to the WebSocket API and gives its answer.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(json!({ "id": method, "method": method, "params": params })).await;
        self.until(|message| message["id"] == method).await
    }

    /// The same, signed by HMAC.
    pub(super) async fn call_signed(&mut self, method: &str, mut params: Value) -> Value {
        params["apiKey"] = json!(KEY);
        params["timestamp"] = json!(u64::try_from(now_ms()).unwrap());
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // A map of serde_json is sorted by name.
        let pairs: Vec<_> = params.as_object().unwrap().iter().map(|(k, v)| format!("{k}={}", text(v))).collect();
        params["signature"] = json!(sign(&pairs.join("&")));
        self.call(method, params).await
    }
}
