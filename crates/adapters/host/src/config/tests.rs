use std::collections::BTreeMap;

use expect_test::{Expect, expect, expect_file};
use serde::{Deserialize, Serialize};

use super::*;

/// A configuration with everything ours will have.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where to listen. Port 0 lets the system choose.
    #[schemars(example = "127.0.0.1:8080")]
    listen: String,
    /// The exchange.
    exchange: Exchange,
    /// Strategies to run.
    #[schemars(length(min = 1))]
    strategies: Vec<Strategy>,
    /// Limits by symbol.
    #[serde(default)]
    limits: BTreeMap<String, Limit>,
    /// How logs look.
    logs: Option<Logs>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// Requests a second.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    requests_per_second: u32,
    /// The environment.
    environment: Environment,
    /// Name of the secret that holds the key.
    api_key: Option<String>,
}

fn ten() -> u32 {
    10
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Environment {
    /// Ours.
    Simulator,
    /// The exchange's.
    Testnet,
    /// Money.
    Live,
}

/// A strategy.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Strategy {
    /// Crossing averages.
    MaCrossover {
        /// Candles in the fast average.
        fast: u32,
        /// Candles in the slow average.
        slow: u32,
        /// Its budget in the quote currency.
        budget: String,
    },
    /// A grid.
    GridTrader {
        /// Lines.
        #[schemars(range(min = 2))]
        levels: u32,
        /// Its budget in the quote currency.
        budget: String,
    },
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limit {
    max_position: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Logs {
    colour: bool,
    ratio: f64,
}

impl Validate for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (i, strategy) in self.strategies.iter().enumerate() {
            if let Strategy::MaCrossover { fast, slow, .. } = strategy
                && fast >= slow
            {
                let problem =
                    Problem::at(format!("strategies[{i}].fast"), format!("fast ({fast}) is not below slow ({slow})"));
                problems.push(problem.hint("swap them?"));
            }
        }
        if matches!(self.exchange.environment, Environment::Live) && self.exchange.api_key.is_none() {
            problems.push(Problem::at("exchange.api_key", "live trading needs a key"));
        }
        problems
    }
}

const GOOD: &str = r#"
listen = "127.0.0.1:0"

[exchange]
environment = "simulator"

[[strategies]]
kind = "ma-crossover"
fast = 5
slow = 20
budget = "1000"

[[strategies]]
kind = "grid-trader"
levels = 10
budget = "500.5"

[limits.BTCUSDT]
max_position = "0.5"
"#;

fn check(text: &str, page: &Expect) {
    let page_found = match load::<Config>(text, "nightdesk.toml") {
        Ok(config) => format!("{config:?}"),
        Err(errors) => errors.render(false),
    };
    page.assert_eq(&page_found);
}

#[test]
fn a_good_file_loads() {
    let config = load::<Config>(GOOD, "nightdesk.toml").unwrap();
    assert_eq!(config.exchange.requests_per_second, 10);
    assert_eq!(config.strategies.len(), 2);
}

#[test]
fn every_mistake_is_found_at_once() {
    let errors = load::<Config>(include_str!("tests/broken.toml"), "nightdesk.toml").unwrap_err();
    expect_file!["tests/broken.txt"].assert_eq(&errors.render(false));
}

#[test]
fn what_the_type_itself_objects_to_joins_the_list() {
    let text = GOOD.replace("fast = 5", "fast = 50").replace("\"simulator\"", "\"live\"").replace("levels", "levls");
    check(
        &text,
        &expect![[r#"
        error: live trading needs a key
         --> nightdesk.toml:4:1 (exchange.api_key)
          |
        4 | [exchange]
          | ^^^^^^^^^^

        error: fast (50) is not below slow (20)
         --> nightdesk.toml:9:8 (strategies[0].fast)
          |
        9 | fast = 50
          |        ^^
          = hint: swap them?

        error: unknown key `levls`
          --> nightdesk.toml:15:1 (strategies[1].levls)
           |
        15 | levls = 10
           | ^^^^^
           = hint: did you mean `levels`?

        3 mistakes in nightdesk.toml; nothing was started
    "#]],
    );
    let text = format!("{}\n[more]\nx = 1\n", GOOD.replace("fast = 5", "fast = 50"));
    check(
        &text,
        &expect![[r#"
        error: fast (50) is not below slow (20)
         --> nightdesk.toml:9:8 (strategies[0].fast)
          |
        9 | fast = 50
          |        ^^
          = hint: swap them?

        error: unknown key `more`
          --> nightdesk.toml:21:2 (more)
           |
        21 | [more]
           |  ^^^^
           = hint: known keys not used here: `logs`

        2 mistakes in nightdesk.toml; nothing was started
    "#]],
    );
}

#[test]
fn syntax_errors_are_all_named_and_do_not_hide_the_rest() {
    let text = "listen = \nexchange = { environment = \"simulator\", wat = 1 }\nstrategies = [\n{ kind = \"grid-trader\" levels = 2 }\n]\nlisten = 'x'\n[oops\n";
    check(
        text,
        &expect![[r#"
        error: string values must be quoted, expected literal string
         --> nightdesk.toml:1:10
          |
        1 | listen = 
          |          ^

        error: unknown key `wat`
         --> nightdesk.toml:2:41 (exchange.wat)
          |
        2 | exchange = { environment = "simulator", wat = 1 }
          |                                         ^^^
          = hint: known keys not used here: `api_key`, `requests_per_second`

        error: missing comma between key-value pairs, expected `,`
         --> nightdesk.toml:4:24
          |
        4 | { kind = "grid-trader" levels = 2 }
          |                        ^

        error: duplicate key
         --> nightdesk.toml:6:1
          |
        6 | listen = 'x'
          | ^^^^^^

        error: unknown key `oops`
         --> nightdesk.toml:7:2 (oops)
          |
        7 | [oops
          |  ^^^^
          = hint: known keys not used here: `limits`, `logs`

        error: unclosed table, expected `]`
         --> nightdesk.toml:7:6
          |
        7 | [oops
          |      ^

        6 mistakes in nightdesk.toml; nothing was started
    "#]],
    );
}

#[test]
fn an_empty_file_lacks_what_has_no_default() {
    check(
        "",
        &expect![[r#"
        error: missing key `listen`
         --> nightdesk.toml
          = hint: Where to listen

        error: missing key `exchange`
         --> nightdesk.toml
          = hint: The exchange

        error: missing key `strategies`
         --> nightdesk.toml
          = hint: Strategies to run

        3 mistakes in nightdesk.toml; nothing was started
    "#]],
    );
    check(
        "listen = 'x'\nstrategies = []\nexchange = 'binance'\n",
        &expect![[r#"
        error: must not be empty
         --> nightdesk.toml:2:14 (strategies)
          |
        2 | strategies = []
          |              ^^
          = hint: at least 1

        error: expected a table, found text "binance"
         --> nightdesk.toml:3:12 (exchange)
          |
        3 | exchange = 'binance'
          |            ^^^^^^^^^

        2 mistakes in nightdesk.toml; nothing was started
    "#]],
    );
}

#[test]
fn what_only_the_deserializer_knows_is_placed_too() {
    check(
        &GOOD.replace("levels = 10", "levels = 99999999999"),
        &expect![[r#"
        error: 99999999999 is out of range
          --> nightdesk.toml:15:10 (strategies[1].levels)
           |
        15 | levels = 99999999999
           |          ^^^^^^^^^^^
           = hint: must be at least 2 and at most 4294967295

        1 mistake in nightdesk.toml; nothing was started
    "#]],
    );
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let errors = load_file::<Config>(Path::new("/nonexistent/nightdesk.toml")).unwrap_err();
    expect![[r#"
        error: cannot be read: No such file or directory (os error 2)
         --> /nonexistent/nightdesk.toml
          = hint: write one with `nightdesk config example`, or name another file

        1 mistake in /nonexistent/nightdesk.toml; nothing was started
    "#]]
    .assert_eq(&errors.render(false));
}

#[test]
fn mistakes_as_json_name_line_and_column() {
    let errors = load::<Config>(&GOOD.replace("slow = 20", "slow = 2"), "n.toml").unwrap_err();
    expect![[r#"{"file":"n.toml","problems":[{"column":8,"hint":"swap them?","line":9,"message":"fast (5) is not below slow (2)","path":"strategies[0].fast"}]}"#]].assert_eq(&errors.to_json().to_string());
    expect!["n.toml: 1 mistake: 9:8 fast (5) is not below slow (2)"].assert_eq(&errors.to_string());
}

#[test]
fn the_example_shows_every_key_and_loads_once_its_blanks_are_filled() {
    let example = example(&schema::<Config>());
    expect![[r##"
        # A configuration with everything ours will have.

        # Limits by symbol.
        # limits = {}
        # Where to listen. Port 0 lets the system choose.
        listen = "127.0.0.1:8080"

        # The exchange.
        [exchange]
        # Name of the secret that holds the key.
        # api_key = "…"
        # The environment.
        environment = "simulator"
        # Requests a second.
        # requests_per_second = 10

        # How logs look.
        # [logs]
        # colour = false
        # ratio = 1.0

        # Strategies to run.
        # Crossing averages.
        [[strategies]]
        kind = "ma-crossover"
        # Its budget in the quote currency.
        budget = "…"
        # Candles in the fast average.
        fast = 0
        # Candles in the slow average.
        slow = 0

        # A grid.
        [[strategies]]
        kind = "grid-trader"
        # Its budget in the quote currency.
        budget = "…"
        # Lines.
        levels = 2
    "##]]
    .assert_eq(&example);
    let filled = example.replace("slow = 0", "slow = 5");
    load::<Config>(&filled, "example.toml").unwrap();
}

#[test]
fn effective_config_hides_secrets_and_its_fingerprint_is_of_its_content() {
    let mut config = load::<Config>(GOOD, "n.toml").unwrap();
    config.exchange.api_key = Some("hunter2".to_owned());
    let effective = effective(&config).to_string();
    assert!(effective.contains("[redacted]") && !effective.contains("hunter2"), "{effective}");
    let before = fingerprint(&config);
    assert_eq!(before.len(), 16);
    config.exchange.requests_per_second = 11;
    assert_ne!(before, fingerprint(&config));
}
