//! The processes of the cluster: started, restarted when they end by themselves, stopped in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nightdesk_host::{Failure, Status};

use super::LOOK;
use super::board::Board;
use super::child::{Running, Spec, Surroundings};

/// The pause before a restart; it doubles with each end in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A process that has lived so long has made a new beginning.
const SETTLED: Duration = Duration::from_secs(10);
/// Ends in a row, with fault and without having lived, after which the cluster gives up.
const STRIKES: u32 = 60;

/// The processes.
pub(super) struct Crew {
    surroundings: Surroundings,
    board: Arc<Board>,
    members: Mutex<Vec<Member>>,
}

struct Member {
    spec: Spec,
    wanted: bool,
    running: Option<Running>,
    started: Instant,
    /// Ends in a row.
    ends: u32,
    next: Instant,
}

impl Crew {
    pub(super) fn new(surroundings: Surroundings, board: Arc<Board>) -> Self {
        Self { surroundings, board, members: Mutex::default() }
    }

    /// Makes a process known; it is not started yet.
    pub(super) fn enlist(&self, spec: Spec) -> Result<(), Failure> {
        self.board.enlist(&spec)?;
        let now = Instant::now();
        let member = Member { spec, wanted: false, running: None, started: now, ends: 0, next: now };
        self.lock().push(member);
        Ok(())
    }

    /// Starts those that `which` names.
    pub(super) fn start(&self, which: impl Fn(&Spec) -> bool) -> Result<(), Failure> {
        self.lock().iter_mut().filter(|member| which(&member.spec)).for_each(|member| member.wanted = true);
        self.look()
    }

    /// Starts what is wanted and does not run.
    pub(super) fn look(&self) -> Result<(), Failure> {
        let mut changed = false;
        for member in self.lock().iter_mut() {
            changed |= member.look(&self.surroundings)?;
        }
        if changed {
            self.tell()?;
        }
        Ok(())
    }

    /// Asks those that `which` names to end, and waits for it; whoever has not ended after `limit` is killed.
    pub(super) async fn stop(&self, limit: Duration, which: impl Fn(&Spec) -> bool) -> Result<(), Failure> {
        for member in self.lock().iter_mut().filter(|member| which(&member.spec)) {
            member.wanted = false;
            member.running.iter().for_each(Running::terminate);
        }
        let start = Instant::now();
        loop {
            let mut late = Vec::new();
            for member in self.lock().iter_mut().filter(|member| which(&member.spec)) {
                if member.running.as_mut().is_some_and(|running| running.ended().is_some()) {
                    member.running = None;
                }
                late.extend(member.running.is_some().then(|| member.spec.name.clone()));
            }
            if late.is_empty() {
                return self.tell();
            }
            if start.elapsed() > limit {
                let names = late.join(", ");
                tracing::warn!(
                    "{names} did not end within {limit:?} and is killed; what it had under way is taken up later"
                );
                let mut members = self.lock();
                members.iter_mut().filter(|member| late.contains(&member.spec.name)).for_each(|m| m.running = None);
                drop(members);
                return self.tell();
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn tell(&self) -> Result<(), Failure> {
        let running: Vec<(String, Option<u32>)> = {
            let members = self.lock();
            members.iter().map(|m| (m.spec.name.clone(), m.running.as_ref().map(Running::id))).collect()
        };
        self.board.tell(&running)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// True when something has changed.
    fn look(&mut self, surroundings: &Surroundings) -> Result<bool, Failure> {
        let name = &self.spec.name;
        let ended = self.running.as_mut().and_then(Running::ended);
        if let Some(status) = ended {
            self.running = None;
            self.ends = if self.started.elapsed() > SETTLED { 1 } else { self.ends + 1 };
            let pause = (FIRST_PAUSE * 2_u32.pow(self.ends.min(10) - 1)).min(LONGEST_PAUSE);
            self.next = Instant::now() + pause;
            if self.wanted {
                tracing::warn!("{name} has ended ({status}); it is started again in {} ms", pause.as_millis());
            }
            let hopeless = [Status::BadConfig, Status::Usage].map(|status| Some(i32::from(status.code())));
            if hopeless.contains(&status.code()) || self.ends > STRIKES {
                let log = self.spec.log().display();
                return Err(Failure::from(format!("{name} cannot run ({status}); its log is {log}")));
            }
            return Ok(true);
        }
        if !self.wanted || self.running.is_some() || Instant::now() < self.next {
            return Ok(false);
        }
        self.running = Some(self.spec.spawn(surroundings)?);
        self.started = Instant::now();
        Ok(true)
    }
}
