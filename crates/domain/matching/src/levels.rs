//! Price levels in order of priority, kept in short runs.
//!
//! A recorded book has a few thousand levels a side and changes hundreds of levels deep: in one vector each of those
//! changes moved kilobytes. Here it moves a part of one run. A level is named by its position from the worst, as in a vector;
//! what is asked for is near the best, so positions are looked up from there.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::book::Slot;

/// The most levels of a run.
const RUN_MAX: usize = 64;

/// Levels, best last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Slot>", into = "Vec<Slot>")]
pub(crate) struct Levels {
    /// None of them empty.
    runs: Vec<Vec<Slot>>,
    /// The key of each run's first level.
    firsts: Vec<i64>,
    len: usize,
}

impl Levels {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The best.
    #[inline]
    pub(crate) fn last(&self) -> Option<&Slot> {
        self.runs.last()?.last()
    }

    /// All of them, worst first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        self.runs.iter().flatten()
    }

    /// Where `key` is, or where it belongs.
    #[inline]
    pub(crate) fn find(&self, key: i64) -> Result<usize, usize> {
        let mut start = self.len;
        for (run, first) in self.runs.iter().zip(&self.firsts).rev() {
            start -= run.len();
            if *first <= key {
                return search(run, key).map(|at| start + at).map_err(|at| start + at);
            }
        }
        Err(0)
    }

    pub(crate) fn insert(&mut self, at: usize, slot: Slot) {
        self.len += 1;
        let Some(last) = self.runs.last_mut() else {
            self.add_run(0, vec![slot]);
            return;
        };
        if at + 1 == self.len {
            // A better best, and the way a whole book is taken in: runs are filled, not halved.
            if last.len() < RUN_MAX {
                last.push(slot);
            } else {
                self.add_run(self.runs.len(), vec![slot]);
            }
            return;
        }
        let (mut run, mut at) = self.locate(self.len - 1, at);
        if self.runs[run].len() >= RUN_MAX {
            let rest = self.runs[run].split_off(RUN_MAX / 2);
            self.add_run(run + 1, rest);
            if at > RUN_MAX / 2 {
                (run, at) = (run + 1, at - RUN_MAX / 2);
            }
        }
        self.runs[run].insert(at, slot);
        if at == 0 {
            self.firsts[run] = slot.key;
        }
    }

    pub(crate) fn remove(&mut self, at: usize) {
        let (run, at) = self.locate(self.len, at);
        self.len -= 1;
        self.runs[run].remove(at);
        match self.runs[run].first() {
            Some(first) => self.firsts[run] = first.key,
            None => {
                self.runs.remove(run);
                self.firsts.remove(run);
            }
        }
    }

    fn add_run(&mut self, at: usize, slots: Vec<Slot>) {
        let Some(first) = slots.first() else { return };
        self.firsts.insert(at, first.key);
        let mut run = Vec::with_capacity(RUN_MAX);
        run.extend(slots);
        self.runs.insert(at, run);
    }

    /// Run and place of a position among `len` levels; positions beyond are those of the first level.
    #[inline]
    fn locate(&self, len: usize, at: usize) -> (usize, usize) {
        let mut back = len - at;
        for (index, run) in self.runs.iter().enumerate().rev() {
            if back <= run.len() {
                return (index, run.len() - back);
            }
            back -= run.len();
        }
        (0, 0)
    }
}

/// Where `key` is in a run, or where it belongs. Mostly near its end.
#[inline]
fn search(run: &[Slot], key: i64) -> Result<usize, usize> {
    let near = run.len().saturating_sub(4);
    for (at, slot) in run.iter().enumerate().skip(near).rev() {
        if slot.key <= key {
            return if slot.key == key { Ok(at) } else { Err(at + 1) };
        }
    }
    run[..near].binary_search_by_key(&key, |slot| slot.key)
}

impl Index<usize> for Levels {
    type Output = Slot;
    #[inline]
    fn index(&self, at: usize) -> &Slot {
        let (run, at) = self.locate(self.len, at);
        &self.runs[run][at]
    }
}

impl IndexMut<usize> for Levels {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut Slot {
        let (run, at) = self.locate(self.len, at);
        &mut self.runs[run][at]
    }
}

impl From<Vec<Slot>> for Levels {
    fn from(slots: Vec<Slot>) -> Self {
        let mut levels = Self::default();
        for slot in slots {
            levels.insert(levels.len, slot);
        }
        levels
    }
}

impl From<Levels> for Vec<Slot> {
    fn from(levels: Levels) -> Self {
        levels.runs.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slab::NONE;

    fn keys(levels: &Levels) -> Vec<i64> {
        levels.iter().map(|slot| slot.key).collect()
    }

    proptest! {
        #[test]
        fn levels_are_a_sorted_vector(changes in prop::collection::vec((0i64..400, any::<bool>()), 0..1_500)) {
            let (mut levels, mut model) = (Levels::default(), Vec::<i64>::new());
            for (key, wanted) in changes {
                let found = levels.find(key);
                prop_assert_eq!(found, model.binary_search(&key));
                match (found, wanted) {
                    (Err(at), true) => {
                        levels.insert(at, Slot { key, recorded: key, queue: NONE });
                        model.insert(at, key);
                    }
                    (Ok(at), false) => {
                        levels.remove(at);
                        model.remove(at);
                    }
                    (Ok(at), true) => prop_assert_eq!(levels[at].key, key),
                    (Err(_), false) => {}
                }
                prop_assert_eq!((levels.len(), levels.last().map(|slot| slot.key)), (model.len(), model.last().copied()));
            }
            prop_assert_eq!(keys(&levels), &model[..]);
            prop_assert!(levels.iter().rev().map(|slot| slot.key).eq(model.iter().rev().copied()));
            let text = serde_json::to_string(&levels).unwrap();
            prop_assert_eq!(keys(&serde_json::from_str(&text).unwrap()), model);
            prop_assert!(levels.runs.iter().all(|run| !run.is_empty() && run.len() <= RUN_MAX));
        }
    }
}
