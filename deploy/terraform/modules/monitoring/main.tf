# What Google sees from outside, when the system cannot say itself that it is down: uptime, service levels, and who changed
# the project by hand. The system's own alerts are ops-monitor's.

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  project      = var.project
  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
}

resource "google_monitoring_uptime_check_config" "this" {
  project          = var.project
  display_name     = "trading-bot"
  timeout          = "10s"
  period           = "60s"
  selected_regions = ["USA", "EUROPE", "ASIA_PACIFIC"]

  http_check {
    path         = "/health"
    port         = var.domain == null ? 80 : 443
    use_ssl      = var.domain != null
    validate_ssl = var.domain != null
  }

  monitored_resource {
    type = "uptime_url"

    labels = {
      project_id = var.project
      host       = coalesce(var.domain, var.load_balancer_address)
    }
  }
}

resource "google_monitoring_alert_policy" "down" {
  project      = var.project
  display_name = "trading-bot does not answer"
  combiner     = "OR"
  severity     = "CRITICAL"

  notification_channels = local.channels

  conditions {
    display_name = "fewer than all places get an answer for 2 minutes"

    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.label.check_id = \"${google_monitoring_uptime_check_config.this.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    content = "The load balancer gives no answer. docs/runbooks says what has been done by itself and what to do."
  }
}

# What is counted in logs: name = filter.
locals {
  # Reading, and what Google itself does, is no change.
  by_code = join(" AND ", [for email in var.code_identities : "NOT protoPayload.authenticationInfo.principalEmail=\"${email}\""])

  counted = {
    suspicious-activity = "jsonPayload.logger=\"security_audit\" AND jsonPayload.event=\"suspicious_activity\" AND severity>=ERROR"
    deploy-failed       = "jsonPayload.logger=\"security_audit\" AND jsonPayload.action=\"deploy\" AND jsonPayload.result!=\"ready\" AND jsonPayload.result!=\"started\""
    changed-by-hand     = "logName=\"projects/${var.project}/logs/cloudaudit.googleapis.com%2Factivity\" AND protoPayload.authenticationInfo.principalEmail:\"@\" AND NOT protoPayload.authenticationInfo.principalEmail=~\"gserviceaccount.com$\" AND ${local.by_code}"
    drift               = "resource.type=\"build\" AND textPayload:\"drift:\""
    emergency-journal   = "severity>=CRITICAL AND jsonPayload.logger=\"emergency_journal\""
  }
}

resource "google_logging_metric" "this" {
  for_each = local.counted

  project     = var.project
  name        = "trading-bot/${each.key}"
  description = "Entries in the log: ${each.key}."
  filter      = each.value

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_monitoring_alert_policy" "counted" {
  for_each = local.counted

  project      = var.project
  display_name = "trading-bot: ${each.key}"
  combiner     = "OR"
  severity     = contains(["suspicious-activity", "changed-by-hand"], each.key) ? "CRITICAL" : "WARNING"

  notification_channels = local.channels

  conditions {
    display_name = "any"

    condition_threshold {
      filter          = "metric.type = \"logging.googleapis.com/user/${google_logging_metric.this[each.key].name}\" AND resource.type = \"global\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_SUM"
      }
    }
  }

  documentation {
    content = "Counted in the log: ${each.key}. docs/runbooks has a page."
  }
}

# R8 as service levels, counted where the requests come in.
resource "google_monitoring_custom_service" "this" {
  project      = var.project
  service_id   = "trading-bot"
  display_name = "Trading bot"
}

locals {
  requests = "resource.type=\"http_external_managed_lb_rule\" resource.label.backend_name=\"${var.backend_service}\""
}

resource "google_monitoring_slo" "availability" {
  project             = var.project
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "availability"
  display_name        = "Answers without a fault of ours"
  goal                = var.availability
  rolling_period_days = 30

  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "metric.type=\"loadbalancing.googleapis.com/https/request_count\" ${local.requests} metric.label.response_code_class=500"
      total_service_filter = "metric.type=\"loadbalancing.googleapis.com/https/request_count\" ${local.requests}"
    }
  }
}

resource "google_monitoring_slo" "latency" {
  project             = var.project
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = "latency"
  display_name        = "Answers in time"
  goal                = 0.95
  rolling_period_days = 30

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"loadbalancing.googleapis.com/https/backend_latencies\" ${local.requests}"

      range {
        min = 0
        max = var.latency_ms
      }
    }
  }
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = { availability = google_monitoring_slo.availability.name, latency = google_monitoring_slo.latency.name }

  project      = var.project
  display_name = "trading-bot: ${each.key} is being used up"
  combiner     = "AND"
  severity     = "CRITICAL"

  notification_channels = local.channels

  # At 14.4 times the pace, a month's allowance is gone in two days.
  dynamic "conditions" {
    for_each = { "hour" = "3600s", "five minutes" = "300s" }

    content {
      display_name = "over the last ${conditions.key}"

      condition_threshold {
        filter          = "select_slo_burn_rate(\"${each.value}\", \"${conditions.value}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = 14.4
        duration        = "0s"
      }
    }
  }
}

# One page for whoever is called at night.
resource "google_monitoring_dashboard" "service_levels" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "Trading bot: service levels"
    gridLayout = {
      columns = 2
      widgets = [for name, query in {
        "Requests by class" = "loadbalancing.googleapis.com/https/request_count"
        "Latency, ms"       = "loadbalancing.googleapis.com/https/backend_latencies"
        } : {
        title = name
        xyChart = {
          dataSets = [{
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter      = "metric.type=\"${query}\" ${local.requests}"
                aggregation = { alignmentPeriod = "60s", perSeriesAligner = name == "Latency, ms" ? "ALIGN_PERCENTILE_95" : "ALIGN_RATE" }
              }
            }
          }]
        }
      }]
    }
  })
}
