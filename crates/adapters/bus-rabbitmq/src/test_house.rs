//! A real broker for a test, and a network that can be cut.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nightdesk_bus::Delivery;
use nightdesk_private_servers::Rabbitmq;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::{RabbitBus, RabbitConfig};

/// A broker with a folder of its own, both gone at the end.
pub(crate) struct House {
    broker: Arc<Mutex<Option<Rabbitmq>>>,
    folder: PathBuf,
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nightdesk-rabbit-{name}-{}", std::process::id()));
        let start = Instant::now();
        let broker = Rabbitmq::start(&folder).expect("RabbitMQ starts");
        println!("{:>5} ms  the broker starts", start.elapsed().as_millis());
        Self { broker: Arc::new(Mutex::new(Some(broker))), folder }
    }

    pub(crate) fn broker(&self) -> Guard<'_> {
        Guard(self.broker.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub(crate) fn config(&self, service: &str) -> RabbitConfig {
        RabbitConfig::new(&self.broker().url(), service).expect("an address")
    }

    pub(crate) fn bus(&self, service: &str) -> RabbitBus {
        RabbitBus::start(self.config(service)).expect("in a runtime")
    }

    /// Does something slow with the broker away from the runtime's threads.
    pub(crate) async fn slowly<T: Send + 'static>(&self, work: impl FnOnce(&mut Rabbitmq) -> T + Send + 'static) -> T {
        let broker = Arc::clone(&self.broker);
        let done = tokio::task::spawn_blocking(move || {
            let mut broker = broker.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            work(broker.as_mut().expect("a broker"))
        });
        done.await.expect("the work ends")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let broker = self.broker.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        drop(broker);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) struct Guard<'a>(MutexGuard<'a, Option<Rabbitmq>>);

impl std::ops::Deref for Guard<'_> {
    type Target = Rabbitmq;
    fn deref(&self) -> &Rabbitmq {
        self.0.as_ref().expect("a broker")
    }
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Waits for what must come to pass soon.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < seconds(15.0), "it never came to pass that {what}");
        tokio::time::sleep(seconds(0.005)).await;
    }
}

/// The sender's number of a message.
pub(crate) fn number(delivery: &Delivery) -> u64 {
    delivery.envelope.id.as_ref().map_or(0, |id| id.seq)
}

/// Passes a port on to another one until it is cut.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    target: u16,
    frozen: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let frozen = watch::Sender::new(false);
        let task = tokio::spawn(pass(listener, target, frozen.subscribe()));
        Self { port, target, frozen, task }
    }

    /// Ends all connections and takes no new ones.
    pub(crate) async fn cut(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is still free");
        self.task = tokio::spawn(pass(listener, self.target, self.frozen.subscribe()));
    }

    /// Lets nothing through, as a frozen process or a broken cable does; nobody is told.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }
}

async fn pass(listener: TcpListener, target: u16, frozen: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        let mut frozen = frozen.clone();
        connections.spawn(async move {
            let Ok(mut to) = TcpStream::connect(("127.0.0.1", target)).await else { return };
            let frozen = async { drop(frozen.wait_for(|frozen| *frozen).await) };
            let silent = tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut from, &mut to) => false,
                () = frozen => true,
            };
            if silent {
                std::future::pending::<()>().await;
            }
        });
    }
}
