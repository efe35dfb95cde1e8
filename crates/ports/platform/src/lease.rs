//! Who may act, for how long, and as which in a row.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::PlatformError;

/// A lease's answer.
pub type LeaseAnswer<T> = BoxFuture<'static, Result<T, PlatformError>>;

/// A right that one holder at a time has, for a time.
///
/// The time is counted by the keeper's clock. A holder counts its own from before it asked: by its own clock it may act
/// until `asked + ttl`, and the keeper gives the lease to nobody else before that.
pub trait Lease: Send + Sync {
    /// Takes the lease for `ttl` if nobody holds it, and returns the new epoch, higher than any before; `None` while another
    /// holds it.
    fn acquire(&self, ttl: Duration) -> LeaseAnswer<Option<u64>>;

    /// Holds it for another `ttl` from now; false when it is no longer ours, which is final for this epoch.
    fn renew(&self, epoch: u64, ttl: Duration) -> LeaseAnswer<bool>;

    /// Gives it back, so that another need not wait for its end. Nothing happens if it is no longer ours.
    fn release(&self, epoch: u64) -> LeaseAnswer<()>;
}
