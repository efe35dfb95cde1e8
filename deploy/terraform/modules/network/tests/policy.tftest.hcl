variables {
  project          = "example-project"
  subnets          = { us-central1 = "10.10.0.0/20", us-east1 = "10.20.0.0/20" }
  service_ports    = ["8080", "8081"]
  peer_ports       = ["5672"]
  service_accounts = ["trading-bot-sa@example-project.iam.gserviceaccount.com"]
}

run "nothing_lives_in_the_default_network" {
  assert {
    condition     = google_compute_network.this.auto_create_subnetworks == false && google_compute_network.this.name != "default"
    error_message = "the network is not a custom one"
  }
  assert {
    condition     = alltrue([for subnet in google_compute_subnetwork.this : subnet.private_ip_google_access && length(subnet.log_config) == 1])
    error_message = "a subnet lacks private access or flow logs"
  }
}

run "everything_is_denied_by_default_both_ways" {
  assert {
    condition = alltrue([for way, rule in google_compute_network_firewall_policy_rule.deny :
    rule.action == "deny" && rule.direction == way && one(rule.match[0].layer4_configs).ip_protocol == "all"])
    error_message = "a direction is not denied"
  }
  assert {
    condition     = toset(keys(google_compute_network_firewall_policy_rule.deny)) == toset(["INGRESS", "EGRESS"])
    error_message = "both directions are denied"
  }
  assert {
    condition     = google_compute_network_firewall_policy_rule.deny["INGRESS"].match[0].src_ip_ranges == tolist(["0.0.0.0/0"])
    error_message = "the denial does not cover every source"
  }
  assert {
    condition = alltrue([for rule in concat(values(google_compute_network_firewall_policy_rule.ingress), values(google_compute_network_firewall_policy_rule.egress)) :
    rule.priority < 65000 && rule.enable_logging && length(rule.target_service_accounts) > 0])
    error_message = "an allowed way is after the denial, not logged, or holds for everyone"
  }
}

run "no_ingress_from_the_world" {
  assert {
    condition = alltrue(flatten([for rule in google_compute_network_firewall_policy_rule.ingress :
    [for range in rule.match[0].src_ip_ranges : tonumber(split("/", range)[1]) >= 16]]))
    error_message = "an ingress rule is open to the world"
  }
  assert {
    condition     = [for name, rule in google_compute_network_firewall_policy_rule.ingress : name if contains(one(rule.match[0].layer4_configs).ports, "22")] == ["ssh-by-iap"]
    error_message = "SSH is reached by IAP only, unless addresses are named"
  }
}

run "egress_only_where_it_is_needed" {
  assert {
    condition     = toset(keys(google_compute_network_firewall_policy_rule.egress)) == toset(["google", "database", "exchanges", "notifications", "hosts-out"])
    error_message = "an egress rule was added: say why in firewall.tf and here"
  }
  assert {
    condition = alltrue(flatten([for rule in google_compute_network_firewall_policy_rule.egress :
    [for range in coalesce(rule.match[0].dest_ip_ranges, []) : startswith(range, "10.") || range == "199.36.153.8/30"]]))
    error_message = "egress by address leaves the private network"
  }
  assert {
    condition     = toset(google_compute_network_firewall_policy_rule.egress["exchanges"].match[0].dest_fqdns) == toset(["api.binance.com", "stream.binance.com", "ws-api.binance.com"])
    error_message = "exchanges are reached by name"
  }
}

run "each_region_speaks_from_an_address_of_its_own" {
  command = apply
  assert {
    condition     = toset(keys(output.egress_addresses)) == toset(["us-central1", "us-east1"])
    error_message = "the exchange's allow-list needs both regions' addresses"
  }
  assert {
    condition     = alltrue([for nat in google_compute_router_nat.this : nat.nat_ip_allocate_option == "MANUAL_ONLY" && length(nat.nat_ips) == 1])
    error_message = "a gateway takes addresses that nobody has told the exchange"
  }
}

run "named_addresses_may_reach_ssh" {
  variables {
    ssh_source_ranges = ["203.0.113.7/32"]
  }
  assert {
    condition     = google_compute_network_firewall_policy_rule.ingress["ssh-by-address"].match[0].src_ip_ranges == tolist(["203.0.113.7/32"])
    error_message = "the named address is not allowed"
  }
}

run "ssh_from_the_world_is_refused" {
  command = plan
  variables {
    ssh_source_ranges = ["0.0.0.0/0"]
  }
  expect_failures = [var.ssh_source_ranges]
}

run "ssh_from_half_the_world_is_refused" {
  command = plan
  variables {
    ssh_source_ranges = ["203.0.113.7/32", "128.0.0.0/1"]
  }
  expect_failures = [var.ssh_source_ranges]
}

run "a_wildcard_is_no_exchange" {
  command = plan
  variables {
    exchange_fqdns = ["*.com"]
  }
  expect_failures = [var.exchange_fqdns]
}

run "a_public_subnet_is_refused" {
  command = plan
  variables {
    subnets = { us-central1 = "203.0.113.0/24" }
  }
  expect_failures = [var.subnets]
}
