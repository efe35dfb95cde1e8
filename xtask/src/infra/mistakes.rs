//! Mistakes that somebody could make, at least one for each check: `cargo xtask infra --mistakes` plants each in a copy and
//! demands that its check finds it. A check that finds nothing wrong is worth what it can find.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// One mistake.
pub(crate) struct Mistake {
    /// The check that must find it.
    pub(crate) check: &'static str,
    pub(crate) what: &'static str,
    file: &'static str,
    /// Text of the file that is replaced; empty: the file is new.
    from: &'static str,
    to: &'static str,
    /// The part of the check that is enough to see it.
    pub(crate) only: Option<&'static str>,
    /// What the check says of it.
    pub(crate) found: &'static str,
}

impl Mistake {
    /// Makes the mistake in the files below `tree`.
    ///
    /// # Errors
    /// When the file is not as this mistake expects it: then it proves nothing any more.
    pub(crate) fn plant(&self, tree: &Path) -> Result<()> {
        let path = tree.join(self.file);
        let text = if self.from.is_empty() {
            self.to.to_owned()
        } else {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", self.file))?;
            ensure!(text.contains(self.from), "{} no longer says {:?}", self.file, self.from);
            text.replacen(self.from, self.to, 1)
        };
        fs::create_dir_all(path.parent().unwrap_or(tree))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", self.file))
    }
}

const fn mistake(check: &'static str, what: &'static str, file: &'static str) -> Mistake {
    Mistake { check, what, file, from: "", to: "", only: None, found: "" }
}

const NETWORK: &str = "deploy/terraform/modules/network/firewall.tf";
const IAM: &str = "deploy/terraform/modules/iam/main.tf";
const DATABASE: &str = "deploy/terraform/modules/database/main.tf";
const DEPLOY: &str = "deploy/vm/scripts/deploy.sh";

pub(crate) const MISTAKES: &[Mistake] = &[
    Mistake {
        from: r#""port": 8081"#,
        to: r#""port": 8080"#,
        found: "both have port 8080",
        ..mistake("services", "two services share a port", "deploy/services.json")
    },
    Mistake {
        from: r#""replicas": 2"#,
        to: r#""replica": 2"#,
        found: "'replicas' is a required property",
        ..mistake("services", "a field is misspelled", "deploy/services.json")
    },
    Mistake {
        from: r#""memory_mb": 1024"#,
        to: r#""memory_mb": 2048"#,
        found: "trading-bot-core.service: not what services.json",
        ..mistake("rendered", "the list is changed and the units are not", "deploy/services.json")
    },
    Mistake {
        from: "RestartSec=10s",
        to: "RestartSecs=10s",
        found: "Unknown key 'RestartSecs'",
        ..mistake("units", "a key is misspelled", "deploy/vm/systemd/trading-bot-core.service")
    },
    Mistake {
        from: "Restart=always",
        to: "Restart=on-failure",
        found: "R3.2 wants Restart=always",
        ..mistake("units", "a service that ends well stays ended", "deploy/vm/systemd/trading-bot-core.service")
    },
    Mistake {
        from: r#"mv "$pin.new" "$pin""#,
        to: "mv $pin.new $pin",
        found: "SC2086",
        ..mistake("shell", "a path is not quoted", DEPLOY)
    },
    Mistake {
        from: "waitFor: [test]",
        to: "waitsFor: [test]",
        found: "waitsFor",
        ..mistake("schema", "a key is misspelled", "cloudbuild.yaml")
    },
    Mistake {
        from: "waitFor: [test]",
        to: "waitFor: [tests]",
        found: "build waits for tests, which is no step before it",
        ..mistake("cloudbuild", "a step waits for nobody", "cloudbuild.yaml")
    },
    Mistake {
        from: "waitFor: [push, push-standby]",
        to: "waitFor: [test]",
        found: "deploy does not wait for push",
        ..mistake("cloudbuild", "what is deployed may not be pushed yet", "cloudbuild.yaml")
    },
    Mistake {
        from: "args: [push, \"${_LOCATION}-docker.pkg.dev/$PROJECT_ID/${_REPO_NAME}/${_SERVICE_NAME}:$COMMIT_SHA\"]",
        to: "args: [push, \"${_LOCATION}-docker.pkg.dev/$PROJECT_ID/${_REPO_NAME}/${_SERVICE_NAME}:latest\"]",
        found: "latest is whatever it is today",
        ..mistake("cloudbuild", "the sketch's :latest", "cloudbuild.yaml")
    },
    Mistake {
        from: "| sort)",
        to: "| sort -r)",
        found: "FAIL standby_first_then_one_after_the_other",
        ..mistake("rollout", "the acting region comes first", "deploy/cloudbuild/deploy.sh")
    },
    Mistake {
        from: "set -euo pipefail",
        to: "set -uo pipefail",
        found: "FAIL a_host_that_took_it_back_stops_the_others",
        ..mistake("rollout", "a failed host does not stop the others", "deploy/cloudbuild/deploy.sh")
    },
    Mistake {
        to: "FROM debian:latest\nRUN cd /tmp\nENTRYPOINT [\"/x\"]\n",
        found: "app/planted/Dockerfile: runs as root",
        ..mistake("dockerfiles", "one stage, as root, on whatever is latest", "app/planted/Dockerfile")
    },
    Mistake {
        from: "runs-on: ubuntu-24.04",
        to: "run-on: ubuntu-24.04",
        found: "run-on",
        ..mistake("workflows", "a key is misspelled", ".github/workflows/security-scan.yml")
    },
    Mistake {
        from: "@ed142fd0673e97e23eac54620cfb913e5ce36c25",
        to: "@master",
        found: "unpinned-uses",
        ..mistake("zizmor", "an action that may change overnight", ".github/workflows/security-scan.yml")
    },
    Mistake {
        from: "/app/core-engine, ",
        to: "",
        found: "core-engine has a Dockerfile whose base nobody keeps fresh",
        ..mistake("services", "an image is forgotten by the updates", ".github/dependabot.yml")
    },
    Mistake {
        // In two halves, so that this file holds no key itself.
        to: concat!("key = \"AKIA", "Z7QF2M5XKD4RTWNB\"\n"),
        found: "aws-access-token",
        ..mistake("secrets", "a key in a file", "deploy/planted.toml")
    },
    Mistake {
        from: "  priority        = each.value\n",
        to: "  priority = each.value\n",
        found: "firewall.tf",
        ..mistake("format", "a file is not formatted", NETWORK)
    },
    Mistake {
        from: "iap           = \"35.235.240.0/20\"",
        to: "iap           = \"0.0.0.0/0\"",
        only: Some("network"),
        found: "an ingress rule is open to the world",
        ..mistake("modules", "SSH from everywhere", NETWORK)
    },
    Mistake {
        from: "action          = \"deny\"",
        to: "action          = \"allow\"",
        only: Some("network"),
        found: "a direction is not denied",
        ..mistake("modules", "what no rule names is allowed", NETWORK)
    },
    Mistake {
        from: "toset([local.log_writer, local.metric_writer])",
        to: "toset([local.log_writer, local.metric_writer, \"roles/editor\"])",
        only: Some("iam"),
        found: "R1.6 names five roles",
        ..mistake("modules", "the trading identity is Editor", IAM)
    },
    Mistake {
        from: "ssl_mode                                      = \"ENCRYPTED_ONLY\"",
        to: "ssl_mod                                       = \"ENCRYPTED_ONLY\"",
        only: Some("database"),
        found: "An argument named \"ssl_mod\" is not expected here",
        ..mistake("modules", "an argument that the provider does not have", DATABASE)
    },
    Mistake {
        from: "condition     = !var.public_address",
        to: "condition     = !var.public_address || true",
        only: Some("database"),
        found: "a_public_database_is_refused",
        ..mistake("modules", "a public database passes validation", "deploy/terraform/modules/database/variables.tf")
    },
    Mistake {
        from: "block-project-ssh-keys    = \"TRUE\"",
        to: "block-project-ssh-keys    = \"FALSE\"",
        only: Some("compute"),
        found: "somebody gets in without OS Login",
        ..mistake("modules", "keys of the project open a host", "deploy/terraform/modules/compute/main.tf")
    },
    Mistake {
        from: "  description = \"The project's id.\"",
        to: "  description = \"\"",
        only: Some("dns"),
        found: "variable project has no description",
        ..mistake("modules", "a variable is not documented", "deploy/terraform/modules/dns/variables.tf")
    },
    Mistake {
        from: "local.foundation.network.id",
        to: "local.foundation.network.ident",
        found: "2-regions",
        ..mistake(
            "stages",
            "a stage wants what the one before does not give",
            "deploy/terraform/stages/2-regions/main.tf",
        )
    },
    Mistake {
        from: "tier              = \"db-custom-2-8192\"",
        to: "tier              = \"db-custom-1-3840\"",
        found: "R6.1, R6.4",
        ..mistake("stages", "the standby's database is too small", "deploy/terraform/stages/2-regions/main.tf")
    },
    Mistake {
        from: "uniform_bucket_level_access = true",
        to: "uniform_bucket_level_access = false",
        found: "CKV_GCP_29",
        ..mistake("checkov", "objects of a bucket can be opened one by one", "deploy/terraform/modules/backup/main.tf")
    },
    Mistake {
        from: "--no-assign-ip",
        to: "--assign-ip",
        found: "public is False with Terraform and True with gcloud",
        ..mistake("gcloud", "the scripts' database has a public address", "deploy/gcloud/30-database.sh")
    },
    Mistake {
        from: "    if switch_to \"$before\"; then",
        to: "    if true; then",
        found: "FAIL a_version_that_is_not_ready_is_taken_back",
        ..mistake("host", "nothing is taken back", DEPLOY)
    },
];
