//! The command line that all service binaries share.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// How a service's process is started.
#[derive(Debug, Clone, Args)]
pub struct ServiceArgs {
    /// The configuration [default: the demo's].
    #[arg(long, value_name = "FILE", env = "NIGHTDESK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where this process keeps its emergency journal and says where it listens; no two processes share one.
    #[arg(long, value_name = "DIR", env = "NIGHTDESK_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Which of the service's replicas this is.
    #[arg(long, value_name = "N", env = "NIGHTDESK_REPLICA", default_value_t = 1)]
    pub replica: u16,
    /// A strategy-worker's instance.
    #[arg(long, value_name = "NAME", env = "NIGHTDESK_INSTANCE")]
    pub instance: Option<String>,
    /// Where to listen [default: as configured].
    #[arg(long, value_name = "ADDRESS", env = "NIGHTDESK_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// End when this process, which started us, ends.
    #[arg(long, value_name = "PID", hide = true)]
    pub with_parent: Option<i32>,
}
