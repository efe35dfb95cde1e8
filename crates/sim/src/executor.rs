//! The executor: one thread, tasks in an order that the seed chooses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use nightdesk_shell::ShellError;

use crate::chance::Chance;

/// A shell at work.
pub(crate) type Running = BoxFuture<'static, Result<(), ShellError>>;

type Ready = Arc<Mutex<Vec<usize>>>;

struct TaskWaker {
    task: usize,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready).push(self.task);
        }
    }
}

struct Task {
    future: Running,
    flag: Arc<TaskWaker>,
    waker: Waker,
}

/// Tasks by number. A number is used once.
#[derive(Default)]
pub(crate) struct Executor {
    tasks: Vec<Option<Task>>,
    ready: Ready,
    /// What crashed, kept until the seed is over: dropping it would run destructors that a crash does not run.
    graveyard: Vec<Running>,
    /// Polls since the start.
    pub(crate) polls: u64,
}

impl Executor {
    pub(crate) fn spawn(&mut self, future: Running) -> usize {
        let task = self.tasks.len();
        let flag = Arc::new(TaskWaker { task, queued: AtomicBool::new(false), ready: Arc::clone(&self.ready) });
        let waker = Waker::from(Arc::clone(&flag));
        waker.wake_by_ref();
        self.tasks.push(Some(Task { future, flag, waker }));
        task
    }

    /// Takes a task out of the world without running its destructors.
    pub(crate) fn bury(&mut self, task: usize) {
        if let Some(task) = self.tasks.get_mut(task).and_then(Option::take) {
            self.graveyard.push(task.future);
        }
    }

    /// Chooses among the tasks that can go on, leaving out those for which `held` is true.
    pub(crate) fn pick(&self, chance: &Chance, held: impl Fn(usize) -> bool) -> Option<usize> {
        let mut ready = lock(&self.ready);
        ready.retain(|task| self.tasks.get(*task).is_some_and(Option::is_some));
        let candidates = ready.iter().filter(|task| !held(**task)).count();
        if candidates == 0 {
            return None;
        }
        let chosen = if candidates == 1 { 0 } else { chance.index(candidates) };
        let task = ready.iter().copied().filter(|task| !held(*task)).nth(chosen)?;
        ready.retain(|other| *other != task);
        Some(task)
    }

    /// Lets a task go on; what it ended with, if it did.
    pub(crate) fn poll(&mut self, number: usize) -> Option<Result<(), ShellError>> {
        let task = self.tasks.get_mut(number)?.as_mut()?;
        self.polls += 1;
        task.flag.queued.store(false, Ordering::Relaxed);
        match task.future.as_mut().poll(&mut Context::from_waker(&task.waker)) {
            Poll::Ready(result) => {
                self.tasks[number] = None;
                Some(result)
            }
            Poll::Pending => None,
        }
    }
}

fn lock(ready: &Mutex<Vec<usize>>) -> MutexGuard<'_, Vec<usize>> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}
