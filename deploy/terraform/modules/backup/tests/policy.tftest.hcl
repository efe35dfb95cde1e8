variables {
  project          = "example-project"
  location         = "us-east1"
  primary_region   = "us-central1"
  witness_location = "us-west1"
  writer           = "trading-bot-dr-sa@example-project.iam.gserviceaccount.com"
}

run "backups_lie_in_another_region_and_nobody_deletes_them" {
  command = plan
  assert {
    condition     = google_storage_bucket.backups.name == "trading-bot-critical-backups" && google_storage_bucket.backups.location == "us-east1"
    error_message = "R6.2 names the bucket"
  }
  assert {
    condition = (google_storage_bucket.backups.versioning[0].enabled && google_storage_bucket.backups.retention_policy[0].is_locked &&
    tonumber(google_storage_bucket.backups.retention_policy[0].retention_period) == 30 * 24 * 3600 && !google_storage_bucket.backups.force_destroy)
    error_message = "a backup can be deleted"
  }
}

run "no_bucket_is_public" {
  command = plan
  assert {
    condition = alltrue([for bucket in [google_storage_bucket.backups, google_storage_bucket.witness, google_storage_bucket.access_log] :
    bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "a bucket can be opened to everyone"
  }
  assert {
    condition     = alltrue([for binding in google_storage_bucket_iam_member.backups : !strcontains(binding.role, "dmin") && binding.member == "serviceAccount:trading-bot-dr-sa@example-project.iam.gserviceaccount.com"])
    error_message = "somebody can delete backups"
  }
}

run "the_witness_is_in_a_third_region" {
  command = plan
  assert {
    condition     = google_storage_bucket.witness.location == "us-west1" && !google_storage_bucket.witness.versioning[0].enabled
    error_message = "the witness dies with a region that it judges"
  }
}

run "a_witness_beside_the_backups_is_refused" {
  command = plan
  variables {
    witness_location = "us-east1"
  }
  expect_failures = [var.witness_location]
}

run "backups_beside_the_primary_are_refused" {
  command = plan
  variables {
    location = "us-central1"
  }
  expect_failures = [var.primary_region]
}
