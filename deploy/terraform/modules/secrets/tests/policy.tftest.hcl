variables {
  project        = "example-project"
  project_number = "123456789012"
  regions        = ["us-central1", "us-east1"]
  names          = ["exchange-api-key", "database-credentials"]
  pins           = ["deployed-core-engine"]
  first_rotation = "2027-01-01T00:00:00Z"
}

run "every_secret_is_in_both_regions_and_cannot_be_deleted_by_mistake" {
  command = plan
  assert {
    condition = alltrue([for secret in google_secret_manager_secret.this :
    [for replica in secret.replication[0].user_managed[0].replicas : replica.location] == ["us-central1", "us-east1"] && secret.deletion_protection])
    error_message = "a region cannot read a secret without the other"
  }
}

run "rotation_is_asked_for" {
  command = plan
  assert {
    condition     = alltrue([for name in var.names : google_secret_manager_secret.this[name].rotation[0].rotation_period == "7776000s" && length(google_secret_manager_secret.this[name].topics) == 1])
    error_message = "nobody is told to rotate a secret"
  }
}

run "a_value_is_no_name" {
  command = plan
  variables {
    names = ["exchange-api-key", "Sup3rS3cret"]
  }
  expect_failures = [var.names]
}

run "secrets_are_rotated_at_least_once_a_year" {
  command = plan
  variables {
    rotation_days = 400
  }
  expect_failures = [var.rotation_days]
}

run "a_secret_is_no_pin" {
  command = plan
  variables {
    pins = ["exchange-api-key"]
  }
  expect_failures = [var.pins]
}
