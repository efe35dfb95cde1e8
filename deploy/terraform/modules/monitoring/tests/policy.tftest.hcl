variables {
  project               = "example-project"
  emails                = ["night@example.com"]
  load_balancer_address = "203.0.113.10"
  backend_service       = "trading-bot-global-lb"
  code_identities       = ["trading-bot-terraform-sa@example-project.iam.gserviceaccount.com"]
}

run "service_levels_are_the_promised_ones" {
  command = plan
  assert {
    condition     = google_monitoring_slo.availability.goal == 0.999 && google_monitoring_slo.availability.rolling_period_days == 30
    error_message = "R8: 99.9 % a month"
  }
  assert {
    condition     = google_monitoring_slo.latency.goal == 0.95 && google_monitoring_slo.latency.request_based_sli[0].distribution_cut[0].range[0].max == 200
    error_message = "R8: 95 of 100 within 200 ms"
  }
}

run "every_alert_reaches_somebody" {
  assert {
    condition = alltrue([for policy in concat([google_monitoring_alert_policy.down], values(google_monitoring_alert_policy.counted), values(google_monitoring_alert_policy.burn)) :
    length(policy.notification_channels) == 1])
    error_message = "an alert that nobody hears"
  }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.counted)) == toset(["suspicious-activity", "deploy-failed", "changed-by-hand", "drift", "emergency-journal"])
    error_message = "something is counted and nobody is told"
  }
}

run "a_change_by_hand_is_told_and_one_by_code_is_not" {
  command = plan
  assert {
    condition = (strcontains(google_logging_metric.this["changed-by-hand"].filter, "NOT protoPayload.authenticationInfo.principalEmail=\"trading-bot-terraform-sa@example-project.iam.gserviceaccount.com\"") &&
    strcontains(google_logging_metric.this["changed-by-hand"].filter, "cloudaudit.googleapis.com%2Factivity"))
    error_message = "R1: changes by hand are forbidden, so they are seen"
  }
}

run "somebody_must_be_told" {
  command = plan
  variables {
    emails = []
  }
  expect_failures = [var.emails]
}

run "less_than_promised_is_refused" {
  command = plan
  variables {
    availability = 0.99
    latency_ms   = 500
  }
  expect_failures = [var.availability, var.latency_ms]
}
