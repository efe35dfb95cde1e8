//! Properties of the grid under random markets and a random exchange.

use nightdesk_market::Side;
use nightdesk_orders::Status;
use nightdesk_units::{Decimal, Micros, Qty};
use proptest::prelude::*;

use crate::desk::{Desk, quote_of};
use crate::{Decision, Event, SavedState, StrategyKind};

/// Levels at 98, 99, 100, 101 around 100, each selling 1 above.
const ANCHORED: &str = "levels=4 order_quote=50 step_pct=1 reanchor_after_s=60";

/// What the market and the exchange may do next.
#[derive(Debug, Clone, Copy)]
enum Act {
    Quote(i64, i64),
    Wait(u32),
    Fill(u8, u32),
    End(u8, u8),
    Restart,
    Risk(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (900..1_100i64, 1..4i64).prop_map(|(bid, spread)| Act::Quote(bid, spread)),
        1 => (1..120u32).prop_map(Act::Wait),
        4 => (any::<u8>(), 1..1_001u32).prop_map(|(which, part)| Act::Fill(which, part)),
        1 => (any::<u8>(), 0..4u8).prop_map(|(which, how)| Act::End(which, how)),
        1 => Just(Act::Restart),
        1 => any::<bool>().prop_map(Act::Risk),
    ]
}

fn play(desk: &mut Desk, act: Act) -> Vec<Decision> {
    let pick = |desk: &Desk, which: u8| {
        let open: Vec<_> = desk.orders.iter().copied().collect();
        (!open.is_empty()).then(|| open[usize::from(which) % open.len()])
    };
    match act {
        Act::Quote(bid, spread) => {
            let quote = quote_of(desk, bid, spread);
            desk.event(Event::Quote(&quote))
        }
        Act::Wait(seconds) => {
            desk.now = desk.now + Micros::from_secs(i64::from(seconds));
            Vec::new()
        }
        Act::Fill(which, part) => {
            let Some(order) = pick(desk, which) else { return Vec::new() };
            let more = order.remaining().scale(Decimal::new(part.into(), 3)).unwrap();
            let more = desk.instrument.qty_down(more).max("0.001".parse().unwrap()).min(order.remaining());
            let filled = order.filled.add(more).unwrap();
            let status = if filled == order.placement.qty { Status::Filled } else { Status::Open };
            let fee =
                if order.placement.side == Side::Buy { more.scale(Decimal::new(1, 3)).unwrap() } else { Qty::ZERO };
            desk.progress(order.placement.key.as_str(), status, filled, &fee.to_string())
        }
        Act::End(which, how) => {
            let Some(order) = pick(desk, which) else { return Vec::new() };
            let never = order.filled.is_zero();
            let status = match how {
                0 if never => Status::Rejected,
                1 if never => Status::Abandoned,
                2 => Status::Expired,
                _ => Status::Canceled,
            };
            desk.progress(order.placement.key.as_str(), status, order.filled, "0")
        }
        Act::Restart => desk.run("restart"),
        Act::Risk(on) => {
            desk.may_add_risk = on;
            Vec::new()
        }
    }
}

proptest! {
    /// Whatever market and exchange do: it never sells what it does not hold, never uses a key twice, never has two
    /// orders on a level, never buys while that is forbidden (all asserted by the desk or here), and never holds more than
    /// its levels may.
    #[test]
    fn it_stays_within_what_it_holds_and_may_hold(
        acts in proptest::collection::vec(act(), 1..250),
        anchored in any::<bool>(),
    ) {
        let params = if anchored { ANCHORED } else { "levels=4 order_quote=50 lower=96 upper=104" };
        let mut desk = Desk::new(StrategyKind::GridTrader, params);
        for act in acts {
            let decided = play(&mut desk, act);
            for decision in &decided {
                if let Decision::Place(placement) = decision {
                    prop_assert!(desk.may_add_risk || placement.reduces);
                }
            }
            prop_assert!(desk.orders.len() <= 4, "two orders on a level");
            let buying = desk.orders.iter().filter(|o| o.placement.side == Side::Buy);
            let buying = buying.fold(Qty::ZERO, |sum, order| sum.add(order.remaining()).unwrap());
            // 50 of quote buy at most 50/94 at the lowest anchored level of this walk; each level may keep a crumb of 5.
            let most = Qty::new(Decimal::from(4) * Decimal::from(56) / Decimal::from(86));
            prop_assert!(desk.position.add(buying).unwrap() <= most, "{} held, {} ordered", desk.position, buying);
            let SavedState::GridTrader(state) = desk.strategy.save() else { unreachable!() };
            let held = state.levels.iter().fold(Qty::ZERO, |sum, level| sum.add(level.held).unwrap());
            prop_assert_eq!(held, desk.position);
        }
    }

    /// Told the same, it decides the same; a restart in between does not matter.
    #[test]
    fn replay_equals_live(acts in proptest::collection::vec(act(), 1..120)) {
        let mut live = Desk::new(StrategyKind::GridTrader, ANCHORED);
        let mut replayed = Desk::new(StrategyKind::GridTrader, ANCHORED);
        for act in acts {
            prop_assert_eq!(play(&mut live, act), play(&mut replayed, act));
        }
        prop_assert_eq!(live.strategy.save(), replayed.strategy.save());
    }
}
