# A network of our own: subnets, the way out through fixed addresses, and the private way to Google's services.
# Who may talk to whom is in firewall.tf.

resource "google_compute_network" "this" {
  #checkov:skip=CKV2_GCP_18:The rules are a network firewall policy (firewall.tf): only it knows names of hosts, and identities.
  project                 = var.project
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "GLOBAL"
}

resource "google_compute_subnetwork" "this" {
  for_each = var.subnets

  project                  = var.project
  name                     = "${var.name}-${each.key}"
  region                   = each.key
  network                  = google_compute_network.this.id
  ip_cidr_range            = each.value
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_5_SEC"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# The addresses that the exchange's allow-list names. They outlive instances, gateways and subnets.
resource "google_compute_address" "egress" {
  for_each = var.subnets

  project      = var.project
  name         = "${var.name}-egress-${each.key}"
  region       = each.key
  address_type = "EXTERNAL"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_router" "this" {
  for_each = var.subnets

  project = var.project
  name    = "${var.name}-${each.key}"
  region  = each.key
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  for_each = var.subnets

  project                            = var.project
  name                               = "${var.name}-${each.key}"
  region                             = each.key
  router                             = google_compute_router.this[each.key].name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.egress[each.key].id]
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.this[each.key].id
    source_ip_ranges_to_nat = ["PRIMARY_IP_RANGE"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Cloud SQL lives in Google's network; this range is its place in ours.
resource "google_compute_global_address" "database" {
  project       = var.project
  name          = "${var.name}-database"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = var.database_range
  prefix_length = 20
}

resource "google_service_networking_connection" "database" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database.name]
}

# Google's APIs, images and packages are reached at private.googleapis.com's addresses, which never leave Google.
locals {
  google_domains   = toset(["googleapis.com", "pkg.dev", "packages.cloud.google.com"])
  google_addresses = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
}

resource "google_dns_managed_zone" "google" {
  for_each = local.google_domains

  project     = var.project
  name        = "${var.name}-${replace(each.key, ".", "-")}"
  dns_name    = "${each.key}."
  description = "${each.key} by private access."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.this.id
    }
  }
}

resource "google_dns_record_set" "google" {
  for_each = local.google_domains

  project      = var.project
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = "${each.key}."
  type         = "A"
  ttl          = 300
  rrdatas      = local.google_addresses
}

resource "google_dns_record_set" "google_names" {
  for_each = local.google_domains

  project      = var.project
  managed_zone = google_dns_managed_zone.google[each.key].name
  name         = "*.${each.key}."
  type         = "CNAME"
  ttl          = 300
  rrdatas      = ["${each.key}."]
}

# Every query is recorded: names are how data leaks where connections cannot be made.
resource "google_dns_policy" "logging" {
  project        = var.project
  name           = "${var.name}-logging"
  enable_logging = true

  networks {
    network_url = google_compute_network.this.id
  }
}
