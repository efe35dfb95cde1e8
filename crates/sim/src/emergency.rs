//! The emergency journal: a file that outlives the process.

use std::sync::Arc;

use nightdesk_platform::{EmergencyJournal, EmergencyRecord, PlatformError};

use crate::coverage::Kind;
use crate::life::Life;
use crate::world::Sim;

/// What the file holds.
#[derive(Debug, Default)]
pub(crate) struct EmergencyState(pub(crate) Vec<EmergencyRecord>);

/// A life's hold of the file.
pub(crate) struct SimEmergency {
    pub(crate) sim: Sim,
    pub(crate) life: Arc<Life>,
}

impl EmergencyJournal for SimEmergency {
    fn append(&self, record: &EmergencyRecord) -> Result<(), PlatformError> {
        let mut world = self.sim.lock();
        if !self.life.is_over() {
            world.cover.hit(Kind::Effect, "emergency record");
            world.note("emergency record", 0, || format!("{record:?}"));
            world.emergency.0.push(record.clone());
        }
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(self.sim.lock().emergency.0.clone())
    }

    fn merged(&self, count: usize) -> Result<(), PlatformError> {
        let mut world = self.sim.lock();
        if !self.life.is_over() {
            world.cover.hit(Kind::Effect, "emergency merged");
            let count = count.min(world.emergency.0.len());
            world.emergency.0.drain(..count);
        }
        Ok(())
    }
}
