//! Values at stable small indices, so that linked queues need no pointers and serialise as they are.

use serde::{Deserialize, Serialize};

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// Values at stable indices; the index of a removed value is used again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.items[index as usize] = value;
            return index;
        }
        self.items.push(value);
        // Four billion resting orders would not fit in memory.
        u32::try_from(self.items.len() - 1).unwrap_or(NONE)
    }

    /// Gives the index back; the value stays until it is overwritten.
    pub(crate) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, index: u32) -> &T {
        &self.items[index as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.items[index as usize]
    }
}
