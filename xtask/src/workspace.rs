//! What cargo knows about the workspace: packages, where they lie, and what they depend on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::exec;

/// The workspace as `cargo metadata` tells it.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder below the root, as `crates/domain/units`.
    pub(crate) folder: String,
    pub(crate) description: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) has_binary: bool,
}

/// One line of a package's dependencies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The folder below the root, for a package of ours.
    pub(crate) folder: Option<String>,
    pub(crate) only_tests: bool,
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that the current folder belongs to: a binary shared through one target folder may
    /// have been built in another clone.
    ///
    /// # Errors
    /// When cargo cannot read the workspace; its own message is on stderr.
    pub(crate) fn load() -> Result<Self> {
        let mut command = exec::cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output = command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "cargo metadata failed");
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Reads the output of `cargo metadata`.
    ///
    /// # Errors
    /// When a field is missing.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json).context("cargo metadata is not JSON")?;
        let root = PathBuf::from(text(&value, "workspace_root")?);
        let target = PathBuf::from(text(&value, "target_directory")?);
        let packages = list(&value, "packages").iter().map(|p| package(p, &root)).collect::<Result<_>>()?;
        Ok(Self { root, target, packages })
    }

    /// The package called `name`, if the workspace has it.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    /// Its manifest, below the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

fn package(value: &Value, root: &Path) -> Result<Package> {
    let manifest = PathBuf::from(text(value, "manifest_path")?);
    let kinds = list(value, "targets").iter().flat_map(|target| list(target, "kind"));
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        folder: below(root, manifest.parent().unwrap_or(&manifest)),
        description: value["description"].as_str().unwrap_or_default().to_owned(),
        dependencies: list(value, "dependencies").iter().map(|d| dependency(d, root)).collect::<Result<_>>()?,
        has_binary: kinds.into_iter().any(|kind| kind == "bin"),
    })
}

fn dependency(value: &Value, root: &Path) -> Result<Dependency> {
    Ok(Dependency {
        name: text(value, "name")?.to_owned(),
        folder: value["path"].as_str().map(|path| below(root, Path::new(path))),
        only_tests: value["kind"] == "dev",
        features: list(value, "features").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("cargo metadata has no `{field}`"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_folders_below_the_root() {
        let json = r#"{"workspace_root": "/r", "target_directory": "/r/target", "packages": [{
            "name": "nightdesk-bus", "manifest_path": "/r/crates/ports/bus/Cargo.toml", "description": "The bus.",
            "targets": [{"kind": ["lib"]}, {"kind": ["bin"]}],
            "dependencies": [
                {"name": "nightdesk-units", "path": "/r/crates/domain/units", "kind": null, "features": []},
                {"name": "tokio", "kind": "dev", "features": ["rt"]}]}]}"#;
        let workspace = Workspace::parse(json).unwrap();
        let bus = workspace.package("nightdesk-bus").unwrap();
        assert_eq!(bus.manifest(), "crates/ports/bus/Cargo.toml");
        assert!(bus.has_binary);
        assert_eq!(bus.dependencies[0].folder.as_deref(), Some("crates/domain/units"));
        assert!(!bus.dependencies[0].only_tests);
        assert!(bus.dependencies[1].only_tests);
        assert_eq!(bus.dependencies[1].features, ["rt"]);
        assert_eq!(workspace.package("gone"), None);
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = Workspace::parse("{}").unwrap_err();
        assert_eq!(error.to_string(), "cargo metadata has no `workspace_root`");
    }
}
