//! The exchange's whole state, and what each command does to it.

use std::collections::BTreeMap;

use nightdesk_market::Instrument;
use nightdesk_matching::{AccountId, Synthetic, SyntheticMarket, Venue, VenueConfig, VenueError, VenueEvent};
use nightdesk_units::{Decimal, Micros, Money, Price, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::{Command, Done};
use crate::market::{Playback, redated};

/// The most steps of the synthetic market in one command; part of what a command means, so it never changes.
const STEPS: usize = 2_000;

/// Where a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Messages played.
    pub(crate) played: u64,
    /// True when nothing is left.
    pub(crate) ended: bool,
}

/// The exchange's state, as a snapshot holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) venue: Venue,
    synthetic: Vec<SyntheticMarket>,
    pub(crate) position: Position,
    pub(crate) accounts: BTreeMap<String, AccountId>,
    pub(crate) opened_at: Timestamp,
}

/// A command that the exchange refused, or a recording that cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Refused(#[from] VenueError),
    #[error(transparent)]
    Recording(#[from] crate::market::RecordingError),
}

/// Binance coins' rough prices, where the synthetic market starts.
const START_PRICES: [(&str, i64); 8] =
    [("BTC", 60_000), ("ETH", 3_000), ("SOL", 150), ("BNB", 600), ("XRP", 2), ("DOGE", 1), ("LTC", 80), ("ADA", 1)];

/// The price at which the synthetic market of `instrument` starts.
pub(crate) fn start_price(instrument: &Instrument) -> Price {
    let of = |asset: &str| START_PRICES.iter().find(|(name, _)| *name == asset).map(|(_, price)| Decimal::from(*price));
    let base = of(instrument.base.as_str()).unwrap_or(Decimal::ONE_HUNDRED);
    let quote = of(instrument.quote.as_str()).unwrap_or(Decimal::ONE);
    instrument.price_down(Price::new(base.checked_div(quote).unwrap_or(base)))
}

fn synthetic(instrument: &Instrument) -> Synthetic {
    let quote = START_PRICES.iter().find(|(name, _)| *name == instrument.quote.as_str()).map_or(1, |(_, price)| *price);
    Synthetic {
        symbol: instrument.symbol,
        start_price: start_price(instrument),
        order_notional: Money::new(Decimal::from(4_000).checked_div(Decimal::from(quote)).unwrap_or(Decimal::ONE)),
        volatility: 0.6,
        events_per_second: 20.0,
        gap_every: Micros::from_secs(900),
    }
}

impl World {
    /// A new exchange; with `seed`, its market is synthetic.
    pub(crate) fn new(instruments: Vec<Instrument>, seed: Option<u64>, now: Timestamp) -> Self {
        let mut synthetic_markets = Vec::new();
        if let Some(seed) = seed {
            for (instrument, salt) in instruments.iter().zip(0u64..) {
                // Each instrument has a stream of its own: multiples of the golden ratio keep seeds apart.
                let seed = seed.wrapping_add(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                synthetic_markets.push(SyntheticMarket::new(synthetic(instrument), seed, now));
            }
        }
        let venue = Venue::new(VenueConfig::new(instruments));
        let (synthetic, position, accounts) = (synthetic_markets, Position::default(), BTreeMap::new());
        Self { venue, synthetic, position, accounts, opened_at: now }
    }

    /// When the synthetic market does something next.
    pub(crate) fn next_synthetic_at(&self) -> Option<Timestamp> {
        self.synthetic.iter().map(SyntheticMarket::next_event_at).min()
    }

    /// The account's name, for the record.
    pub(crate) fn account_name(&self, account: u32) -> String {
        let found = self.accounts.iter().find(|(_, id)| id.0 == account);
        found.map_or_else(|| account.to_string(), |(name, _)| name.clone())
    }

    /// Carries out a command. A refused one has changed nothing but counters.
    pub(crate) fn apply(
        &mut self,
        command: &Command,
        at: Timestamp,
        playback: Option<&mut Playback>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Done, CommandError> {
        Ok(match command {
            Command::OpenAccount { name, maker_fee, taker_fee, balances } => {
                let next = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX) + 1;
                let account = *self.accounts.entry(name.clone()).or_insert(AccountId(next));
                self.venue.open_account(account);
                self.venue.set_fees(account, *maker_fee, *taker_fee)?;
                for (asset, amount) in balances {
                    self.venue.deposit(account, *asset, *amount, at, out)?;
                }
                Done::Account(account)
            }
            Command::Place { account, request } => {
                Done::Placed(Box::new(self.venue.place(*account, request, at, out)?))
            }
            Command::Cancel { account, symbol, order, cancel_id } => {
                let (order, id) = self.venue.cancel(*account, *symbol, *order, *cancel_id, at, out)?;
                Done::Canceled(Box::new(order), id)
            }
            Command::Amend { account, symbol, order, qty, new_id } => {
                let (order, amendment) = self.venue.amend(*account, *symbol, *order, *qty, *new_id, at, out)?;
                Done::Amended(Box::new(order), amendment)
            }
            Command::CancelAll { account, symbol } => {
                let (orders, id) = self.venue.cancel_all(*account, *symbol, at, out)?;
                Done::CanceledAll(orders, id)
            }
            Command::Transfer { account, asset, delta } => {
                self.venue.deposit(*account, *asset, *delta, at, out)?;
                Done::Nothing
            }
            Command::Synthetic { until } => self.run_synthetic(*until, out)?,
            Command::Replay { messages } => self.play(*messages, at, playback, out)?,
        })
    }

    /// Steps whichever market is due first, the first listed where two are.
    fn run_synthetic(&mut self, until: Timestamp, out: &mut Vec<VenueEvent>) -> Result<Done, CommandError> {
        for _ in 0..STEPS {
            let Some(next) = self.synthetic.iter_mut().min_by_key(|market| market.next_event_at()) else { break };
            if next.next_event_at() > until {
                break;
            }
            next.step(&mut self.venue, out)?;
        }
        Ok(Done::Nothing)
    }

    fn play(
        &mut self,
        messages: usize,
        at: Timestamp,
        playback: Option<&mut Playback>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Done, CommandError> {
        let Some(playback) = playback else { return Ok(Done::Nothing) };
        for _ in 0..messages {
            let Some(recorded) = playback.take()? else { break };
            self.venue.apply(&redated(recorded.event, at), at, out);
            self.position.played += 1;
        }
        self.position.ended = playback.peek(0)?.is_none();
        Ok(Done::Nothing)
    }

    /// The instruments, by name.
    pub(crate) fn instruments(&self) -> &[Instrument] {
        &self.venue.config().instruments
    }

    /// The instrument.
    pub(crate) fn instrument(&self, symbol: Symbol) -> Result<&Instrument, VenueError> {
        self.venue.instrument(symbol)
    }
}
