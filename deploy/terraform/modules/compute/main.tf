# The hosts. One template for both forms, so that a group's instance is the single instance, many times. Which instance
# acts is no matter of this file: leases decide, and the others stand by.

locals {
  group = var.auto_scaling
  names = [for number in range(coalesce(var.instances, var.min_instances)) : number == 0 ? var.name : "${var.name}-${number + 1}"]
}

resource "google_compute_instance" "this" {
  for_each = local.group ? toset([]) : toset(local.names)

  project                   = var.project
  name                      = each.key
  zone                      = var.zone
  machine_type              = var.machine_type
  deletion_protection       = true
  allow_stopping_for_update = true
  labels                    = { host = var.name }

  metadata = {
    user-data                 = var.cloud_init
    registry                  = var.registry
    rabbitmq-image            = var.rabbitmq_image
    service-config            = var.service_config
    enable-oslogin            = "TRUE"
    block-project-ssh-keys    = "TRUE"
    serial-port-enable        = "FALSE"
    enable-guest-attributes   = "FALSE"
    enable-osconfig           = "TRUE"
    google-monitoring-enabled = "TRUE"
  }

  boot_disk {
    auto_delete       = false
    kms_key_self_link = var.kms_key

    initialize_params {
      image = var.image
      size  = var.disk_gb
      type  = "pd-balanced"
    }
  }

  # No access_config: no external address. The way out is the gateway's static one.
  network_interface {
    subnetwork = var.subnetwork
  }

  service_account {
    email = var.service_account
    # What it may do is said by its roles, not by its scopes.
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  scheduling {
    automatic_restart   = true
    on_host_maintenance = "MIGRATE"
  }
}

resource "google_compute_instance_group" "this" {
  count = local.group ? 0 : 1

  project   = var.project
  name      = var.name
  zone      = var.zone
  network   = var.network
  instances = [for instance in google_compute_instance.this : instance.self_link]

  named_port {
    name = "http"
    port = var.health_port
  }
}

resource "google_compute_instance_template" "this" {
  count = local.group ? 1 : 0

  project      = var.project
  name_prefix  = "${var.name}-"
  region       = var.region
  machine_type = var.machine_type
  labels       = { host = var.name }

  metadata = {
    user-data                 = var.cloud_init
    registry                  = var.registry
    rabbitmq-image            = var.rabbitmq_image
    service-config            = var.service_config
    enable-oslogin            = "TRUE"
    block-project-ssh-keys    = "TRUE"
    serial-port-enable        = "FALSE"
    enable-guest-attributes   = "FALSE"
    enable-osconfig           = "TRUE"
    google-monitoring-enabled = "TRUE"
  }

  disk {
    source_image = var.image
    disk_size_gb = var.disk_gb
    disk_type    = "pd-balanced"
    boot         = true
    auto_delete  = true

    dynamic "disk_encryption_key" {
      for_each = var.kms_key == null ? [] : [var.kms_key]

      content {
        kms_key_self_link = disk_encryption_key.value
      }
    }
  }

  network_interface {
    subnetwork = var.subnetwork
  }

  service_account {
    email  = var.service_account
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  scheduling {
    automatic_restart   = true
    on_host_maintenance = "MIGRATE"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_health_check" "alive" {
  count = local.group ? 1 : 0

  project             = var.project
  name                = "${var.name}-${var.region}-alive"
  check_interval_sec  = 10
  timeout_sec         = 5
  unhealthy_threshold = 6

  http_health_check {
    port         = var.health_port
    request_path = "/health"
  }

  log_config {
    enable = true
  }
}

resource "google_compute_region_instance_group_manager" "this" {
  count = local.group ? 1 : 0

  project            = var.project
  name               = var.name
  region             = var.region
  base_instance_name = var.name

  version {
    instance_template = google_compute_instance_template.this[0].self_link_unique
  }

  named_port {
    name = "http"
    port = var.health_port
  }

  auto_healing_policies {
    health_check = google_compute_health_check.alive[0].id
    # Packages, images and the first start.
    initial_delay_sec = 600
  }

  # One more before one less: a strategy's lease moves before its instance goes.
  update_policy {
    type                         = "PROACTIVE"
    minimal_action               = "REPLACE"
    max_surge_fixed              = 3
    max_unavailable_fixed        = 0
    instance_redistribution_type = "PROACTIVE"
  }
}

resource "google_compute_region_autoscaler" "this" {
  count = local.group ? 1 : 0

  project = var.project
  name    = var.name
  region  = var.region
  target  = google_compute_region_instance_group_manager.this[0].id

  autoscaling_policy {
    min_replicas    = var.min_instances
    max_replicas    = var.max_instances
    cooldown_period = 300

    cpu_utilization {
      target = 0.6
    }

    # An instance less is a lease moved: one at a time, and only when it stays quiet.
    scale_in_control {
      time_window_sec = 600

      max_scaled_in_replicas {
        fixed = 1
      }
    }
  }
}

# Known vulnerabilities of the hosts are patched within a day (R4.4: 72 hours), a zone at a time.
resource "google_os_config_patch_deployment" "daily" {
  project             = var.project
  patch_deployment_id = "${var.name}-${var.region}"
  description         = "Daily security updates."

  instance_filter {
    instance_name_prefixes = [var.name]
    zones                  = [for letter in ["a", "b", "c", "d", "f"] : "${var.region}-${letter}"]
  }

  patch_config {
    reboot_config = "DEFAULT"

    apt {
      type = "DIST"
    }
  }

  recurring_schedule {
    time_zone {
      id = "Etc/UTC"
    }

    time_of_day {
      hours   = var.patch_hour
      minutes = 0
      seconds = 0
      nanos   = 0
    }
  }

  rollout {
    mode = "ZONE_BY_ZONE"

    disruption_budget {
      fixed = 1
    }
  }
}
