//! What a worker journals. Replaying these facts gives its state.

use nightdesk_market::Instrument;
use nightdesk_orders::{Fill, IntentId, Status};
use nightdesk_strategies::{DecisionKey, GridLevel, GridState, Placement, SavedState};
use nightdesk_units::{Money, Qty, Timestamp};
use nightdesk_wire::OrderUpdate;
use serde::{Deserialize, Serialize};

/// One turn's changes; most parts are absent most of the time. They are applied in the order in which they stand here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Fact {
    /// The instrument's filters from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instrument: Option<Instrument>,
    /// Told to run or to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<bool>,
    /// What became of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) update: Option<Update>,
    /// Configuration generation, with `place`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<u32>,
    /// Orders decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) place: Vec<Placement>,
    /// Orders to be taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cancel: Vec<DecisionKey>,
    /// What changed in the strategy's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<Change>,
}

impl Fact {
    /// Its name in the journal.
    pub(crate) const fn kind(&self) -> &'static str {
        if self.instrument.is_some() {
            "instrument"
        } else if self.run.is_some() {
            "control"
        } else if self.update.is_some() {
            "order"
        } else {
            "decided"
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of an order, as far as the worker keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Update {
    pub(crate) intent_id: IntentId,
    pub(crate) status: Status,
    pub(crate) filled: Qty,
    pub(crate) filled_quote: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fill: Option<Fill>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) position: Qty,
    pub(crate) at: Timestamp,
}

impl From<OrderUpdate> for Update {
    fn from(told: OrderUpdate) -> Self {
        let OrderUpdate { instance: _, intent_id, status, filled, filled_quote, fill, reason, position, at } = told;
        Self { intent_id, status, filled, filled_quote, fill, reason, position, at }
    }
}

/// What changed in a strategy's saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// All of it.
    Whole(SavedState),
    /// Levels of the same grid.
    Grid {
        /// Since when the market has been outside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outside_since: Option<Timestamp>,
        /// True while the grid waits to move.
        moving: bool,
        /// Levels that changed, by position.
        levels: Vec<(usize, GridLevel)>,
    },
}

impl Change {
    /// What leads from `before` to `after`; `None` when nothing does, or nothing of it has to be kept.
    pub(crate) fn between(before: Option<&SavedState>, after: SavedState) -> Option<Self> {
        match (before, after) {
            // Its averages are rebuilt from candles.
            (_, SavedState::MaCrossover(_)) => None,
            (Some(before), after) if *before == after => None,
            (Some(SavedState::GridTrader(before)), SavedState::GridTrader(after)) if is_same_grid(before, &after) => {
                let pairs = before.levels.iter().zip(&after.levels).enumerate();
                let levels = pairs.filter(|(_, (was, is))| was != is).map(|(i, (_, is))| (i, *is)).collect();
                Some(Self::Grid { outside_since: after.outside_since, moving: after.moving, levels })
            }
            (_, after) => Some(Self::Whole(after)),
        }
    }

    /// Takes the change in.
    pub(crate) fn apply(&self, saved: &mut Option<SavedState>) {
        match (self, saved) {
            (Self::Whole(state), saved) => *saved = Some(state.clone()),
            (Self::Grid { outside_since, moving, levels }, Some(SavedState::GridTrader(grid))) => {
                (grid.outside_since, grid.moving) = (*outside_since, *moving);
                for (i, level) in levels {
                    if let Some(slot) = grid.levels.get_mut(*i) {
                        *slot = *level;
                    }
                }
            }
            // A part is only ever journaled after the whole.
            (Self::Grid { .. }, Some(SavedState::MaCrossover(_)) | None) => {}
        }
    }
}

fn is_same_grid(before: &GridState, after: &GridState) -> bool {
    before.generation == after.generation && before.shape == after.shape && before.levels.len() == after.levels.len()
}
