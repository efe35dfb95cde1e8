//! Planted bugs: places in the product where the simulator can break it on purpose, to see whether it notices.

#[cfg(feature = "planted-bugs")]
use std::cell::Cell;

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// True while the simulator has planted `bug` on this thread. Without the feature `planted-bugs` it is always false, and
/// the optimiser removes what depends on it.
#[must_use]
#[inline(always)]
pub fn planted(bug: &str) -> bool {
    #[cfg(feature = "planted-bugs")]
    return PLANTED.get() == Some(bug);
    #[cfg(not(feature = "planted-bugs"))]
    {
        let _ = bug;
        false
    }
}

/// Plants a bug on this thread, or pulls up the one that is there.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<&'static str>) {
    PLANTED.set(bug);
}
