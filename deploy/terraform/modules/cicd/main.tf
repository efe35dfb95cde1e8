# From a push on main to running services. Every commit is tested; a service is deployed when something that it is made of
# has changed.

resource "google_cloudbuild_trigger" "test" {
  project         = var.project
  location        = var.location
  name            = "trading-bot-test"
  description     = "Tests every commit on main."
  filename        = "deploy/cloudbuild/test.yaml"
  service_account = var.build_service_account

  repository_event_config {
    repository = var.repository

    push {
      branch = "^main$"
    }
  }
}

resource "google_cloudbuild_trigger" "deploy" {
  for_each = var.services

  project         = var.project
  location        = var.location
  name            = "trading-bot-deploy-${each.key}"
  description     = "Tests, builds, pushes and deploys ${each.key}."
  filename        = "cloudbuild.yaml"
  service_account = var.build_service_account
  included_files  = ["app/${each.key}/**", "crates/**", "Cargo.toml", "Cargo.lock", "cloudbuild.yaml"]
  ignored_files   = ["**/*.md"]

  substitutions = {
    _LOCATION         = var.location
    _STANDBY_LOCATION = var.standby_location
    _REPO_NAME        = var.repo_name
    _SERVICE_NAME     = each.key
    _INSTANCE_NAME    = each.value.host
    _ZONE             = var.zone
  }

  repository_event_config {
    repository = var.repository

    push {
      branch = "^main$"
    }
  }
}

# What runs by the clock: is the project still what the code says, are images free of known holes, are their bases fresh.
locals {
  schedules = {
    drift = { cron = "15 * * * *", filename = "deploy/cloudbuild/drift.yaml", identity = var.terraform_service_account }
    scan  = { cron = "0 2 * * *", filename = "deploy/cloudbuild/scan.yaml", identity = var.build_service_account }
  }
}

resource "google_cloudbuild_trigger" "scheduled" {
  for_each = local.schedules

  project         = var.project
  location        = var.location
  name            = "trading-bot-${each.key}"
  description     = "Started by the clock: ${each.key}."
  service_account = each.value.identity

  source_to_build {
    repository = var.repository
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = each.value.filename
    repository = var.repository
    revision   = "refs/heads/main"
    repo_type  = "GITHUB"
  }
}

resource "google_cloud_scheduler_job" "scheduled" {
  for_each = local.schedules

  project     = var.project
  region      = var.location
  name        = "trading-bot-${each.key}"
  description = "Starts the build of the same name."
  schedule    = each.value.cron
  time_zone   = "Etc/UTC"

  retry_config {
    retry_count = 3
  }

  http_target {
    http_method = "POST"
    uri         = "https://cloudbuild.googleapis.com/v1/${google_cloudbuild_trigger.scheduled[each.key].id}:run"
    body        = base64encode("{}")

    oauth_token {
      service_account_email = var.scheduler_service_account
    }
  }
}
