//! Starts processes on a thread that lives as long as we do: "killed when the parent dies" is about the thread that started
//! it, and a runtime's threads come and go.

use std::io;
use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};
use std::thread;

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

static ORDERS: OnceLock<mpsc::SyncSender<Order>> = OnceLock::new();

/// Starts `command` on the thread that outlives all others.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(command: Command) -> io::Result<Child> {
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = mpsc::sync_channel::<Order>(1);
        thread::spawn(move || {
            while let Ok((mut command, answer)) = taken.recv() {
                // Who asked may have gone.
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, started) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the starting thread is gone");
    orders.send((command, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}
