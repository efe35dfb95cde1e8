//! The folders are the architecture: which floor a package stands on, and what it may therefore depend on.

use super::{Files, Problem, line_starting};
use crate::workspace::{Dependency, Package};

/// Where a package stands, read from its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    Domain,
    Ports,
    Adapters,
    Services,
    Assembly,
    Process,
    Sim,
    App,
    Bench,
    Xtask,
}

use Floor::{Adapters, App, Assembly, Bench, Domain, Ports, Process, Services, Sim, Xtask};

/// Crates from outside that a floor must not name, and why.
struct Ban {
    floors: &'static [Floor],
    crates: &'static [&'static str],
    why: &'static str,
}

const BANS: [Ban; 5] = [
    Ban {
        floors: &[Domain, Ports, Services, Assembly],
        crates: &[
            "async-std",
            "hyper",
            "lapin",
            "mio",
            "reqwest",
            "rusqlite",
            "smol",
            "sqlx",
            "tokio",
            "tokio-tungstenite",
        ],
        why: "tasks, sockets and disks come through ports, so that the simulator can run this code",
    },
    Ban { floors: &[Domain, Ports], crates: &["axum"], why: "the REST interface is the services' `api` module" },
    Ban {
        floors: &[Domain],
        crates: &["async-channel", "futures", "futures-util", "getrandom", "jiff", "rand", "tracing"],
        why: "domain code is pure: no async, clock, chance or logs",
    },
    Ban {
        floors: &[Domain, Ports, Adapters, Services, Assembly],
        crates: &["anyhow", "clap"],
        why: "libraries have typed errors and no command line",
    },
    Ban {
        floors: &[Process],
        crates: &["anyhow"],
        why: "a process ends with a host::Failure, which names its exit code",
    },
];

/// Packages that [`BANS`] do not bind, and why.
const EXEMPT: [(&str, &str); 1] =
    [("crates/services/exchange-simulator", "it plays the outside: a server of its own, never run by the simulator")];

/// Starts the servers that adapters are tested with.
const SERVERS: &str = "crates/adapters/private-servers";

/// Checks every arrow between packages, and what the floors use from outside.
pub(crate) fn check(packages: &[Package], files: &Files) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in packages {
        let manifest = package.manifest();
        let text = files.get(&manifest).map_or("", String::as_str);
        let Some(floor) = Floor::of(&package.folder) else {
            let message = format!("`{}` stands on no floor: the folders are the architecture", package.folder);
            problems.push(Problem::new(&manifest, 1, message));
            continue;
        };
        problems.extend(misnamed(package, floor).map(|m| Problem::new(&manifest, line_starting(text, "name"), m)));
        for dependency in &package.dependencies {
            let message = wrong_arrow(package, floor, dependency).or_else(|| banned(package, floor, dependency));
            problems.extend(message.map(|m| Problem::new(&manifest, line_starting(text, &dependency.name), m)));
        }
    }
    problems
}

impl Floor {
    fn of(folder: &str) -> Option<Self> {
        let places = [("crates/domain", Domain), ("crates/ports", Ports), ("crates/adapters", Adapters)];
        let places = places.into_iter().chain([("crates/services", Services), ("app", App)]);
        match folder {
            "crates/assembly" => Some(Assembly),
            "crates/process" => Some(Process),
            "crates/sim" => Some(Sim),
            "xtask" => Some(Xtask),
            "xtask/bench" => Some(Bench),
            _ => {
                let (parent, _) = folder.rsplit_once('/')?;
                places.into_iter().find(|(place, _)| *place == parent).map(|(_, floor)| floor)
            }
        }
    }

    /// The floors below this one, which it may use.
    const fn below(self) -> &'static [Self] {
        match self {
            Domain => &[Domain],
            Ports => &[Domain, Ports],
            Adapters | Services => &[Domain, Ports],
            Assembly => &[Domain, Ports, Adapters, Services],
            Process | Sim => &[Domain, Ports, Adapters, Services, Assembly],
            App => &[Domain, Ports, Adapters, Services, Assembly, Process],
            Bench => &[Domain, Ports, Adapters, Services, Assembly, Process, Sim, App],
            Xtask => &[],
        }
    }
}

fn misnamed(package: &Package, floor: Floor) -> Option<String> {
    let folder = package.folder.rsplit('/').next().unwrap_or_default();
    let name = if matches!(floor, App | Xtask) { folder.to_owned() } else { format!("nightdesk-{folder}") };
    (package.name != name).then(|| format!("package `{}` in this folder is called `{name}`", package.name))
}

fn wrong_arrow(package: &Package, floor: Floor, dependency: &Dependency) -> Option<String> {
    // The tests of an application may start whatever they test against.
    if floor == App && dependency.only_tests {
        return None;
    }
    let target = dependency.folder.as_deref()?;
    // And those of an adapter, the server that it adapts.
    if floor == Adapters && dependency.only_tests && target == SERVERS {
        return None;
    }
    if Floor::of(target).is_some_and(|target| floor.below().contains(&target)) {
        return None;
    }
    Some(format!("{} must not use {target}: imports point down", package.folder))
}

fn banned(package: &Package, floor: Floor, dependency: &Dependency) -> Option<String> {
    if EXEMPT.iter().any(|(folder, _)| *folder == package.folder) {
        return None;
    }
    let name = dependency.name.as_str();
    let ban = BANS.iter().find(|ban| ban.floors.contains(&floor) && ban.crates.contains(&name));
    ban.map(|ban| format!("{} must not use `{name}`: {}", package.folder, ban.why)).or_else(|| {
        let runtime = floor == Services && dependency.features.iter().any(|feature| feature == "tokio");
        runtime.then(|| {
            format!("{} must not use `{name}` with its `tokio` feature: the host owns the sockets", package.folder)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::expect;
    use super::*;

    /// A package, and the dependency to judge: a folder of ours, or a crate from outside with its features.
    #[track_caller]
    fn arrow(from: &str, to: &str, only_tests: bool, expected: &[&str]) {
        let (to, features) = to.split_once(" with ").unwrap_or((to, ""));
        let ours = to.contains('/');
        let dependency = Dependency {
            name: if ours { "other".into() } else { to.into() },
            folder: ours.then(|| to.into()),
            only_tests,
            features: features.split(' ').map(str::to_owned).collect(),
        };
        let last = from.rsplit('/').next().unwrap();
        let name = if from.starts_with("app/") { last.to_owned() } else { format!("nightdesk-{last}") };
        let package = Package { name, folder: from.into(), dependencies: vec![dependency], ..Package::default() };
        let manifest = "[package]\n[dependencies]\nother.workspace = true\n".to_owned();
        let files = Files::from([(package.manifest(), manifest)]);
        expect(&check(&[package], &files), expected);
    }

    #[test]
    fn imports_point_down() {
        arrow("crates/domain/orders", "crates/domain/units", false, &[]);
        arrow("crates/ports/store", "crates/ports/env", false, &[]);
        arrow("crates/services/core-engine", "crates/ports/store", false, &[]);
        arrow("crates/sim", "crates/adapters/exchange-local", false, &[]);
        arrow("app/core-engine", "crates/services/core-engine", false, &[]);
        arrow("crates/assembly", "crates/services/core-engine", false, &[]);
        arrow("crates/sim", "crates/assembly", false, &[]);
        arrow("app/core-engine", "crates/process", false, &[]);
        arrow("crates/process", "crates/assembly", false, &[]);
        arrow("xtask/bench", "crates/sim", false, &[]);
    }

    #[test]
    fn imports_never_point_up_or_sideways() {
        let no = |from: &str, to: &str| {
            arrow(from, to, false, &[&format!("{from}/Cargo.toml:3: {from} must not use {to}: imports point down")])
        };
        no("crates/domain/orders", "crates/ports/env");
        no("crates/ports/store", "crates/adapters/store-sql");
        no("crates/adapters/host", "crates/adapters/store-sql");
        no("crates/adapters/host", "crates/services/core-engine");
        no("crates/services/core-engine", "crates/services/capital-manager");
        no("crates/services/core-engine", "crates/adapters/store-sql");
        no("crates/services/core-engine", "crates/assembly");
        no("crates/sim", "app/nightdesk");
        no("crates/assembly", "crates/process");
        no("app/nightdesk", "crates/sim");
        no("app/nightdesk", "somewhere/else");
    }

    #[test]
    fn test_dependencies_obey_too_except_of_applications_and_on_servers() {
        let expected = "crates/services/core-engine/Cargo.toml:3: crates/services/core-engine must not use crates/adapters/store-sql: imports point down";
        arrow("crates/services/core-engine", "crates/adapters/store-sql", true, &[expected]);
        arrow("app/nightdesk", "app/exchange-simulator", true, &[]);
        arrow("crates/adapters/store-sql", "crates/adapters/private-servers", true, &[]);
        let expected = "crates/adapters/store-sql/Cargo.toml:3: crates/adapters/store-sql must not use crates/adapters/private-servers: imports point down";
        arrow("crates/adapters/store-sql", "crates/adapters/private-servers", false, &[expected]);
    }

    #[test]
    fn each_floor_has_its_bans() {
        let why = "tasks, sockets and disks come through ports, so that the simulator can run this code";
        arrow(
            "crates/services/core-engine",
            "tokio",
            false,
            &[&format!(
                "crates/services/core-engine/Cargo.toml:1: crates/services/core-engine must not use `tokio`: {why}"
            )],
        );
        arrow(
            "crates/domain/orders",
            "futures-util",
            false,
            &[
                "crates/domain/orders/Cargo.toml:1: crates/domain/orders must not use `futures-util`: domain code is pure: no async, clock, chance or logs",
            ],
        );
        arrow(
            "crates/ports/wire",
            "axum",
            false,
            &[
                "crates/ports/wire/Cargo.toml:1: crates/ports/wire must not use `axum`: the REST interface is the services' `api` module",
            ],
        );
        arrow(
            "crates/adapters/host",
            "anyhow",
            false,
            &[
                "crates/adapters/host/Cargo.toml:1: crates/adapters/host must not use `anyhow`: libraries have typed errors and no command line",
            ],
        );
        arrow("crates/adapters/host", "tokio", false, &[]);
        arrow("app/nightdesk", "anyhow", false, &[]);
        arrow("crates/services/exchange-simulator", "tokio", false, &[]);
    }

    #[test]
    fn a_service_routes_without_a_runtime() {
        arrow("crates/services/core-engine", "axum with json query", false, &[]);
        let expected = "crates/services/core-engine/Cargo.toml:1: crates/services/core-engine must not use `axum` with its `tokio` feature: the host owns the sockets";
        arrow("crates/services/core-engine", "axum with json tokio", false, &[expected]);
    }

    #[test]
    fn packages_are_called_as_their_folders() {
        let package = Package { name: "nightdesk-x".into(), folder: "crates/ports/bus".into(), ..Package::default() };
        let lost = Package { name: "x".into(), folder: "tools/x".into(), ..Package::default() };
        expect(
            &check(&[package, lost], &Files::new()),
            &[
                "crates/ports/bus/Cargo.toml:1: package `nightdesk-x` in this folder is called `nightdesk-bus`",
                "tools/x/Cargo.toml:1: `tools/x` stands on no floor: the folders are the architecture",
            ],
        );
    }
}
