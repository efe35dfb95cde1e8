variables {
  project                   = "example-project"
  location                  = "us-central1"
  standby_location          = "us-east1"
  zone                      = "us-central1-a"
  repository                = "projects/example-project/locations/us-central1/connections/github/repositories/nightdesk"
  build_service_account     = "projects/example-project/serviceAccounts/trading-bot-build-sa@example-project.iam.gserviceaccount.com"
  terraform_service_account = "projects/example-project/serviceAccounts/trading-bot-drift-sa@example-project.iam.gserviceaccount.com"
  scheduler_service_account = "trading-bot-clock-sa@example-project.iam.gserviceaccount.com"
  services = {
    core-engine     = { host = "trading-bot-vm" }
    strategy-worker = { host = "trading-bot-vm" }
  }
}

run "every_commit_on_main_is_tested" {
  command = plan
  assert {
    condition     = google_cloudbuild_trigger.test.repository_event_config[0].push[0].branch == "^main$" && length(coalesce(google_cloudbuild_trigger.test.included_files, [])) == 0
    error_message = "a commit passes untested"
  }
}

run "a_service_is_deployed_when_what_it_is_made_of_changes" {
  command = plan
  assert {
    condition     = toset(keys(google_cloudbuild_trigger.deploy)) == toset(["core-engine", "strategy-worker"])
    error_message = "a service has no trigger"
  }
  assert {
    condition = alltrue([for name, trigger in google_cloudbuild_trigger.deploy :
      contains(trigger.included_files, "app/${name}/**") && contains(trigger.included_files, "crates/**") && contains(trigger.included_files, "Cargo.lock") &&
    trigger.substitutions["_SERVICE_NAME"] == name && trigger.repository_event_config[0].push[0].branch == "^main$"])
    error_message = "a trigger looks at something else"
  }
}

run "builds_run_under_an_identity_of_their_own" {
  command = plan
  assert {
    condition = alltrue([for trigger in concat([google_cloudbuild_trigger.test], values(google_cloudbuild_trigger.deploy), values(google_cloudbuild_trigger.scheduled)) :
    trigger.service_account != null && !strcontains(trigger.service_account, "cloudbuild.gserviceaccount.com")])
    error_message = "a build runs under Google's own identity, which may do too much"
  }
}

run "drift_is_looked_for_every_hour_and_holes_every_night_at_two" {
  command = plan
  assert {
    condition     = google_cloud_scheduler_job.scheduled["drift"].schedule == "15 * * * *" && google_cloud_scheduler_job.scheduled["scan"].schedule == "0 2 * * *"
    error_message = "R4.4: daily at 02:00"
  }
}

run "a_repository_is_named_in_full" {
  command = plan
  variables {
    repository = "nightdesk"
  }
  expect_failures = [var.repository]
}
