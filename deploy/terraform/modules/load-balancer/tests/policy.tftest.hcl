variables {
  project     = "example-project"
  health_port = 8080
  backends = {
    us-central1 = { group = "projects/example-project/regions/us-central1/instanceGroups/trading-bot-vm", acting = true }
    us-east1    = { group = "projects/example-project/zones/us-east1-b/instanceGroups/trading-bot-vm", acting = false }
  }
}

run "one_address_in_front_of_both_regions" {
  command = plan
  assert {
    condition     = google_compute_global_forwarding_rule.http.name == "trading-bot-global-lb" && google_compute_global_forwarding_rule.http.port_range == "80"
    error_message = "R6.4: trading-bot-global-lb, HTTP, port 80"
  }
  assert {
    condition     = { for backend in google_compute_backend_service.this.backend : backend.description => backend.capacity_scaler } == { us-central1 = 1, us-east1 = 0 }
    error_message = "the primary acts, the other stands by"
  }
  assert {
    condition     = google_compute_health_check.ready.http_health_check[0].request_path == "/ready" && google_compute_health_check.ready.http_health_check[0].port == 8080
    error_message = "requests go where nobody is ready"
  }
}

run "nobody_may_ask_who_is_not_named" {
  command = plan
  assert {
    condition     = [for rule in google_compute_security_policy.this.rule : rule.action if rule.priority == 2147483647] == ["deny(403)"]
    error_message = "everybody may ask"
  }
  assert {
    condition     = length([for rule in google_compute_security_policy.this.rule : rule if !startswith(rule.action, "deny")]) == 0
    error_message = "somebody may ask who was not named"
  }
}

run "the_world_is_refused_without_https" {
  command = plan
  variables {
    client_ranges = ["0.0.0.0/0"]
  }
  expect_failures = [var.client_ranges]
}

run "with_a_domain_port_80_only_sends_on" {
  command = plan
  variables {
    domain        = "trading-bot.example.com"
    client_ranges = ["203.0.113.0/24"]
  }
  assert {
    condition     = google_compute_url_map.to_https[0].default_url_redirect[0].https_redirect && google_compute_ssl_policy.this[0].min_tls_version == "TLS_1_2"
    error_message = "a token passes in the clear"
  }
  assert {
    condition     = google_compute_global_forwarding_rule.https[0].port_range == "443"
    error_message = "HTTPS is not served"
  }
}

run "two_acting_regions_are_refused" {
  command = plan
  variables {
    backends = {
      us-central1 = { group = "a", acting = true }
      us-east1    = { group = "b", acting = true }
    }
  }
  expect_failures = [var.backends]
}
