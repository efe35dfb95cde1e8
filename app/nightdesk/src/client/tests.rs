//! The commands before a server that answers as told and remembers what it was asked.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use expect_test::expect;
use nightdesk_host::RunFile;
use nightdesk_platform::Secret;
use nightdesk_units::Timestamp;
use tokio::runtime::Runtime;

use super::*;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("nightdesk-client-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn runs_at(&self, address: &str) {
        let addresses = BTreeMap::from([("api".to_owned(), address.to_owned())]);
        RunFile::of_this_process(Timestamp(0), addresses, &Secret::new("sesame")).write(&self.0).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Answers = BTreeMap<String, (u16, Value)>;

#[derive(Clone)]
struct Stub {
    answers: Arc<Answers>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A running process, as far as anybody outside can tell.
struct House {
    folder: Folder,
    stub: Stub,
    _runtime: Runtime,
}

impl House {
    fn new(answers: &[(&str, u16, Value)]) -> Self {
        let answers = answers.iter().map(|(asked, status, answer)| ((*asked).to_owned(), (*status, answer.clone())));
        let stub = Stub { answers: Arc::new(answers.collect()), asked: Arc::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let app = Router::new().fallback(answer).with_state(stub.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        let folder = Folder::new();
        folder.runs_at(&format!("http://{address}"));
        Self { folder, stub, _runtime: runtime }
    }

    fn link(&self) -> Link {
        Link::find(&self.folder.0).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.stub.asked.lock().unwrap().clone()
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> (StatusCode, Json<Value>) {
    let header = |name: &str, request: &Request| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("authorization", &request), "Bearer sesame");
    assert!(header("x-nightdesk-actor", &request).ends_with("cli"));
    let asked = format!("{} {}", request.method(), request.uri());
    let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
    let said = format!("{asked} {}", String::from_utf8_lossy(&body));
    stub.asked.lock().unwrap().push(said.trim_end().to_owned());
    let (status, value) = stub.answers.get(&asked).cloned().unwrap_or((404, problem("nothing here")));
    (StatusCode::from_u16(status).unwrap(), Json(value))
}

fn problem(detail: &str) -> Value {
    json!({ "type": "urn:x", "title": "x", "status": 409, "detail": detail, "instance": "/" })
}

fn mode(level: &str, version: u64) -> Value {
    let at = "2026-11-23T12:00:00.000000Z";
    json!({ "level": level, "read_only": false, "version": version, "reason": "a drill", "by": "ann", "at": at })
}

fn figures(pnl: &str) -> Value {
    json!({
        "equity": "99999.7875257203", "pnl": pnl, "realised": "0", "open": pnl, "today": pnl, "drawdown_pct": "0.0002",
        "max_drawdown_pct": "1.5", "month_return_pct": null, "sharpe": 1.234, "var_95_pct": null,
        "fees": { "BTC": "0.00000333" }, "fills": 12,
    })
}

fn strategy(instance: &str, state: Value, wanted: bool) -> Value {
    json!({
        "instance": instance, "strategy": "ma-crossover", "symbol": "BTCUSDT", "state": state, "reason": null,
        "wanted": wanted, "figures": figures("5.5"),
    })
}

fn position() -> Value {
    json!({
        "instance": "456", "symbol": "BTCUSDT", "quantity": "0.00332667",
        "average_cost": "60059.95995995995995995995996", "cost": "199.799667", "realised": "1234.5",
        "open": "-0.2053219392", "mark": "59998.24",
    })
}

fn standing(mode: Value, reconciled_at: Value) -> Value {
    json!({
        "at": "2026-11-23T13:00:00.000000Z", "mode": mode, "currency": "USDT", "portfolio": figures("-0.2124742797"),
        "strategies": [strategy("123", json!("running"), true), strategy("456", json!("stopped"), false)],
        "positions": [position()], "open_orders": 6, "in_doubt": 1,
        "quarantine": [{ "symbol": "ETHUSDT", "reason": "two orders\u{1b}[2J carry one id" }],
        "held_back": [{ "symbol": "BTCUSDT", "reason": "market data is 40 s old" }], "reconciled_at": reconciled_at,
        "watchdogs": [
            { "source": "market_data", "symbol": "BTCUSDT", "age_ms": 40_321, "limit_ms": 30_000, "stale": true },
            { "source": "outbox", "symbol": null, "age_ms": 0, "limit_ms": 5_000, "stale": false },
        ],
    })
}

fn order(number: usize) -> Value {
    json!({
        "client_order_id": format!("nd-123-{number}"), "exchange_order_id": 7, "intent_id": "anyx6va442gdutpz",
        "key": "k", "instance": "123", "symbol": "BTCUSDT", "side": "BUY", "kind": "limit", "price": "60011.89",
        "time_in_force": "GTC", "quantity": "0.00332", "filled": "0", "filled_quote": "0", "fees_quote": "0",
        "status": "open", "reduces": false, "reason": null, "created_at": "2026-11-23T13:13:19.583918Z",
        "updated_at": "2026-11-23T13:13:19.591667Z",
    })
}

#[test]
fn how_things_stand_reads_well_and_moves_no_cursor() {
    let status = standing(mode("halted", 3), json!("2026-11-23T12:59:00.000000Z"));
    let house = House::new(&[("GET /api/core/v1/status", 200, status)]);
    let json = house.link().get("/v1/status").unwrap();
    expect![[r"
        mode        halted since 2026-11-23T12:00:00.000000Z, by ann: a drill (version 3)
        portfolio   99,999.79 USDT, PnL -0.21, today -0.21
        drawdown    0.00 %, at worst 1.50 %
        orders      6 open, 1 in doubt
        reconciled  2026-11-23T12:59:00.000000Z
        new risk    BTCUSDT: market data is 40 s old
        ages        market data BTCUSDT 40.3 s (STALE, limit 30.0 s), outbox 0.0 s
        quarantine  ETHUSDT: two orders [2J carry one id
        strategies  1 of 2 running
    "]]
    .assert_eq(&show::status(&link::read(&json).unwrap()));
}

#[test]
fn profits_positions_and_strategies_are_tables() {
    let status: Status = link::read(&standing(mode("normal", 0), Value::Null)).unwrap();
    expect![[r"
                              VALUE    PNL  TODAY  REALISED   OPEN  DRAWDOWN %  WORST %  SHARPE  FILLS
        portfolio (USDT)  99,999.79  -0.21  -0.21      0.00  -0.21        0.00     1.50    1.23     12
        123 ma-crossover  99,999.79  +5.50  +5.50      0.00  +5.50        0.00     1.50    1.23     12
        456 ma-crossover  99,999.79  +5.50  +5.50      0.00  +5.50        0.00     1.50    1.23     12
    "]]
    .assert_eq(&show::pnl(&status));
    expect![[r"
        INSTANCE  SYMBOL     QUANTITY    AVERAGE COST      MARK  OPEN PNL   REALISED
        456       BTCUSDT  0.00332667  60059.95995996  59998.24     -0.21  +1,234.50
    "]]
    .assert_eq(&show::positions(&status.positions));
    expect![[r"
        INSTANCE  STRATEGY      SYMBOL   STATE      PNL  FILLS  WHY
        123       ma-crossover  BTCUSDT  running  +5.50     12
        456       ma-crossover  BTCUSDT  stopped  +5.50     12
    "]]
    .assert_eq(&show::strategies(&status.strategies));
}

#[test]
fn orders_are_read_page_by_page_up_to_the_limit() {
    let page = |from: usize, to: usize, next: Value| json!({ "items": (from..to).map(order).collect::<Vec<_>>(), "next": next });
    let house = House::new(&[
        ("GET /api/core/v1/orders?limit=500&status=open", 200, page(0, 500, json!("ab"))),
        ("GET /api/core/v1/orders?limit=102&status=open&cursor=ab", 200, page(500, 602, json!("cd"))),
    ]);
    let ask = Ask { data_dir: None, json: false };
    let told = list(&house.link(), &ListArgs { ask, limit: 602, status: Some("open".to_owned()) }).unwrap();
    assert_eq!((told.json["items"].as_array().unwrap().len(), &told.json["next"]), (602, &json!("cd")));
    let lines: Vec<&str> = told.text.lines().collect();
    assert_eq!((lines.len(), lines[603]), (604, "there are more: raise --limit"));
    expect![[r"2026-11-23T13:13:19  nd-123-0    BTCUSDT  BUY   limit  60011.89   0.00332       0  open"]]
        .assert_eq(lines[1]);
}

#[test]
fn a_refusal_says_why_and_has_its_own_exit_code() {
    for (status, expected) in
        [(400, Exit::No), (404, Exit::No), (409, Exit::No), (401, Exit::Fault), (503, Exit::TryAgain)]
    {
        let house = House::new(&[("GET /api/core/v1/status", status, problem("because"))]);
        let failure = house.link().get("/v1/status").unwrap_err();
        assert_eq!((failure.status(), failure.to_string().as_str()), (expected, "because"), "{status}");
    }
}

#[test]
fn nothing_to_ask_is_exit_code_69_with_the_remedy() {
    let folder = Folder::new();
    let ask = Ask { data_dir: Some(folder.0.clone()), json: false };
    for command in [status, positions, pnl, resume, reconcile] {
        let failure = command(&ask).unwrap_err();
        assert_eq!(failure.status().code(), 69);
        assert!(failure.to_string().contains("nightdesk up"), "{failure}");
    }
}

#[test]
fn a_process_that_does_not_answer_is_exit_code_69() {
    let folder = Folder::new();
    folder.runs_at(&nobody_listens());
    let failure = Link::find(&folder.0).unwrap().get("/v1/status").unwrap_err();
    assert_eq!(failure.status().code(), 69);
    assert!(failure.to_string().contains("refused"), "{failure}");
}

/// An address that was free a moment ago.
fn nobody_listens() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_resume_lifts_what_was_seen() {
    let lifted = json!({ "mode": mode("normal", 4), "effective": true, "in_flight": [] });
    let house = House::new(&[
        ("GET /api/core/v1/mode", 200, mode("halted", 3)),
        ("POST /api/core/v1/mode/resume", 200, lifted),
    ]);
    let told = lift(&house.link()).unwrap();
    assert_eq!(told.text, "resumed: halted (version 3, by ann: a drill) is lifted\n");
    assert_eq!(house.asked()[1], r#"POST /api/core/v1/mode/resume {"version":3}"#);
}

#[test]
fn a_halt_reaches_the_running_process_and_says_what_was_in_flight() {
    let change = json!({ "mode": mode("halted", 1), "effective": false, "in_flight": ["nd-123-a"] });
    let house = House::new(&[("POST /api/core/v1/mode/halt", 200, change)]);
    let told = hold(&house.folder.0, "a drill", Duration::ZERO).unwrap();
    assert!(told.text.contains("has not confirmed yet") && told.text.contains("nd-123-a"), "{}", told.text);
    assert_eq!(house.asked(), [r#"POST /api/core/v1/mode/halt {"reason":"a drill"}"#]);
    assert_eq!(pending_halt(&house.folder.0).unwrap(), None);
}

#[test]
fn a_halt_while_nothing_runs_waits_for_the_next_start_and_can_be_withdrawn() {
    let folder = Folder::new();
    let told = hold(&folder.0, " fire ", Duration::ZERO).unwrap();
    assert!(told.text.contains("the next start is held: fire"), "{}", told.text);
    let halt = pending_halt(&folder.0).unwrap().unwrap();
    assert_eq!((halt.reason.as_str(), halt.by.ends_with("cli"), halt.at.ends_with('Z')), ("fire", true, true));
    let mode = std::fs::metadata(folder.0.join("halt.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let nobody = || Failure::new(Exit::Unavailable, "nobody");
    assert!(withdraw(&folder.0, nobody()).unwrap().text.contains("(fire) is withdrawn"));
    assert_eq!(pending_halt(&folder.0).unwrap(), None);
    assert_eq!(withdraw(&folder.0, nobody()).err().unwrap().to_string(), "nobody");
}

#[test]
fn a_halt_that_cannot_be_read_is_a_halt_all_the_same() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("halt.json"), "{").unwrap();
    assert!(pending_halt(&folder.0).unwrap().unwrap().reason.contains("damaged"));
    clear_pending_halt(&folder.0).unwrap();
    clear_pending_halt(&folder.0).unwrap();
    assert_eq!(pending_halt(&folder.0).unwrap(), None);
}

#[test]
fn a_halt_on_a_misspelt_directory_makes_nobody_believe_that_something_was_halted() {
    let folder = Folder::new();
    let missing = folder.0.join("misspelt");
    let failure = hold(&missing, "fire", Duration::ZERO).err().unwrap();
    assert_eq!(failure.status().code(), 69);
    assert!(failure.to_string().contains("NOTHING WAS HALTED") && !missing.exists());
}

#[test]
fn a_halt_that_is_not_confirmed_says_so_loudly_and_holds_the_next_start() {
    let folder = Folder::new();
    folder.runs_at(&nobody_listens());
    let failure = hold(&folder.0, "fire", Duration::ZERO).err().unwrap();
    assert_eq!(failure.status().code(), 69);
    let text = failure.to_string();
    assert!(text.contains("IT MAY STILL TRADE") && text.contains("kill -9"), "{text}");
    assert!(pending_halt(&folder.0).unwrap().is_some());

    let busy = House::new(&[("POST /api/core/v1/mode/halt", 503, problem("stopping"))]);
    assert_eq!(hold(&busy.folder.0, "fire", Duration::ZERO).err().unwrap().status(), Exit::TryAgain);
    assert!(pending_halt(&busy.folder.0).unwrap().is_some());
}

#[test]
fn a_halt_while_a_process_starts_is_not_taken_for_done() {
    let folder = Folder::new();
    let _starting = DataDir::open(&folder.0).unwrap();
    let failure = hold(&folder.0, "fire", Duration::ZERO).err().unwrap();
    assert_eq!(failure.status().code(), 69);
    assert!(failure.to_string().contains("IT MAY STILL TRADE"), "{failure}");
    assert!(pending_halt(&folder.0).unwrap().is_some());
}

#[test]
fn when_nothing_runs_the_database_has_the_last_word() {
    use nightdesk_core_engine::{SCHEMA, tables};
    use nightdesk_store::{Batch, Row, Store, Value as Cell};
    let folder = Folder::new();
    assert!(Offline::open(&folder.0).unwrap().is_none());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = nightdesk_store_sql::SqliteStore::open(&folder.0, &SCHEMA, Default::default()).await.unwrap();
        let row = |table, values: &[&str]| Row { table, values: values.iter().map(|text| Cell::from(*text)).collect() };
        let mut mode = row(&tables::MODES, &["trading", "halted", "", "", "a drill", "ann", ""]);
        (mode.values[2], mode.values[3], mode.values[6]) = (Cell::Int(0), Cell::Int(3), Cell::Int(0));
        let mut position = row(&tables::POSITIONS, &["456", "BTCUSDT", "0.5", "30000", "12.5", "{}", ""]);
        position.values[6] = Cell::Int(1);
        let quarantine = row(&tables::QUARANTINE, &["ETHUSDT", "two orders carry one id"]);
        store.commit(Batch { rows: vec![mode, position, quarantine], ..Batch::default() }).await.unwrap();
        store.close().await;
    });
    let offline = Offline::open(&folder.0).unwrap().unwrap();
    let halt = pending::PendingHalt { reason: "night".to_owned(), by: "ann".to_owned(), at: String::new() };
    expect![[r"
        mode        halted since 1970-01-01T00:00:00.000000Z, by ann: a drill (version 3)
        orders      0 open by our book
        positions   0.5 BTCUSDT (456)
        quarantine  ETHUSDT: two orders carry one id
        next start  held by ann: night
    "]]
    .assert_eq(&offline.status(Some(&halt)).unwrap().text);
    expect![[r"
        INSTANCE  SYMBOL   QUANTITY  AVERAGE COST  MARK  OPEN PNL  REALISED
        456       BTCUSDT       0.5         60000     -         -    +12.50
    "]]
    .assert_eq(&show::positions(&offline.positions().unwrap()));
    assert_eq!(offline.orders(10, Some("lost".to_owned())).err().unwrap().status(), Exit::No);
    drop(offline);
    let ask = Ask { data_dir: Some(folder.0.clone()), json: true };
    let failure = status(&ask).unwrap_err();
    assert_eq!(failure.status().code(), 69, "whoever asks still learns that nobody runs");
    assert!(failure.to_string().ends_with("last word."), "{failure}");
}

#[test]
fn a_strange_answer_is_named_as_one() {
    let failure = link::read::<Status>(&json!({ "at": 1 })).err().unwrap();
    assert!(failure.to_string().contains("does not know"), "{failure}");
}

#[test]
fn names_are_escaped_in_addresses() {
    assert_eq!(link::escaped("a/b ä?"), "a%2Fb%20%C3%A4%3F");
}
