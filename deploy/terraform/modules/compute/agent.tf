# The Ops Agent on every host: it picks up the services' logs and scrapes their metrics (R5.1, R5.2). An OS policy, not a line
# of cloud-init, so that it stays installed and a host without it is seen.

resource "google_os_config_os_policy_assignment" "ops_agent" {
  project     = var.project
  location    = var.zone
  name        = "${var.name}-ops-agent"
  description = "Installs the Ops Agent and keeps it."

  instance_filter {
    all = false

    inclusion_labels {
      labels = { host = var.name }
    }
  }

  os_policies {
    id   = "ops-agent"
    mode = "ENFORCEMENT"

    resource_groups {
      resources {
        id = "repository"

        repository {
          apt {
            archive_type = "DEB"
            uri          = "https://packages.cloud.google.com/apt"
            distribution = "google-cloud-ops-agent-bookworm-2"
            components   = ["main"]
            gpg_key      = "https://packages.cloud.google.com/apt/doc/apt-key.gpg"
          }
        }
      }

      resources {
        id = "package"

        pkg {
          desired_state = "INSTALLED"

          apt {
            name = "google-cloud-ops-agent"
          }
        }
      }
    }
  }

  rollout {
    min_wait_duration = "60s"

    disruption_budget {
      fixed = 1
    }
  }
}
