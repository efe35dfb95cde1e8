# Denied unless allowed here, in both directions. Rules hold for our hosts' identities, not for tags that anyone may set.

locals {
  everywhere    = "0.0.0.0/0"
  iap           = "35.235.240.0/20"
  health_checks = ["35.191.0.0/16", "130.211.0.0/22"]
  google        = "199.36.153.8/30"
  database      = "${var.database_range}/20"
  hosts         = values(var.subnets)

  ingress = merge({
    ssh-by-iap    = { priority = 1000, from = [local.iap], ports = ["22"] }
    health-checks = { priority = 1020, from = local.health_checks, ports = var.service_ports }
    hosts-in      = { priority = 1030, from = local.hosts, ports = concat(var.service_ports, var.peer_ports) }
    }, length(var.ssh_source_ranges) == 0 ? {} : {
    ssh-by-address = { priority = 1010, from = var.ssh_source_ranges, ports = ["22"] }
  })

  egress = {
    google        = { priority = 2000, to = [local.google], fqdns = null, ports = ["443"] }
    database      = { priority = 2010, to = [local.database], fqdns = null, ports = ["5432"] }
    exchanges     = { priority = 2020, to = null, fqdns = var.exchange_fqdns, ports = ["443", "9443"] }
    notifications = { priority = 2030, to = null, fqdns = var.notification_fqdns, ports = ["443"] }
    hosts-out     = { priority = 2040, to = local.hosts, fqdns = null, ports = concat(var.service_ports, var.peer_ports) }
  }
}

resource "google_compute_network_firewall_policy" "this" {
  project     = var.project
  name        = var.name
  description = "Deny all, both ways; what is allowed is listed."
}

resource "google_compute_network_firewall_policy_association" "this" {
  project           = var.project
  name              = var.name
  firewall_policy   = google_compute_network_firewall_policy.this.name
  attachment_target = google_compute_network.this.id
}

resource "google_compute_network_firewall_policy_rule" "ingress" {
  for_each = local.ingress

  project                 = var.project
  firewall_policy         = google_compute_network_firewall_policy.this.name
  rule_name               = each.key
  description             = "Allows ${each.key}."
  direction               = "INGRESS"
  action                  = "allow"
  priority                = each.value.priority
  enable_logging          = true
  target_service_accounts = var.service_accounts

  match {
    src_ip_ranges = each.value.from

    layer4_configs {
      ip_protocol = "tcp"
      ports       = each.value.ports
    }
  }
}

resource "google_compute_network_firewall_policy_rule" "egress" {
  for_each = local.egress

  project                 = var.project
  firewall_policy         = google_compute_network_firewall_policy.this.name
  rule_name               = each.key
  description             = "Allows ${each.key}."
  direction               = "EGRESS"
  action                  = "allow"
  priority                = each.value.priority
  enable_logging          = true
  target_service_accounts = var.service_accounts

  match {
    dest_ip_ranges = each.value.to
    dest_fqdns     = each.value.fqdns

    layer4_configs {
      ip_protocol = "tcp"
      ports       = each.value.ports
    }
  }
}

resource "google_compute_network_firewall_policy_rule" "deny" {
  for_each = { INGRESS = 65000, EGRESS = 65010 }

  project         = var.project
  firewall_policy = google_compute_network_firewall_policy.this.name
  rule_name       = "deny-${lower(each.key)}"
  description     = "Denies what no rule above allows."
  direction       = each.key
  action          = "deny"
  priority        = each.value
  enable_logging  = true

  match {
    src_ip_ranges  = each.key == "INGRESS" ? [local.everywhere] : null
    dest_ip_ranges = each.key == "EGRESS" ? [local.everywhere] : null

    layer4_configs {
      ip_protocol = "all"
    }
  }
}
