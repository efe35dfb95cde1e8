//! Candles of the time before the exchange existed, made up from the seed so that bots which need a warm-up can start.
//!
//! The price is a sum of smooth noises of doubling periods, each as large as a random walk would make it, and meets the
//! market's first price at its start. It is a pure function of time: asked again, it gives the same candles.

use nightdesk_market::{Instrument, Interval};
use nightdesk_matching::Kline;
use nightdesk_units::{Decimal, Lots, Price, Qty, Ticks, Timestamp};

/// Volatility a minute: about 60 % a year.
const MINUTE_VOLATILITY: f64 = 0.000_8;
/// The shortest period of the noise, in seconds; the longest is 2^19 of it, about six months.
const SHORTEST: f64 = 30.0;
const OCTAVES: u32 = 20;
/// Prices looked at within one candle.
const SAMPLES: i64 = 24;

/// The made-up past of one instrument.
#[derive(Debug, Clone)]
pub(crate) struct MadeUp {
    seed: u64,
    until: Timestamp,
    last_price: f64,
    instrument: Instrument,
}

impl MadeUp {
    /// Where the past begins: the day Binance's first market opened, 2017-08-17.
    pub(crate) const FIRST: Timestamp = Timestamp(1_502_928_000_000_000);

    /// The past before `until`, when the price was `last_price`.
    pub(crate) fn new(instrument: Instrument, seed: u64, until: Timestamp, last_price: Price) -> Self {
        let name = instrument.symbol.as_str().bytes().fold(seed, |h, b| mix(h ^ u64::from(b)));
        let last_price = last_price.to_string().parse().unwrap_or(1.0);
        Self { seed: name, until, last_price, instrument }
    }

    /// The candles with `from <= open_at < to` that begin before the market did, at most `limit`, the latest of them.
    pub(crate) fn klines(&self, interval: Interval, from: Timestamp, to: Timestamp, limit: usize) -> Vec<Kline> {
        let span = interval.span();
        let first_real = interval.open_of(self.until);
        let mut open_at = interval.open_of(Timestamp(to.0.min(first_real.0) - 1));
        let mut candles = Vec::new();
        while open_at >= from.max(Self::FIRST) && candles.len() < limit {
            candles.push(self.candle(open_at, span.0));
            open_at = open_at - span;
        }
        candles.reverse();
        candles
    }

    fn candle(&self, open_at: Timestamp, span: i64) -> Kline {
        let price = |i: i64| self.price(Timestamp(open_at.0 + span * i / SAMPLES));
        let prices: Vec<Ticks> = (0..=SAMPLES).map(price).collect();
        let (open, close) = (prices[0], prices[prices.len() - 1]);
        let high = prices.iter().copied().max().unwrap_or(open);
        let low = prices.iter().copied().min().unwrap_or(open);
        let minutes = (span / 60_000_000).max(1);
        // Half to one and a half times 50,000 of the quote asset a minute.
        let busy = 0.5 + (mix(self.seed ^ open_at.0.unsigned_abs()) >> 40) as f64 / (1u64 << 24) as f64;
        let amount =
            Decimal::try_from(50_000.0 * busy * minutes as f64 / self.last_price.max(1e-9)).unwrap_or_default();
        let volume = Lots(self.instrument.scale.lots_down(Qty::new(amount)).0.max(1));
        let product = i128::from(volume.0) * i128::from((open.0 + close.0) / 2);
        let trades = u64::try_from(minutes * 60).unwrap_or(1);
        let (taker_buy, taker_buy_quote) = (Lots(volume.0 / 2), product / 2);
        let (first_id, last_id, quote_volume) = (0, 0, product);
        Kline {
            open_at,
            open,
            high,
            low,
            close,
            volume,
            quote_volume,
            taker_buy,
            taker_buy_quote,
            first_id,
            last_id,
            trades,
        }
    }

    fn price(&self, at: Timestamp) -> Ticks {
        let walk = self.walk(at) - self.walk(self.until);
        let price = Decimal::try_from(self.last_price * walk.exp()).unwrap_or_default();
        Ticks(self.instrument.scale.ticks_down(Price::new(price)).0.max(1))
    }

    /// The logarithm of the price, up to a constant.
    fn walk(&self, at: Timestamp) -> f64 {
        let seconds = at.0 as f64 / 1e6;
        (0..OCTAVES)
            .map(|octave| {
                let period = SHORTEST * f64::from(1u32 << octave);
                let position = seconds / period;
                let (cell, part) = (position.floor(), position.fract());
                let smooth = part * part * (3.0 - 2.0 * part);
                let (a, b) = (self.noise(octave, cell as i64), self.noise(octave, cell as i64 + 1));
                MINUTE_VOLATILITY * (period / 60.0).sqrt() * (a + (b - a) * smooth) / 2.0
            })
            .sum()
    }

    /// Uniform in -1 to 1, one number for each cell of each octave.
    fn noise(&self, octave: u32, cell: i64) -> f64 {
        let hash = mix(self.seed ^ mix(u64::from(octave) << 56 ^ cell as u64));
        (hash >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// SplitMix64's finish (Steele et al., 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_up() -> MadeUp {
        let instrument = nightdesk_wire::capture::usual_instrument("BTCUSDT".parse().unwrap()).unwrap();
        MadeUp::new(instrument, 7, Timestamp(1_700_000_050_000_000), "60000".parse().unwrap())
    }

    #[test]
    fn the_past_is_whole_and_meets_the_first_price() {
        let candles = made_up().klines(Interval::ONE_MINUTE, Timestamp(0), Timestamp(i64::MAX), 500);
        assert_eq!(candles.len(), 500);
        for pair in candles.windows(2) {
            assert_eq!(pair[1].open_at.0 - pair[0].open_at.0, 60_000_000);
            assert_eq!(pair[1].open, pair[0].close);
            assert!(pair[0].low <= pair[0].open && pair[0].close <= pair[0].high && pair[0].volume.0 > 0);
        }
        let last = candles.last().unwrap();
        assert!((last.close.0 - 6_000_000).abs() < 60_000, "{last:?}");
        assert!(last.open_at.0 < 1_700_000_050_000_000 - 40_000_000);
    }

    #[test]
    fn asked_again_it_is_the_same() {
        let (from, to) = (Timestamp(1_699_990_000_000_000), Timestamp(1_699_995_000_000_000));
        let candles = made_up().klines(Interval::ONE_MINUTE, from, to, 1_000);
        assert_eq!(candles, made_up().klines(Interval::ONE_MINUTE, from, to, 1_000));
        assert!(candles.iter().all(|c| c.open_at >= from && c.open_at < to));
    }
}
