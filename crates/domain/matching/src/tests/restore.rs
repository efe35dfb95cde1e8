//! A restored venue goes on as if nothing had happened; a seed is a market.

use nightdesk_units::{Micros, Money, Timestamp};
use proptest::prelude::*;

use super::properties::command;
use super::text::{Desk, instrument, symbol};
use crate::{Synthetic, SyntheticMarket, Venue, VenueConfig, VenueEvent};

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_restored_venue_continues_identically(script in prop::collection::vec(command(), 2..80), at in 0usize..80) {
        let mut desk = Desk::new();
        let at = at % script.len();
        for command in &script[..at] {
            desk.events(command);
        }
        let mut twin = desk.restored();
        prop_assert_eq!(json(&desk.venue), json(&twin.venue));
        for command in &script[at..] {
            prop_assert_eq!(desk.events(command), twin.events(command));
        }
        prop_assert_eq!(json(&desk.venue), json(&twin.venue));
    }
}

fn market(seed: u64) -> (Venue, SyntheticMarket) {
    let mut instrument = instrument();
    instrument.scale.tick = "0.01".parse().unwrap();
    instrument.scale.step = "0.0001".parse().unwrap();
    let venue = Venue::new(VenueConfig::new(vec![instrument]));
    let config = Synthetic::new(symbol(), "60000".parse().unwrap(), Money::new(2_000.into()));
    (venue, SyntheticMarket::new(config, seed, Timestamp(0)))
}

#[test]
fn a_seed_is_a_market_also_across_a_restart() {
    let (mut venue, mut market_a) = market(5);
    let (mut twin, mut market_b) = market(5);
    let (mut told, mut heard) = (Vec::new(), Vec::new());
    for step in 0..3_000 {
        if step == 1_500 {
            twin = serde_json::from_str(&json(&twin)).unwrap();
            market_b = serde_json::from_str(&json(&market_b)).unwrap();
        }
        market_a.step(&mut venue, &mut told).unwrap();
        market_b.step(&mut twin, &mut heard).unwrap();
    }
    assert_eq!(told, heard);
    let (mut other, mut market_c) = market(6);
    market_c.step(&mut other, &mut heard).unwrap();
    assert_ne!(json(&venue.depth(symbol(), 5).unwrap()), json(&other.depth(symbol(), 5).unwrap()));
}

/// Mid prices once a second for `seconds`.
fn mids(seed: u64, seconds: i64) -> Vec<f64> {
    let (mut venue, mut market) = market(seed);
    let (mut out, mut mids) = (Vec::new(), Vec::new());
    for second in 1..=seconds {
        while market.next_event_at() < Timestamp(0) + Micros::from_secs(second) {
            market.step(&mut venue, &mut out).unwrap();
            for event in out.drain(..) {
                if let VenueEvent::Best(quote) = event {
                    assert!(quote.bid.0 == 0 || quote.ask.0 == 0 || quote.ask > quote.bid, "{quote:?}");
                }
            }
        }
        let best = venue.best(symbol()).unwrap();
        assert!(best.bid.0 > 0 && best.ask.0 > best.bid.0, "both sides are quoted: {best:?}");
        mids.push((best.bid.0 + best.ask.0) as f64 / 2.0);
    }
    assert!(venue.counters().trades > 100, "it trades");
    mids
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let covariance: f64 = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum();
    covariance / variance
}

#[test]
fn volatility_clusters_and_returns_do_not() {
    for seed in [1, 2, 3] {
        let mids = mids(seed, 1_800);
        let returns: Vec<f64> = mids.windows(6).step_by(5).map(|w| w[5] / w[0] - 1.0).collect();
        // A gap is one return beyond the rest and would drown the correlation: capped.
        let sizes: Vec<f64> = returns.iter().map(|r| r.abs().min(0.001)).collect();
        let clustering = (1..=5).map(|lag| autocorrelation(&sizes, lag)).sum::<f64>() / 5.0;
        assert!(clustering > 0.05, "seed {seed}: {clustering}");
        let range = mids.iter().copied().fold(0.0, f64::max) / mids.iter().copied().fold(f64::MAX, f64::min);
        assert!(range > 1.001 && range < 1.3, "seed {seed}: {range}");
    }
}
