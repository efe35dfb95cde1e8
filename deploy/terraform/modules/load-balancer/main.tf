# trading-bot-global-lb: one address in front of both regions.

resource "google_compute_global_address" "this" {
  project = var.project
  name    = var.name
}

resource "google_compute_health_check" "ready" {
  project             = var.project
  name                = "${var.name}-ready"
  check_interval_sec  = 5
  timeout_sec         = 2
  healthy_threshold   = 1
  unhealthy_threshold = 2

  http_health_check {
    port         = var.health_port
    request_path = "/ready"
  }

  log_config {
    enable = true
  }
}

resource "google_compute_security_policy" "this" {
  project     = var.project
  name        = var.name
  description = "Who may ask, and how often."
  type        = "CLOUD_ARMOR"

  dynamic "rule" {
    for_each = chunklist(var.client_ranges, 10)

    content {
      action      = "throttle"
      priority    = 1000 + rule.key
      description = "Named addresses, so many requests each."

      match {
        versioned_expr = "SRC_IPS_V1"

        config {
          src_ip_ranges = rule.value
        }
      }

      rate_limit_options {
        conform_action = "allow"
        exceed_action  = "deny(429)"
        enforce_on_key = "IP"

        rate_limit_threshold {
          count        = 600
          interval_sec = 60
        }
      }
    }
  }

  # Before anybody else's rule: CVE-2021-44228 and its like are refused whoever sends them.
  rule {
    action      = "deny(403)"
    priority    = 100
    description = "Known exploits."

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('cve-canary')"
      }
    }
  }

  rule {
    action      = "deny(403)"
    priority    = 2147483647
    description = "Everybody else."

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_backend_service" "this" {
  project               = var.project
  name                  = var.name
  protocol              = "HTTP"
  port_name             = "http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  timeout_sec           = 30
  health_checks         = [google_compute_health_check.ready.id]
  security_policy       = google_compute_security_policy.this.id

  connection_draining_timeout_sec = 30

  dynamic "backend" {
    for_each = var.backends

    content {
      group           = backend.value.group
      balancing_mode  = "UTILIZATION"
      capacity_scaler = backend.value.acting ? 1 : 0
      description     = backend.key
    }
  }

  log_config {
    enable      = true
    sample_rate = 1
  }

  lifecycle {
    # The disaster-recovery controller moves capacity from one region to the other.
    ignore_changes = [backend]
  }
}

resource "google_compute_url_map" "serve" {
  project         = var.project
  name            = var.name
  default_service = google_compute_backend_service.this.id
}

resource "google_compute_url_map" "to_https" {
  count = var.domain == null ? 0 : 1

  project = var.project
  name    = "${var.name}-to-https"

  default_url_redirect {
    https_redirect         = true
    strip_query            = false
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
  }
}

resource "google_compute_target_http_proxy" "this" {
  project = var.project
  name    = var.name
  url_map = var.domain == null ? google_compute_url_map.serve.id : google_compute_url_map.to_https[0].id
}

resource "google_compute_global_forwarding_rule" "http" {
  project               = var.project
  name                  = var.name
  ip_address            = google_compute_global_address.this.id
  target                = google_compute_target_http_proxy.this.id
  port_range            = "80"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}

resource "google_compute_managed_ssl_certificate" "this" {
  count = var.domain == null ? 0 : 1

  project = var.project
  name    = var.name

  managed {
    domains = [var.domain]
  }
}

resource "google_compute_ssl_policy" "this" {
  count = var.domain == null ? 0 : 1

  project         = var.project
  name            = var.name
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "this" {
  count = var.domain == null ? 0 : 1

  project          = var.project
  name             = var.name
  url_map          = google_compute_url_map.serve.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this[0].id]
  ssl_policy       = google_compute_ssl_policy.this[0].id
}

resource "google_compute_global_forwarding_rule" "https" {
  count = var.domain == null ? 0 : 1

  project               = var.project
  name                  = "${var.name}-https"
  ip_address            = google_compute_global_address.this.id
  target                = google_compute_target_https_proxy.this[0].id
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
