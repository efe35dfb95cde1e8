//! From a tick to an intent: how long a worker takes from being handed a recorded trade or quote, or the fill that followed
//! from one, until the intent that it leads to stands, journaled fact and message included. Committing and sending come after that and are measured
//! with the durable trades.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context;
use nightdesk_market::{CandleBuilder, Instrument, Interval, MarketEvent, Quote, Side};
use nightdesk_orders::{Fill, OrderKind, Status};
use nightdesk_shell::{Input, Outgoing, Service, Step, Turn};
use nightdesk_strategies::{StrategyKind, StrategyParams};
use nightdesk_strategy_worker::{Config, StrategyWorker};
use nightdesk_units::{Price, Qty, Timestamp};
use nightdesk_wire::{CandleBatch, Intent, Message, OrderUpdate};
use serde_json::{Value, json};

use crate::backtest::Tape;
use crate::report::{Section, Target, percentile, rate};
use crate::strategies::{Orderer, Pace, Shared};
use crate::{Settings, backtest, house};

/// Rounds, so that a strategy that seldom decides gives enough figures.
const ROUNDS: usize = 20;
const GOAL_US: f64 = 50.0;

/// What a round gave, in nanoseconds.
#[derive(Debug, Default)]
struct Times {
    /// Of ticks that led to an intent.
    intents: Vec<i64>,
    /// Of ticks that did not.
    others: Vec<i64>,
}

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let tape = backtest::read(settings)?;
    let instrument = tape.survey.instruments.first().context("no instrument in the recording")?.clone();
    let mut section = Section::new("tick to intent");
    let crossover = json!({ "interval": "1s", "fast": 2, "slow": 5, "order_quote": "1000", "max_slippage_pct": "0.2" });
    let grid = json!({ "levels": 10, "order_quote": "200", "step_pct": "0.02", "reanchor_after_s": 20 });
    let every = house::params()?;
    let runs = [
        ("ma-crossover", StrategyKind::MaCrossover, Some(crossover)),
        ("grid-trader", StrategyKind::GridTrader, Some(grid)),
        ("an order every 10 quotes", StrategyKind::MaCrossover, None),
    ];
    for (name, kind, table) in runs {
        let params = table.map_or_else(|| Ok(every.clone()), |table| read(kind, table))?;
        let orderer = (name == "an order every 10 quotes").then_some(10);
        let mut times = Times::default();
        for _ in 0..ROUNDS {
            let mut round = Desk::new(instrument.clone(), params.clone(), orderer)?.play(&tape)?;
            times.intents.append(&mut round.intents);
            times.others.append(&mut round.others);
        }
        times.intents.sort_unstable();
        times.others.sort_unstable();
        let us = |spans: &[i64], share| percentile(spans, share) / 1e3;
        section.must(format!("{name}: p99"), us(&times.intents, 0.99), "us", Target::AtMost(GOAL_US));
        section.add(format!("{name}: p50"), us(&times.intents, 0.5), "us");
        section.add(format!("{name}: longest"), us(&times.intents, 1.0), "us");
        section.must(format!("{name}: ticks with an intent"), times.intents.len() as f64, "", Target::AtLeast(100.0));
        section.add(format!("{name}: ticks without one, p99"), us(&times.others, 0.99), "us");
    }
    let mut looks: Vec<i64> = (0..100_000).map(|_| nanoseconds(Instant::now())).collect();
    looks.sort_unstable();
    section.add("looking at the clock, which every figure includes, p99", percentile(&looks, 0.99) / 1e3, "us");
    section.add(
        "messages decoded a second, which comes before a tick",
        rate(tape.events.len() as u64, tape.decoded_in),
        "1/s",
    );
    section.note("ticks", "trades and quotes of the recorded BTCUSDT files, the candles that trades close, and fills");
    section.note("from, to", "the tick handed to the worker; the intent and its fact ready to be committed");
    section.note("rounds", ROUNDS);
    Ok(section)
}

fn read(kind: StrategyKind, table: Value) -> anyhow::Result<StrategyParams> {
    let read = kind.read(&serde_json::from_value(table)?);
    read.map_err(|problems| anyhow::anyhow!("strategy parameters: {problems:?}"))
}

fn nanoseconds(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

/// A worker, and around it an exchange that fills every order as soon as its price is there, without fees.
struct Desk {
    worker: StrategyWorker,
    config: Config,
    instrument: Instrument,
    candles: CandleBuilder,
    step: Step<std::convert::Infallible>,
    quote: Option<Quote>,
    open: Vec<Intent>,
    position: Qty,
    fills: u64,
    times: Times,
    told: Option<Arc<Shared>>,
}

impl Desk {
    fn new(instrument: Instrument, params: StrategyParams, every: Option<u64>) -> anyhow::Result<Self> {
        let (instance, symbol) = (house::instance()?, instrument.symbol);
        let config = Config { instance, generation: 1, symbol, params, run: true, epoch: 1 };
        let shared = every.map(|_| Arc::new(Shared::default()));
        let worker = match (every, &shared) {
            (Some(every), Some(shared)) => {
                shared.running.store(true, Ordering::Relaxed);
                let orderer =
                    Orderer::new(&config.params, Pace::Quotes(every), usize::MAX, Qty::ZERO, Arc::clone(shared));
                StrategyWorker::with_strategy(config.clone(), Box::new(orderer))
            }
            _ => StrategyWorker::new(config.clone()),
        };
        Ok(Self {
            worker,
            config,
            candles: CandleBuilder::new(symbol, Interval::ONE_SECOND),
            instrument,
            step: Step::default(),
            quote: None,
            open: Vec::new(),
            position: Qty::ZERO,
            fills: 0,
            times: Times::default(),
            told: shared,
        })
    }

    fn play(mut self, tape: &Tape) -> anyhow::Result<Times> {
        let start = tape.events.first().context("an empty recording")?.0;
        self.input(Input::Started, start)?;
        self.input(Input::Message(Message::Instruments { instruments: vec![self.instrument.clone()] }), start)?;
        for (now, event) in &tape.events {
            match event {
                MarketEvent::Quote(quote) => {
                    self.quote = Some(*quote);
                    self.fill_what_is_due(*now)?;
                }
                MarketEvent::Trade(_) => {}
                // A worker never sees them.
                MarketEvent::Candle(_) | MarketEvent::Depth(_) | MarketEvent::Snapshot(_) => continue,
            }
            let begun = Instant::now();
            if let MarketEvent::Trade(trade) = event {
                let (worker, step) = (&mut self.worker, &mut self.step);
                self.candles.trade(trade, |candle| worker.on_candle(&candle, *now, step));
            }
            self.worker.on_market(event, *now, &mut self.step);
            self.note(begun);
            self.carry_out(*now)?;
        }
        drop(self.told);
        Ok(self.times)
    }

    fn input(&mut self, input: Input<nightdesk_strategy_worker::Event>, now: Timestamp) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.worker.handle(&Turn { now, oldest_outbox: None }, input, &mut self.step);
        self.note(begun);
        self.carry_out(now)
    }

    /// Notes what the step that began then has taken.
    fn note(&mut self, begun: Instant) {
        let took = nanoseconds(begun);
        let decided = self.step.out.iter().any(|out| matches!(out, Outgoing::Send(_, Message::Intent(_))));
        if decided { &mut self.times.intents } else { &mut self.times.others }.push(took);
    }

    /// Does what the worker's step asks for, as the other services would.
    fn carry_out(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.step.records.clear();
        let out: Vec<Outgoing> = self.step.out.drain(..).collect();
        for out in out {
            match out {
                Outgoing::Send(_, Message::Intent(intent)) => self.open.push(intent),
                Outgoing::Send(_, Message::CancelIntent(cancel)) => {
                    if let Some(at) = self.open.iter().position(|intent| intent.intent_id == cancel.intent_id) {
                        let intent = self.open.swap_remove(at);
                        self.tell(&intent, Status::Canceled, None, now)?;
                    }
                }
                // There is no history before the recording.
                Outgoing::Notify(_, Message::CandleRequest(request)) => {
                    let batch = CandleBatch { request, candles: Vec::new() };
                    self.input(Input::Message(Message::Candles(batch)), now)?;
                }
                Outgoing::Send(..) | Outgoing::Notify(..) | Outgoing::Market(_) => {}
            }
        }
        Ok(())
    }

    fn fill_what_is_due(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let Some(quote) = self.quote else { return Ok(()) };
        let (bid, ask) = (self.instrument.price(quote.bid), self.instrument.price(quote.ask));
        let mut at = 0;
        while let Some(intent) = self.open.get(at) {
            let limit = intent.kind.price();
            let due = match intent.side {
                Side::Buy => limit.is_none_or(|limit| ask <= limit),
                Side::Sell => limit.is_none_or(|limit| bid >= limit),
            };
            if !due {
                at += 1;
                continue;
            }
            let intent = self.open.swap_remove(at);
            let market = if intent.side == Side::Buy { ask } else { bid };
            let price = if intent.kind == OrderKind::Market { market } else { limit.unwrap_or(market) };
            self.tell(&intent, Status::Filled, Some(price), now)?;
        }
        Ok(())
    }

    fn tell(&mut self, intent: &Intent, status: Status, price: Option<Price>, now: Timestamp) -> anyhow::Result<()> {
        let filled = if price.is_some() { intent.qty } else { Qty::ZERO };
        self.position = match intent.side {
            Side::Buy => self.position.add(filled)?,
            Side::Sell => self.position.sub(filled)?,
        };
        self.fills += 1;
        let fill = price.map(|price| Fill {
            trade_id: self.fills,
            price,
            qty: filled,
            fee: Qty::ZERO,
            fee_asset: self.instrument.quote,
            maker: false,
            at: now,
        });
        let update = OrderUpdate {
            instance: self.config.instance,
            intent_id: intent.intent_id,
            status,
            filled,
            filled_quote: price.map(|price| price.notional(filled)).transpose()?.unwrap_or_default(),
            fill,
            reason: None,
            position: self.position,
            at: now,
        };
        self.input(Input::Message(Message::OrderUpdate(update)), now)
    }
}
