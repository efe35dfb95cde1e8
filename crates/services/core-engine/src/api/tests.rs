//! The API before a real engine in its shell, over a store in memory and a clock that stands still.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, Response as HttpResponse};
use futures_util::future::{BoxFuture, pending, ready};
use futures_util::task::noop_waker_ref;
use nightdesk_bus::{Bus, BusError, Consumer, Delivery, Interest, MarketStream};
use nightdesk_capital::Collar;
use nightdesk_env::{Activity, Clock, Entropy, Env, NoActivity, VirtualClock};
use nightdesk_market::{Filters, Instrument, MarketEvent, Side};
use nightdesk_orders::{ClientOrderId, IntentId, Order, OrderKind, OrderSpec, Status, TimeInForce};
use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};
use nightdesk_shell::{Ports, ShellError, Stopper, channel, run, stopper};
use nightdesk_store::{Batch, ModelStore, Row, Store, Value as StoreValue};
use nightdesk_units::{Decimal, Micros, Money, Price, Qty, Scale, Timestamp};
use nightdesk_wire::{Envelope, Intent, Message, Queue};
use serde_json::{Value, json};
use tower_service::Service as _;

use super::{Api, Feed};
use crate::tables::{self, BALANCES, FILLS};
use crate::{Config, CoreEngine, Entry, Instance, performer};

const START: Timestamp = Timestamp(1_723_161_600_000_000);

/// A bus that takes everything and delivers what the test says.
struct Wire {
    inbox: async_channel::Receiver<Message>,
}

struct Inbox(async_channel::Receiver<Message>);

impl Consumer for Inbox {
    fn next(&mut self) -> BoxFuture<'_, Option<Delivery>> {
        Box::pin(async {
            match self.0.recv().await {
                Ok(message) => Some(delivery(message)),
                Err(_) => pending().await,
            }
        })
    }

    fn try_next(&mut self) -> Option<Delivery> {
        self.0.try_recv().ok().map(delivery)
    }

    fn ack(&mut self, _: u64) {}
}

fn delivery(message: Message) -> Delivery {
    Delivery { tag: 0, envelope: Envelope { queue: Queue::CORE, id: None, message } }
}

struct Silence;

impl MarketStream for Silence {
    fn next(&mut self) -> BoxFuture<'_, Option<MarketEvent>> {
        Box::pin(pending())
    }

    fn try_next(&mut self) -> Option<MarketEvent> {
        None
    }

    fn handled(&mut self) {}
}

impl Bus for Wire {
    fn publish(&self, _: Envelope) -> BoxFuture<'static, Result<(), BusError>> {
        Box::pin(ready(Ok(())))
    }

    fn consume(&self, _: Queue) -> Result<Box<dyn Consumer>, BusError> {
        Ok(Box::new(Inbox(self.inbox.clone())))
    }

    fn publish_market(&self, _: &MarketEvent) {}

    fn market(&self, _: &str, _: Interest) -> Box<dyn MarketStream> {
        Box::new(Silence)
    }

    fn waiting(&self) -> Vec<(Queue, usize)> {
        Vec::new()
    }
}

struct NoEmergency;

impl EmergencyJournal for NoEmergency {
    fn append(&self, _: &EmergencyRecord) -> Result<(), PlatformError> {
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, _: usize) -> Result<(), PlatformError> {
        Ok(())
    }
}

struct Zero;

impl Entropy for Zero {
    fn next_u64(&self) -> u64 {
        0
    }
}

/// An engine at work and its API.
struct House {
    shell: BoxFuture<'static, Result<(), ShellError>>,
    router: Router,
    clock: VirtualClock,
    store: ModelStore,
    messages: async_channel::Sender<Message>,
    _stop: Stopper,
}

impl House {
    fn new() -> Self {
        let clock = VirtualClock::new(START);
        let store = ModelStore::new("core");
        let (messages, inbox) = async_channel::bounded(1_000);
        let bus: Arc<dyn Bus> = Arc::new(Wire { inbox });
        let activity: Arc<dyn Activity> = Arc::new(NoActivity);
        let (core, events) = channel(&activity, 16);
        let (stop, stopped) = stopper();
        let feed = Feed::default();
        let tapped = feed.tap(Arc::new(store.clone()));
        let emergency: Arc<dyn EmergencyJournal> = Arc::new(NoEmergency);
        let env = Env { clock: Arc::new(clock.clone()), entropy: Arc::new(Zero), activity };
        let ports = Ports {
            env: env.clone(),
            store: Arc::clone(&tapped),
            queue: bus.consume(Queue::CORE).unwrap(),
            bus,
            emergency: Arc::clone(&emergency),
            control: None,
            market: None,
            events,
            source: None,
            perform: Box::new(performer(env, Arc::clone(&tapped), emergency)),
            stop: stopped,
            status: Arc::default(),
        };
        let shell = Box::pin(run(CoreEngine::new(config()), ports));
        let router = Api::new(core, tapped, Arc::new(clock.clone()), feed).router();
        Self { shell, router, clock, store, messages, _stop: stop }
    }

    /// Lets the engine work while `future` waits, and time pass when both do.
    fn wait<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        let mut context = Context::from_waker(noop_waker_ref());
        for round in 0..10_000 {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
            let _ = self.shell.as_mut().poll(&mut context);
            if round % 10 == 9 {
                self.clock.wake_next(self.clock.now() + Micros::from_secs(10));
            }
        }
        panic!("nothing comes");
    }

    fn send(&mut self, method: &str, path: &str, body: Option<&str>, actor: Option<&str>) -> HttpResponse<Body> {
        let mut request = HttpRequest::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(actor) = actor {
            request = request.header("x-nightdesk-actor", actor);
        }
        let request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_owned()))).unwrap();
        // As the application mounts it.
        let answer = Router::new().nest("/api/core", self.router.clone()).call(request);
        self.wait(answer).unwrap()
    }

    /// Status and body.
    fn ask(&mut self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let response = self.send(method, &format!("/api/core{path}"), body, Some("tester"));
        let (status, problem) = (response.status().as_u16(), media_type(&response) == "application/problem+json");
        let bytes = self.wait(axum::body::to_bytes(response.into_body(), usize::MAX)).unwrap();
        let value: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        assert_eq!(status >= 400, problem, "{method} {path}: {value}");
        if problem {
            for member in ["type", "title", "detail"] {
                assert!(value[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {value}");
            }
            let path = path.split('?').next().unwrap();
            assert_eq!((&value["status"], &value["instance"]), (&json!(status), &json!(format!("/api/core{path}"))));
        }
        (status, value)
    }

    fn get(&mut self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    fn tell(&mut self, message: Message) {
        self.messages.try_send(message).unwrap();
        self.settle();
    }

    /// Lets everything happen that needs no time.
    fn settle(&mut self) {
        let mut context = Context::from_waker(noop_waker_ref());
        for _ in 0..10 {
            let _ = self.shell.as_mut().poll(&mut context);
        }
    }

    fn put(&self, rows: Vec<Row>) {
        let mut committed = self.store.commit(Batch { rows, ..Batch::default() });
        assert!(Pin::new(&mut committed).poll(&mut Context::from_waker(noop_waker_ref())).is_ready());
    }
}

fn media_type(response: &HttpResponse<Body>) -> String {
    response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn config() -> Config {
    let instance = |name: &str, strategy: &str| Instance {
        instance: name.parse().unwrap(),
        strategy: strategy.to_owned(),
        symbol: "BTCUSDT".parse().unwrap(),
        generation: 1,
        allocation: "20000".parse().unwrap(),
    };
    let instances = vec![instance("123", "ma-crossover"), instance("456", "grid-trader")];
    Config::new(
        "USDT".parse().unwrap(),
        Collar { percent: "2".parse().unwrap(), fee: "0.1".parse().unwrap() },
        instances,
    )
}

fn intent(number: usize) -> Intent {
    let (instance, key) = ("123".parse().unwrap(), format!("{number}/buy"));
    Intent {
        intent_id: IntentId::derive(instance, 1, &key),
        instance,
        generation: 1,
        key,
        symbol: "BTCUSDT".parse().unwrap(),
        side: Side::Buy,
        kind: OrderKind::Limit { price: "60000.5".parse().unwrap(), tif: TimeInForce::Gtc },
        qty: "0.015".parse().unwrap(),
        reference: "60000".parse().unwrap(),
        decided_at: START,
    }
}

/// What core-engine must know of BTCUSDT to book an execution.
fn instrument() -> Instrument {
    let filters = Filters {
        min_price: "0.01".parse().unwrap(),
        max_price: Price::ZERO,
        min_qty: "0.00001".parse().unwrap(),
        max_qty: Qty::ZERO,
        max_market_qty: Qty::ZERO,
        min_notional: "5".parse().unwrap(),
        min_notional_applies_to_market: true,
        max_notional: Money::ZERO,
        percent_price: None,
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    let [base, quote] = ["BTC", "USDT"].map(|asset| asset.parse().unwrap());
    let scale = Scale { tick: Decimal::new(1, 2), step: Decimal::new(1, 5) };
    Instrument { symbol: "BTCUSDT".parse().unwrap(), base, quote, scale, filters }
}

/// An order's row as the engine writes it; even numbers trade BTCUSDT, odd ones ETHUSDT.
fn order_row(number: usize, status: Status, at: Timestamp) -> Row {
    let Intent { intent_id, instance, key, side, kind, qty, reference, .. } = intent(number);
    let symbol = if number.is_multiple_of(2) { "BTCUSDT" } else { "ETHUSDT" }.parse().unwrap();
    let client_order_id = ClientOrderId::of(instance, intent_id);
    let spec = OrderSpec { client_order_id, intent_id, instance, symbol, side, kind, qty, created_at: at };
    let order = Order { status, ..Order::new(spec) };
    let (fills, reason, worst_cost) = (Vec::new(), None, Money::ZERO);
    let fees_quote = Money::ZERO;
    let entry = Entry { order, reduces: false, reference, worst_cost, fills, fees_quote, key, reason, updated_at: at };
    tables::order(&entry)
}

fn fill_row(number: i64, at: i64) -> Row {
    let text = |text: &str| StoreValue::from(text);
    let values = vec![
        text(&format!("BTCUSDT-{number:020}-nd-1")),
        text("BTCUSDT"),
        StoreValue::Int(number),
        text("nd-1"),
        text("123"),
        text("SELL"),
        text("60000.10"),
        text("0.5"),
        text("0.3"),
        text("USDT"),
        StoreValue::Int(1),
        StoreValue::Int(at),
    ];
    Row { table: &FILLS, values }
}

#[path = "description_tests.rs"]
mod description;
#[path = "read_tests.rs"]
mod read;
#[path = "write_tests.rs"]
mod write;
