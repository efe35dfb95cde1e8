//! Sums of products, kept up to date value by value, from which regressions are solved at any moment.
//!
//! They are kept in blocks: old ones are dropped whole (no subtraction, so no error creeps in and an outlier leaves
//! with its block), and a regression that discounts the past weights block by block.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::history::History;
use super::lags::Reach;
use super::model::Scale;
use super::settings::Settings;
use super::trend::Basis;

/// Blocks into which the values kept are divided.
const BLOCKS: usize = 16;

/// Sums of products of the members of a row, lower triangle, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Block {
    number: usize,
    products: Vec<f64>,
}

/// Sums of products over rows of the same width, in blocks of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    width: usize,
    length: usize,
    blocks: VecDeque<Block>,
}

impl Moments {
    fn new(width: usize, length: usize) -> Self {
        Self { width, length, blocks: VecDeque::new() }
    }

    /// Adds the row of index `at`. Costs `width²/2`.
    fn add(&mut self, at: usize, row: &[f64]) {
        let number = at / self.length;
        if self.blocks.back().is_none_or(|block| block.number != number) {
            self.blocks.push_back(Block { number, products: vec![0.0; self.width * (self.width + 1) / 2] });
        }
        let Some(block) = self.blocks.back_mut() else { return };
        let mut rest = block.products.as_mut_slice();
        for (i, factor) in row.iter().enumerate() {
            let (line, after) = rest.split_at_mut(i + 1);
            for (sum, other) in line.iter_mut().zip(row) {
                *sum += factor * other;
            }
            rest = after;
        }
    }

    fn drop_before(&mut self, at: usize) {
        while self.blocks.front().is_some_and(|block| (block.number + 1) * self.length <= at) {
            self.blocks.pop_front();
        }
    }

    /// The sums, each block weighing half as much as one that is `half_life` rows younger.
    pub(crate) fn total(&self, half_life: f64) -> Total {
        let newest = self.blocks.back().map_or(0, |block| block.number);
        let mut products = vec![0.0; self.width * (self.width + 1) / 2];
        for block in &self.blocks {
            let weight = 0.5f64.powf(((newest - block.number) * self.length) as f64 / half_life);
            for (sum, product) in products.iter_mut().zip(&block.products) {
                *sum += weight * product;
            }
        }
        Total { products }
    }
}

/// Sums of products over all rows.
#[derive(Debug, Clone)]
pub(crate) struct Total {
    products: Vec<f64>,
}

impl Total {
    /// The sum of products of two members of the row.
    pub(crate) fn of(&self, a: usize, b: usize) -> f64 {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        self.products[high * (high + 1) / 2 + low]
    }
}

/// Moments over lags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LagMoments {
    reach: Reach,
    scale: Scale,
    lags: Vec<usize>,
    moments: Moments,
}

/// The moments all models share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bank {
    /// Subtracted from the values before products are taken, lest a high level drown small movements.
    reference: [f64; 2],
    lags: Vec<LagMoments>,
    basis: Basis,
    trends: Vec<(Scale, Moments)>,
    /// Values in a block.
    length: usize,
}

/// Where members stand in a row of lags: first a one, then the target, then the lags in order.
pub(crate) const TARGET: usize = 1;
pub(crate) const FIRST_LAG: usize = 2;

impl Bank {
    pub(crate) fn new(settings: &Settings) -> Self {
        let length = settings.kept().div_ceil(BLOCKS);
        let scales = [Scale::Linear, Scale::Log];
        let basis = Basis::new(settings);
        let over = |reach: Reach, scale| {
            let lags = reach.lags(settings);
            LagMoments { reach, scale, moments: Moments::new(lags.len() + FIRST_LAG, length), lags }
        };
        let lags = Reach::all(settings).into_iter().flat_map(|reach| scales.map(|scale| over(reach, scale))).collect();
        let trends = scales.map(|scale| (scale, Moments::new(basis.width() + 1, length))).into();
        Self { reference: [0.0; 2], lags, basis, trends, length }
    }

    /// Values in a block.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Takes in the newest value of `history`.
    pub(crate) fn add(&mut self, history: &History) {
        let at = history.end() - 1;
        if at == 0 {
            self.reference = [Scale::Linear, Scale::Log].map(|scale| history.raw(scale)[0]);
        }
        let mut row = Vec::with_capacity(64);
        for LagMoments { scale, lags, moments, .. } in &mut self.lags {
            let values = history.raw(*scale);
            let longest = lags.last().copied().unwrap_or(0);
            if history.len() > longest && history.row_is_on(*scale, longest) {
                let reference = self.reference[*scale as usize];
                let newest = values.len() - 1;
                row.clear();
                row.extend([1.0, values[newest] - reference]);
                row.extend(lags.iter().map(|lag| values[newest - lag] - reference));
                moments.add(at, &row);
            }
        }
        for (scale, moments) in &mut self.trends {
            if history.row_is_on(*scale, 0) {
                let value = history.raw(*scale)[history.len() - 1] - self.reference[*scale as usize];
                row.clear();
                self.basis.extend(&mut row, at);
                row.push(value);
                moments.add(at, &row);
            }
        }
    }

    /// Forgets the rows before the block of `at`.
    pub(crate) fn drop_before(&mut self, at: usize) {
        for moments in self.lags.iter_mut().map(|over| &mut over.moments).chain(self.trends.iter_mut().map(|(_, m)| m))
        {
            moments.drop_before(at);
        }
    }

    pub(crate) const fn reference(&self, scale: Scale) -> f64 {
        self.reference[scale as usize]
    }

    /// Where [`Self::lag_totals`] has the sums over rows of these lags.
    pub(crate) fn lag_place(&self, reach: Reach, scale: Scale) -> Option<usize> {
        self.lags.iter().position(|over| (over.reach, over.scale) == (reach, scale))
    }

    /// Sums over rows of lags.
    pub(crate) fn lag_totals(&self) -> Vec<Total> {
        self.lags.iter().map(|over| over.moments.total(f64::INFINITY)).collect()
    }

    /// Sums over rows of the trend and season basis, the past discounted.
    pub(crate) fn trend(&self, scale: Scale, half_life: f64) -> Option<Total> {
        self.trends.iter().find(|(s, _)| *s == scale).map(|(_, moments)| moments.total(half_life))
    }

    pub(crate) const fn basis(&self) -> &Basis {
        &self.basis
    }
}

/// Solves `a x = b` for symmetric positive definite `a` (lower triangle, dense rows). `None` if it is not definite.
pub(crate) fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        let (above, rest) = a.split_at_mut(i);
        let row = &mut rest[0];
        for (j, other) in above.iter().enumerate() {
            let dot: f64 = row[..j].iter().zip(other).map(|(x, y)| x * y).sum();
            row[j] = (row[j] - dot) / other[j];
        }
        let rest = row[i] - row[..i].iter().map(|x| x * x).sum::<f64>();
        if rest.is_nan() || rest <= 0.0 {
            return None;
        }
        row[i] = rest.sqrt();
        let dot: f64 = row[..i].iter().zip(&b).map(|(x, y)| x * y).sum();
        b[i] = (b[i] - dot) / row[i];
    }
    for i in (0..n).rev() {
        b[i] /= a[i][i];
        for j in 0..i {
            b[j] -= a[i][j] * b[i];
        }
    }
    b.iter().all(|x| x.is_finite()).then_some(b)
}

#[cfg(test)]
#[path = "moments_tests.rs"]
mod tests;
