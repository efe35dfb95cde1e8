# Where images live. A tag is a commit and never moves: what was tested is what runs.

resource "google_artifact_registry_repository" "images" {
  for_each = var.regions

  project       = var.project
  location      = each.key
  repository_id = var.repository
  description   = "Images of Nightdesk's services, tagged by commit."
  format        = "DOCKER"
  kms_key_name  = lookup(var.kms_keys, each.key, null)

  docker_config {
    immutable_tags = true
  }

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }

  # The newest versions stay whatever their age: they are what a rollback needs.
  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 50
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      tag_state  = "ANY"
      older_than = "${90 * 24 * 3600}s"
    }
  }
}

# Layers of builds, so that the next is a short one. Here tags move and nothing is kept for long; no host reads from it.
resource "google_artifact_registry_repository" "cache" {
  project       = var.project
  location      = var.build_region
  repository_id = "trading-bot-cache"
  description   = "Layers of Cloud Build's builds."
  format        = "DOCKER"
  kms_key_name  = lookup(var.kms_keys, var.build_region, null)

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      tag_state  = "ANY"
      older_than = "${14 * 24 * 3600}s"
    }
  }
}

# What others publish, fetched by Google on our behalf: our hosts reach no other registry.
locals {
  mirrors = {
    for pair in setproduct(var.regions, ["debian", "docker-hub"]) : "${pair[0]}/${pair[1]}" => { region = pair[0], of = pair[1] }
  }
}

resource "google_artifact_registry_repository" "mirror" {
  for_each = local.mirrors

  project       = var.project
  location      = each.value.region
  repository_id = "trading-bot-${each.value.of}"
  description   = "What our hosts need of ${each.value.of}."
  format        = each.value.of == "debian" ? "APT" : "DOCKER"
  mode          = "REMOTE_REPOSITORY"
  kms_key_name  = lookup(var.kms_keys, each.value.region, null)

  remote_repository_config {
    description = each.value.of

    dynamic "apt_repository" {
      for_each = each.value.of == "debian" ? [1] : []

      content {
        public_repository {
          repository_base = "DEBIAN"
          repository_path = "debian/dists/bookworm"
        }
      }
    }

    dynamic "docker_repository" {
      for_each = each.value.of == "docker-hub" ? [1] : []

      content {
        public_repository = "DOCKER_HUB"
      }
    }
  }
}
