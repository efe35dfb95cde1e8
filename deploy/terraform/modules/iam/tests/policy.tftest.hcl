variables {
  project      = "example-project"
  state_bucket = "example-project-terraform"
  secrets      = ["exchange-api-key", "database-credentials"]
  cache        = { location = "us-central1", name = "trading-bot-cache" }
  pins         = ["deployed-core-engine"]
  repositories = {
    "us-central1/images" = { location = "us-central1", name = "trading-bot-repo" }
    "us-central1/debian" = { location = "us-central1", name = "trading-bot-debian" }
  }
}

run "the_trading_identity_has_exactly_five_roles" {
  assert {
    condition     = google_service_account.trading_bot.account_id == "trading-bot-sa"
    error_message = "the identity is called trading-bot-sa"
  }
  assert {
    condition = output.trading_bot_roles == toset([
      "roles/secretmanager.secretAccessor",
      "roles/cloudsql.client",
      "roles/artifactregistry.reader",
      "roles/logging.logWriter",
      "roles/monitoring.metricWriter",
    ])
    error_message = "R1.6 names five roles, no more and no fewer"
  }
}

run "nobody_is_editor_or_owner" {
  assert {
    condition = length(setintersection(
      toset(concat(
        [for binding in google_project_iam_member.build : binding.role],
        [for binding in google_project_iam_member.disaster_recovery : binding.role],
        [for binding in google_project_iam_member.trading_bot : binding.role],
        [for binding in google_project_iam_member.drift : binding.role],
        [google_project_iam_member.clock.role],
      )),
      toset(["roles/owner", "roles/editor", "roles/viewer", "roles/iam.serviceAccountTokenCreator", "roles/resourcemanager.projectIamAdmin"]),
    )) == 0
    error_message = "an identity could do anything"
  }
  assert {
    condition     = alltrue([for permission in google_project_iam_custom_role.failover.permissions : !strcontains(permission, "delete") && !strcontains(permission, "setIamPolicy")])
    error_message = "a failover deletes nothing and gives nobody a right"
  }
}

run "the_database_role_ends_at_our_databases" {
  assert {
    condition     = strcontains(google_project_iam_member.trading_bot_database.condition[0].expression, "projects/example-project/instances/trading-bot-")
    error_message = "the role holds for every database of the project"
  }
}

run "cloud_build_writes_only_images_of_ours" {
  assert {
    condition     = keys(google_artifact_registry_repository_iam_member.build) == ["cache", "us-central1/images"]
    error_message = "a build could write what hosts install"
  }
  assert {
    condition     = google_project_iam_member.build_tunnel.condition[0].expression == "destination.port == 22"
    error_message = "the tunnel leads to more than SSH"
  }
}

run "whoever_looks_for_drift_changes_nothing" {
  assert {
    condition     = alltrue([for binding in google_project_iam_member.drift : can(regex("(?i)(viewer|reader|reviewer|browser|logwriter)$", binding.role))])
    error_message = "the identity that compares could change something"
  }
}

run "cloud_build_reads_no_secret" {
  assert {
    condition     = alltrue([for binding in google_secret_manager_secret_iam_member.build_pins : binding.role == "roles/secretmanager.secretVersionAdder" && startswith(binding.secret_id, "deployed-")])
    error_message = "a build could read an exchange's key"
  }
}

run "without_a_cluster_nobody_acts_as_the_trading_identity" {
  assert {
    condition     = length(google_service_account_iam_member.workload_identity) == 0
    error_message = "a cluster that is not there may trade"
  }
}

run "a_cluster_acts_by_workload_identity" {
  variables {
    kubernetes_service_account = "trading-bot/trading-bot-sa"
  }
  assert {
    condition     = one(values(google_service_account_iam_member.workload_identity)).member == "serviceAccount:example-project.svc.id.goog[trading-bot/trading-bot-sa]"
    error_message = "the wrong account may act"
  }
}
