//! What will happen when.

use std::collections::BTreeMap;

use nightdesk_units::Timestamp;

use crate::world::World;

/// Something that happens to the world.
pub(crate) type Happening = Box<dyn FnOnce(&mut World) + Send>;

/// Happenings by time, then in the order in which they were planned.
#[derive(Default)]
pub(crate) struct Agenda {
    planned: BTreeMap<(Timestamp, u64), (&'static str, Happening)>,
    count: u64,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Timestamp, what: &'static str, happening: Happening) {
        self.count += 1;
        self.planned.insert((at, self.count), (what, happening));
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.planned.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(&'static str, Happening)> {
        self.planned.pop_first().map(|(_, planned)| planned)
    }
}
