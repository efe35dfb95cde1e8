//! Learns the instruments of a recording from the recording itself.

use std::collections::BTreeMap;

use nightdesk_market::{Filters, Instrument};
use nightdesk_units::{Asset, Decimal, Money, Price, Qty, Scale, Symbol};

use super::{Message, RawLevel};

/// Quote assets by which a symbol is split, the longer first where one ends in another.
const QUOTES: [&str; 17] = [
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD1", "BIDR", "EUR", "GBP", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB",
    "DAI", "USD",
];

/// Binance Spot's tick and step of widely recorded instruments (exchangeInfo of 2025), because a short recording need not
/// show a price or quantity that uses the last digit.
const KNOWN: [(&str, u32, u32); 10] = [
    ("BTCUSDT", 2, 5),
    ("BTCUSDC", 2, 5),
    ("BTCFDUSD", 2, 5),
    ("ETHUSDT", 2, 4),
    ("ETHUSDC", 2, 4),
    ("ETHBTC", 5, 4),
    ("BNBUSDT", 2, 3),
    ("SOLUSDT", 2, 3),
    ("XRPUSDT", 4, 1),
    ("DOGEUSDT", 5, 0),
];

/// Digits after the point that prices and quantities use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Digits {
    price: u32,
    qty: u32,
}

impl Digits {
    fn see(&mut self, (price, qty): RawLevel) {
        self.price = self.price.max(digits(price));
        self.qty = self.qty.max(digits(qty));
    }
}

/// Digits after the point, trailing zeros not counted.
fn digits(value: Decimal) -> u32 {
    // Normalising divides; most values of a known scale end in zeros, so try the cheap test first.
    if value.scale() == 0 { 0 } else { value.normalize().scale() }
}

/// Watches messages and tells which instruments they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    seen: BTreeMap<Symbol, Digits>,
    bare: Digits,
}

impl Discovery {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a message in.
    pub fn see(&mut self, message: &Message<'_>) {
        let digits = match message.symbol() {
            Some(symbol) => self.seen.entry(symbol).or_default(),
            None => &mut self.bare,
        };
        match message {
            Message::Quote { bid, ask, .. } => {
                digits.see(*bid);
                digits.see(*ask);
            }
            Message::Trade { price, qty, .. } => digits.see((*price, *qty)),
            Message::Depth { bids, asks, .. } | Message::Snapshot { bids, asks, .. } => {
                bids.iter().chain(asks).for_each(|level| digits.see(*level));
            }
            Message::Other(_) => {}
        }
    }

    /// The instruments, by name. Tick and step are Binance's own where the instrument is well known and the recording does
    /// not contradict, else the finest digits seen; the filters are Binance Spot's usual ones.
    ///
    /// # Errors
    /// Names the symbol that cannot be split into base and quote asset.
    pub fn instruments(&self) -> Result<Vec<Instrument>, String> {
        let only = self.seen.len() == 1;
        self.seen
            .iter()
            .map(|(symbol, digits)| {
                let mut digits = *digits;
                if only {
                    digits.price = digits.price.max(self.bare.price);
                    digits.qty = digits.qty.max(self.bare.qty);
                }
                instrument(*symbol, digits)
            })
            .collect()
    }

    /// The recording's only instrument, to which bare snapshots belong.
    #[must_use]
    pub fn only(&self) -> Option<Symbol> {
        if self.seen.len() == 1 { self.seen.keys().next().copied() } else { None }
    }
}

/// The instrument by its name alone: Binance's own tick and step where it is well known, else two and four digits; the
/// filters are Binance Spot's usual ones.
///
/// # Errors
/// Says that `symbol` does not end in a quote asset that we know.
pub fn usual_instrument(symbol: Symbol) -> Result<Instrument, String> {
    let known = KNOWN.iter().any(|(name, _, _)| *name == symbol.as_str());
    instrument(symbol, if known { Digits::default() } else { Digits { price: 2, qty: 4 } })
}

fn instrument(symbol: Symbol, seen: Digits) -> Result<Instrument, String> {
    let known = KNOWN.iter().find(|(name, _, _)| *name == symbol.as_str());
    let (price, qty) = known.map_or((0, 0), |(_, price, qty)| (*price, *qty));
    default_instrument(symbol, seen.price.max(price), seen.qty.max(qty))
}

/// An instrument with Binance Spot's usual filters, a tick of `price_digits` and a step of `qty_digits` decimal places.
///
/// # Errors
/// Says that `symbol` does not end in a quote asset that we know.
fn default_instrument(symbol: Symbol, price_digits: u32, qty_digits: u32) -> Result<Instrument, String> {
    let text = symbol.as_str();
    let split = QUOTES.iter().find_map(|quote| Some((text.strip_suffix(quote)?, *quote)));
    let bad = || format!("cannot split {symbol} into base and quote asset: its end is no quote asset we know");
    let (base, quote) = split.filter(|(base, _)| !base.is_empty()).ok_or_else(bad)?;
    let (base, quote): (Asset, Asset) = (base.parse().map_err(|_| bad())?, quote.parse().map_err(|_| bad())?);
    let scale = Scale { tick: Decimal::new(1, price_digits), step: Decimal::new(1, qty_digits) };
    // Binance's minimum is five of a dollar-like quote; 0.0001 where the quote is a coin.
    let min_notional =
        if ["BTC", "ETH", "BNB"].contains(&quote.as_str()) { Decimal::new(1, 4) } else { Decimal::from(5) };
    let filters = Filters {
        min_price: Price::new(scale.tick),
        max_price: Price::new(Decimal::from(1_000_000)),
        min_qty: Qty::new(scale.step),
        max_qty: Qty::new(Decimal::from(9_000_000)),
        max_market_qty: Qty::new(Decimal::from(9_000)),
        min_notional: Money::new(min_notional),
        min_notional_applies_to_market: true,
        max_notional: Money::new(Decimal::from(9_000_000)),
        percent_price: Some([Decimal::from(5), Decimal::new(2, 1), Decimal::from(5), Decimal::new(2, 1)]),
        max_open_orders: 200,
        max_position: Qty::ZERO,
    };
    Ok(Instrument { symbol, base, quote, scale, filters })
}
