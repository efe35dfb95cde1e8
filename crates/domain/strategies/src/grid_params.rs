//! Parameters of `grid-trader`.

use nightdesk_market::{Instrument, Side};
use nightdesk_units::{Decimal, Micros, Money, Price, Problem, Qty, Ticks};
use serde::{Deserialize, Serialize};

use crate::params::Reader;
use crate::{GridShape, ParamDoc, ParamTable};

/// Parameters of `grid-trader`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridParams {
    /// How many levels buy.
    pub levels: u32,
    /// Quote currency per level.
    pub order_quote: Money,
    /// Where the levels are.
    pub range: GridRange,
    /// How long to wait after an order that came to nothing; doubled with each in a row, up to 64 times.
    pub retry_after: Micros,
    /// The oldest quote that is acted on.
    pub max_age: Micros,
}

/// Where the levels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GridRange {
    /// Evenly from `lower` to `upper`, for ever.
    Fixed {
        /// The lowest level buys here.
        lower: Price,
        /// The highest level sells here.
        upper: Price,
    },
    /// Around the price at the start, and around a new one when the market has left the range for good.
    Anchored {
        /// Distance between levels, per cent of the anchor.
        step_pct: Decimal,
        /// How long the market must have been outside.
        reanchor_after: Micros,
    },
}

impl GridParams {
    /// The parameters, documented.
    pub const DOCS: &'static [ParamDoc] = &[
        ParamDoc { name: "levels", default: None, example: "10", doc: "how many levels buy, 1 to 200" },
        ParamDoc {
            name: "order_quote",
            default: None,
            example: "\"100\"",
            doc: "quote currency per level, above 0; levels times this is what the grid may hold",
        },
        ParamDoc {
            name: "step_pct",
            default: Some("none: give it, or lower and upper"),
            example: "0.4",
            doc: "distance between levels in per cent of the anchor, above 0, up to 50; should exceed two fees",
        },
        ParamDoc {
            name: "reanchor_after_s",
            default: Some("900"),
            example: "900",
            doc: "with step_pct: seconds outside the range, holding nothing, after which the grid moves, 1 to 604800",
        },
        ParamDoc {
            name: "lower",
            default: Some("none: give it with upper, or step_pct"),
            example: "\"55000\"",
            doc: "price at which the lowest level buys, above 0",
        },
        ParamDoc {
            name: "upper",
            default: Some("none: give it with lower, or step_pct"),
            example: "\"65000\"",
            doc: "price at which the highest level sells, above lower",
        },
        ParamDoc {
            name: "retry_after_s",
            default: Some("5"),
            example: "5",
            doc: "seconds to wait after an order that came to nothing, doubled with each in a row up to 64 times, 1 to 3600",
        },
        ParamDoc {
            name: "max_age_ms",
            default: Some("2000"),
            example: "2000",
            doc: "the oldest quote acted on, in milliseconds, 1 to 60000",
        },
    ];

    /// Reads a table.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(table: &ParamTable) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(table, Self::DOCS);
        let levels: Option<u32> = reader.required("levels");
        let order_quote: Option<Money> = reader.required("order_quote");
        reader.check("levels", levels.as_ref(), |n| (1..=200).contains(n));
        reader.check("order_quote", order_quote.as_ref(), |quote| quote.is_positive());
        let range = read_range(&mut reader);
        let retry: Option<i64> = reader.optional("retry_after_s");
        let age: Option<i64> = reader.optional("max_age_ms");
        reader.check("retry_after_s", retry.as_ref(), |s| (1..=3_600).contains(s));
        reader.check("max_age_ms", age.as_ref(), |ms| (1..=60_000).contains(ms));
        let params = (|| {
            Some(Self {
                levels: levels?,
                order_quote: order_quote?,
                range: range?,
                retry_after: Micros::from_secs(retry.unwrap_or(5)),
                max_age: Micros::from_millis(age.unwrap_or(2_000)),
            })
        })();
        reader.finish(params)
    }

    /// What the grid holds when every level has bought.
    #[must_use]
    pub fn capital(&self) -> Money {
        self.order_quote.scale(self.levels.into()).unwrap_or(Money::new(Decimal::MAX))
    }

    /// The levels, around `anchor` where they are not fixed: half of them (rounded up) below it.
    #[must_use]
    pub fn shape(&self, instrument: &Instrument, anchor: Ticks) -> GridShape {
        let levels = self.levels;
        match self.range {
            GridRange::Fixed { lower, upper } => {
                let (low, high) = (instrument.scale.ticks_down(lower), instrument.scale.ticks_down(upper));
                let step = Ticks((high.0.saturating_sub(low.0) / i64::from(levels.max(1))).max(1));
                GridShape { low, step, levels }
            }
            GridRange::Anchored { step_pct, .. } => {
                let distance =
                    instrument.price(anchor).scale(step_pct.saturating_mul(Decimal::new(1, 2))).unwrap_or_default();
                let step = Ticks(instrument.scale.ticks_down(distance).0.max(1));
                let below = i64::from(levels.div_ceil(2));
                let low = Ticks(anchor.0.saturating_sub(step.0.saturating_mul(below)).max(1));
                GridShape { low, step, levels }
            }
        }
    }

    /// Base quantity that a level at `price` buys.
    pub(crate) fn qty(&self, instrument: &Instrument, price: Price) -> Option<Qty> {
        let qty = Qty::new(self.order_quote.get().checked_div(price.get())?);
        Some(instrument.qty_down(qty))
    }

    /// What the instrument's filters would refuse.
    #[must_use]
    pub fn check(&self, instrument: &Instrument) -> Vec<Problem> {
        let (mut problems, filters) = (Vec::new(), &instrument.filters);
        if filters.max_open_orders > 0 && self.levels > filters.max_open_orders {
            let message = format!("{} levels are more than {} open orders", self.levels, filters.max_open_orders);
            problems.push(Problem::new("levels", message, format!("{} allows no more", instrument.symbol)));
        }
        // A sale of what a level bought must still be worth an order, so one lot and one step are spared.
        let least = filters.min_notional;
        if self.order_quote < least.scale(Decimal::new(11, 1)).unwrap_or(least) {
            let message = format!("{} is not a tenth above the least order of {least}", self.order_quote);
            problems.push(Problem::new("order_quote", message, "raise it: rounding to lots and fees take their part"));
        }
        if let GridRange::Fixed { lower, upper } = self.range {
            let shape = self.shape(instrument, Ticks(0));
            for (field, ticks) in [("lower", shape.low), ("upper", shape.price(self.levels.saturating_sub(1)))] {
                let price = instrument.price(ticks);
                let qty = self.qty(instrument, price).unwrap_or_default();
                if let Err(failure) = instrument.check(Side::Buy, Some(price), qty, None) {
                    problems.push(Problem::new(field, format!("an order at {price}: {failure}"), "mind the filters"));
                }
            }
            let ticks = instrument.scale.ticks_down(upper).0.saturating_sub(instrument.scale.ticks_down(lower).0);
            if ticks < i64::from(self.levels) {
                let message = format!("{} levels do not fit between {lower} and {upper}", self.levels);
                problems.push(Problem::new("levels", message, format!("the tick is {}", instrument.scale.tick)));
            }
        }
        problems
    }
}

fn read_range(reader: &mut Reader<'_>) -> Option<GridRange> {
    let (lower, upper): (Option<Price>, Option<Price>) = (reader.optional("lower"), reader.optional("upper"));
    let step: Option<Decimal> = reader.optional("step_pct");
    let after: Option<i64> = reader.optional("reanchor_after_s");
    reader.check("step_pct", step.as_ref(), |pct| *pct > Decimal::ZERO && *pct <= Decimal::from(50));
    reader.check("reanchor_after_s", after.as_ref(), |s| (1..=604_800).contains(s));
    reader.check("lower", lower.as_ref(), |price| price.is_positive());
    reader.check("upper", upper.as_ref(), |price| price.is_positive());
    let fixed = reader.has("lower") || reader.has("upper");
    match (fixed, reader.has("step_pct")) {
        (true, true) => reader.problem("step_pct", "given beside lower or upper"),
        (false, false) => reader.problem("step_pct", "missing, and so are lower and upper"),
        (true, false) => {
            for (name, other) in [("lower", "upper"), ("upper", "lower")] {
                if !reader.has(name) {
                    reader.problem(name, format!("missing beside {other}"));
                }
            }
            if reader.has("reanchor_after_s") {
                reader.problem("reanchor_after_s", "given without step_pct: a fixed grid does not move");
            }
        }
        (false, true) => {}
    }
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower >= upper
    {
        reader.problem("upper", format!("{upper} is not above lower, which is {lower}"));
    }
    if fixed {
        return Some(GridRange::Fixed { lower: lower?, upper: upper? });
    }
    Some(GridRange::Anchored { step_pct: step?, reanchor_after: Micros::from_secs(after.unwrap_or(900)) })
}
