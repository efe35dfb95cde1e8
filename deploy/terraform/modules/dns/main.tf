# Names. Services know the database by its name, so that a failover is a change of one record.

resource "google_dns_managed_zone" "internal" {
  project     = var.project
  name        = "trading-bot-internal"
  dns_name    = "trading-bot.internal."
  description = "Names of our own, within the network."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = var.network
    }
  }
}

resource "google_dns_record_set" "database" {
  project      = var.project
  managed_zone = google_dns_managed_zone.internal.name
  name         = "db.trading-bot.internal."
  type         = "A"
  # As long as a service may speak to the old database after a failover; the epoch keeps it from writing.
  ttl     = 5
  rrdatas = [var.database_address]

  lifecycle {
    # The disaster-recovery controller moves it.
    ignore_changes = [rrdatas]
  }
}

resource "google_dns_managed_zone" "public" {
  count = var.domain == null ? 0 : 1

  project     = var.project
  name        = "trading-bot-public"
  dns_name    = "${var.domain}."
  description = "The public name of the load balancer."
  visibility  = "public"

  dnssec_config {
    state = "on"

    default_key_specs {
      algorithm  = "ecdsap256sha256"
      key_length = 256
      key_type   = "keySigning"
    }

    default_key_specs {
      algorithm  = "ecdsap256sha256"
      key_length = 256
      key_type   = "zoneSigning"
    }
  }

  cloud_logging_config {
    enable_logging = true
  }
}

resource "google_dns_record_set" "public" {
  count = var.domain == null ? 0 : 1

  project      = var.project
  managed_zone = google_dns_managed_zone.public[0].name
  name         = "${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [var.load_balancer_address]
}
