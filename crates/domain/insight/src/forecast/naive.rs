//! What was is what will be: the yardstick of all other models.

use super::model::{Class, Model, Past, Scale};

/// The value one season ago, or the last one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naive {
    season: usize,
}

impl Naive {
    pub(crate) const fn last() -> Self {
        Self { season: 1 }
    }

    pub(crate) const fn seasonal(season: usize) -> Self {
        Self { season }
    }
}

impl Model for Naive {
    fn name(&self) -> String {
        if self.season == 1 { "naive".into() } else { format!("naive/{}", self.season) }
    }

    fn class(&self) -> Class {
        Class::Naive
    }

    fn forecast(&self, past: &Past<'_>, horizon: usize) -> Option<Vec<f64>> {
        let values = past.values(Scale::Linear)?;
        let season = &values[values.len().checked_sub(self.season)?..];
        Some(season.iter().copied().cycle().take(horizon).collect())
    }
}
