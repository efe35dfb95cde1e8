variables {
  project               = "example-project"
  network               = "projects/example-project/global/networks/trading-bot"
  database_address      = "10.200.0.3"
  load_balancer_address = "203.0.113.10"
}

run "our_names_hold_within_our_network_only" {
  command = plan
  assert {
    condition     = google_dns_managed_zone.internal.visibility == "private" && length(google_dns_managed_zone.public) == 0
    error_message = "a name of ours is public"
  }
}

run "a_failover_is_seen_within_seconds" {
  command = plan
  assert {
    condition     = google_dns_record_set.database.ttl <= 5
    error_message = "the old address lives on in caches"
  }
}

run "a_public_zone_is_signed" {
  command = plan
  variables {
    domain = "trading-bot.example.com"
  }
  assert {
    condition     = google_dns_managed_zone.public[0].dnssec_config[0].state == "on" && google_dns_record_set.public[0].name == "trading-bot.example.com."
    error_message = "answers can be forged"
  }
  assert {
    condition     = alltrue([for key in google_dns_managed_zone.public[0].dnssec_config[0].default_key_specs : key.algorithm != "rsasha1"])
    error_message = "the signature is a weak one"
  }
}

run "a_final_dot_is_refused" {
  command = plan
  variables {
    domain = "trading-bot.example.com."
  }
  expect_failures = [var.domain]
}
