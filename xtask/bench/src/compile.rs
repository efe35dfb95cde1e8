//! How long a clean release build of `nightdesk` takes, and that no cloud SDK is built with it.

use std::process::Stdio;
use std::time::Instant;

use anyhow::ensure;

use crate::report::{Section, Target};
use crate::{Settings, load, process};

const GOAL_S: f64 = 360.0;
/// How the packages of cloud SDKs begin.
const CLOUD: [&str; 8] = ["aws-sdk", "aws-config", "azure", "cloud-storage", "gcloud", "google-", "gcp", "rusoto"];

/// Measures.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Section> {
    let mut section = Section::new("clean build");
    let tree = process::cargo()
        .args(["tree", "--package", "nightdesk", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .stdin(Stdio::null())
        .output()?;
    ensure!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout);
    let mut packages: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    packages.sort_unstable();
    packages.dedup();
    let cloud: Vec<&&str> = packages.iter().filter(|name| CLOUD.iter().any(|sdk| name.starts_with(sdk))).collect();
    section.must("packages of cloud SDKs in its tree", cloud.len() as f64, "", Target::AtMost(0.0));
    section.add("packages in its tree", packages.len() as f64, "");
    if !cloud.is_empty() {
        section.note("cloud SDKs", format!("{cloud:?}"));
    }
    let dir = settings.fresh_dir("build")?;
    let (started, cpu) = (Instant::now(), load::children_time());
    let status = process::cargo()
        .args(["build", "--quiet", "--release", "--package", "nightdesk"])
        .env("CARGO_TARGET_DIR", &dir)
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .status()?;
    let (took, cpu) = (started.elapsed(), load::children_time() - cpu);
    ensure!(status.success(), "nightdesk does not build");
    std::fs::remove_dir_all(&dir)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    section.must("clean release build of nightdesk", took.as_secs_f64(), "s", Target::AtMost(GOAL_S));
    section.add("processor time", cpu.as_secs_f64(), "s");
    section.against(
        "processor time shared by two processors without a pause",
        cpu.as_secs_f64() / 2.0,
        took.as_secs_f64(),
        "s",
    );
    section.note("processors", processors);
    section.note("sources", "of dependencies are there already: nothing is downloaded if cargo has them");
    Ok(section)
}
