//! How improbable a deviation is, by the deviations seen before. Constant work and memory.
//!
//! Two views are kept of the same history. A fitted tail (a streaming quantile and the mean excess over it, with the
//! shape of a generalised Pareto distribution) tells how far out a value lies that was never seen; a decaying count by
//! size tells how often one like it came before. The fit may exceed the count by a fixed factor only, so that what has
//! happened a few times stops being improbable whatever the fit says.

use serde::{Deserialize, Serialize};

use super::Tuning;

/// The share of deviations that make the tail, and its negative decimal logarithm.
const SHARE: f64 = 0.03;
const SHARE_LOG: f64 = 1.522_878_745_280_337_6;
/// Rows that only set the scale.
const SEED_ROWS: f64 = 30.0;
/// Sizes are counted in classes of a third of an octave, from a little below the quantile to some 40 times it.
const CLASSES: usize = 20;
const PER_OCTAVE: i32 = 3;
const CBRT_2: f64 = 1.259_921_049_894_873;
const CBRT_4: f64 = 1.587_401_051_968_199_4;
const BELOW: i32 = 4;
/// A value this many classes off the quantile moves the classes.
const DRIFT: i32 = 3;
/// An excess teaches at most so many mean excesses.
const EXCESS_CAP: f64 = 10.0;
/// Rows after which an excursion is counted although it is not over.
const LONGEST: u32 = 100;
/// Rows after which a count has lost a part 1 - 1/e, in memories.
const COUNT_MEMORIES: f64 = 2.0;

/// The tail of one kind of deviation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Tail {
    counts: [f32; CLASSES],
    /// The class of the first count, on an absolute scale.
    base: i32,
    /// What a row counts now: it grows instead of all older counts shrinking.
    weight: f32,
    #[serde(with = "super::exact")]
    total: f64,
    #[serde(with = "super::exact")]
    top: f64,
    /// The present excursion above the quantile: its largest size so far, and its rows. It is counted when it is over: what
    /// grows slowly must not find itself usual on the way.
    #[serde(with = "super::exact")]
    worst: f64,
    lasted: u32,
    #[serde(with = "super::exact")]
    rows: f64,
    #[serde(with = "super::exact")]
    mean: f64,
    #[serde(with = "super::exact")]
    quantile: f64,
    #[serde(with = "super::exact")]
    excess: f64,
    #[serde(with = "super::exact")]
    excesses: f64,
}

impl Tail {
    /// The mean deviation.
    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// How improbable `size` is, as a negative decimal logarithm, and then learns from it.
    pub(crate) fn step(&mut self, size: f64, tuning: &Tuning) -> f64 {
        let evidence = self.evidence(size, tuning);
        self.learn(size, tuning);
        evidence
    }

    fn evidence(&self, size: f64, tuning: &Tuning) -> f64 {
        if self.rows < SEED_ROWS {
            return 0.0;
        }
        let fitted = self.fitted(size, tuning);
        if fitted < 1.0 { fitted } else { fitted.min(self.counted(size, tuning) + tuning.trust) }
    }

    fn fitted(&self, size: f64, tuning: &Tuning) -> f64 {
        if size <= self.quantile {
            return SHARE_LOG * (size / self.quantile.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        }
        let excess = self.excess.max(self.quantile * 0.05).max(1e-9);
        let scale = excess * (1.0 - tuning.shape);
        SHARE_LOG + (1.0 + tuning.shape * (size - self.quantile) / scale).log10() / tuning.shape
    }

    /// By how many were about as large. What is larger than all of them gets what the fit says about the difference.
    fn counted(&self, size: f64, tuning: &Tuning) -> f64 {
        let from = (self.class(size) - 1).max(0) as usize;
        let larger: f64 = self.counts.iter().skip(from).map(|count| f64::from(*count)).sum();
        let weight = f64::from(self.weight).max(f64::MIN_POSITIVE);
        let seen = ((self.total / weight + 1.0) / (larger / weight + 0.5)).log10();
        if size <= self.top {
            return seen;
        }
        seen + (self.fitted(size, tuning) - self.fitted(self.top, tuning)).max(0.0)
    }

    fn learn(&mut self, size: f64, tuning: &Tuning) {
        self.rows += 1.0;
        let seeding = self.rows <= SEED_ROWS;
        // Without a scale there is nothing to cap by: after a constant beginning, the first change sets it.
        let cap = if seeding || self.excess <= 0.0 { f64::INFINITY } else { EXCESS_CAP * self.excess };
        let taught = size.min(self.quantile + cap);
        self.mean += (taught - self.mean) / self.rows.min(tuning.memory_rows);
        if seeding {
            self.quantile += (2.5 * self.mean - self.quantile) * 0.2;
            self.excess = self.mean;
            return;
        }
        self.count(size, tuning);
        // A streaming quantile: up on each excess, down a little otherwise, ever more slowly.
        let root = self.rows.sqrt();
        let pace = (1.0 / (root * root.sqrt())).max(1.0 / tuning.memory_rows);
        let step = pace * 2.0 * self.mean.max(1e-9);
        if size > self.quantile {
            self.quantile += step * (1.0 - SHARE);
            self.excesses += 1.0;
            let excess = (size - self.quantile).clamp(0.0, cap);
            let known = self.excesses.min(tuning.memory_rows * SHARE) + tuning.prior;
            self.excess += (excess - self.excess) / known;
        } else {
            self.quantile = (self.quantile - step * SHARE).max(0.0);
        }
    }

    fn count(&mut self, size: f64, tuning: &Tuning) {
        let memory = COUNT_MEMORIES * tuning.memory_rows;
        self.weight = if self.weight > 0.0 { self.weight * (1.0 + 1.0 / memory) as f32 } else { 1.0 };
        self.follow();
        self.total += f64::from(self.weight);
        self.top *= 1.0 - 0.5 / memory;
        if size > self.quantile {
            self.worst = self.worst.max(size);
            self.lasted += 1;
        } else {
            self.add(size, 1.0);
        }
        if self.lasted > 0 && (size <= self.quantile || self.lasted >= LONGEST) {
            let (worst, lasted) = (std::mem::take(&mut self.worst), std::mem::take(&mut self.lasted));
            self.add(worst, lasted as f32);
            self.top = self.top.max(worst);
        }
        if self.weight > 1e6 {
            self.counts.iter_mut().for_each(|count| *count /= self.weight);
            self.total /= f64::from(self.weight);
            self.weight = 1.0;
        }
    }

    fn add(&mut self, size: f64, rows: f32) {
        let class = self.class(size) as usize;
        if let Some(count) = self.counts.get_mut(class) {
            *count += rows * self.weight;
        }
    }

    fn class(&self, size: f64) -> i32 {
        (absolute(size) - self.base).clamp(0, CLASSES as i32 - 1)
    }

    /// Keeps the classes around the quantile: a change of scale must not push all that follows into one of them.
    fn follow(&mut self) {
        let base = absolute(self.quantile.max(self.mean)) - BELOW;
        let by = base.saturating_sub(self.base);
        if self.total > 0.0 && by.abs() <= DRIFT {
            return;
        }
        self.base = base;
        let mut moved = [0.0; CLASSES];
        for (class, count) in (0..).zip(self.counts) {
            let to = i32::saturating_sub(class, by).clamp(0, CLASSES as i32 - 1);
            if let Some(slot) = moved.get_mut(to as usize) {
                *slot += count;
            }
        }
        self.counts = moved;
    }
}

/// The class of a size on an absolute scale.
fn absolute(size: f64) -> i32 {
    // The exponent and two comparisons: the same as the logarithm, without its price.
    let bits = size.max(1e-30).to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1_023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1_023 << 52));
    PER_OCTAVE * exponent + i32::from(mantissa >= CBRT_2) + i32::from(mantissa >= CBRT_4)
}
