//! An answer to come: filled once by the world, awaited by a service.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
struct Inner<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// An answer to come; clones share it.
#[derive(Debug)]
pub(crate) struct Slot<T>(Arc<Mutex<Inner<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    pub(crate) fn empty() -> Self {
        Self(Arc::new(Mutex::new(Inner { value: None, waker: None })))
    }

    pub(crate) fn full(value: T) -> Self {
        Self(Arc::new(Mutex::new(Inner { value: Some(value), waker: None })))
    }

    pub(crate) fn fill(&self, value: T) {
        let waker = {
            let mut inner = self.lock();
            inner.value = Some(value);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Future for Slot<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut inner = self.lock();
        match inner.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
