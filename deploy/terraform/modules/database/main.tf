# PostgreSQL 15 with a private address: a primary, or a replica of one in another region.
#
# Users are not made here: a password would be in the state. `deploy/scripts/put-database-user.sh` makes one and hands it to
# Secret Manager without showing it.

locals {
  is_primary = var.primary == null
}

resource "google_sql_database_instance" "this" {
  #checkov:skip=CKV_GCP_79:PostgreSQL 15 is what the requirements name and what the tests run on.
  #checkov:skip=CKV_GCP_6:Only encrypted connections are accepted (ssl_mode); client certificates would be keys in files, which R4.3 forbids.
  project              = var.project
  name                 = var.name
  region               = var.region
  database_version     = "POSTGRES_15"
  master_instance_name = var.primary
  encryption_key_name  = var.kms_key
  deletion_protection  = true

  settings {
    tier                        = var.tier
    edition                     = "ENTERPRISE"
    availability_type           = local.is_primary && var.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = 20
    disk_autoresize             = true
    deletion_protection_enabled = true
    connector_enforcement       = "NOT_REQUIRED"
    user_labels                 = { role = local.is_primary ? "primary" : "replica" }

    ip_configuration {
      ipv4_enabled                                  = var.public_address
      private_network                               = var.network
      allocated_ip_range                            = var.range_name
      enable_private_path_for_google_cloud_services = false
      ssl_mode                                      = "ENCRYPTED_ONLY"
    }

    # A replica has none of its own until it is promoted: Cloud SQL refuses them.
    dynamic "backup_configuration" {
      for_each = local.is_primary ? [1] : []

      content {
        enabled                        = true
        start_time                     = "02:00"
        location                       = var.backup_location
        point_in_time_recovery_enabled = true
        transaction_log_retention_days = var.log_days

        backup_retention_settings {
          retained_backups = var.backups_kept
          retention_unit   = "COUNT"
        }
      }
    }

    # What an audit asks for; of statements only those that change the schema, since others hold positions and prices.
    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }

    database_flags {
      name  = "log_connections"
      value = "on"
    }

    database_flags {
      name  = "log_disconnections"
      value = "on"
    }

    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }

    database_flags {
      name  = "log_duration"
      value = "on"
    }

    database_flags {
      name  = "log_hostname"
      value = "on"
    }

    database_flags {
      name  = "log_temp_files"
      value = "0"
    }

    database_flags {
      name  = "log_min_messages"
      value = "error"
    }

    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }

    database_flags {
      name  = "log_min_duration_statement"
      value = "-1"
    }

    database_flags {
      name  = "log_statement"
      value = "ddl"
    }

    database_flags {
      name  = "cloudsql.enable_pgaudit"
      value = "on"
    }

    # A transaction that was frozen must not hold the lease's row for ever.
    database_flags {
      name  = "idle_in_transaction_session_timeout"
      value = "10000"
    }

    dynamic "maintenance_window" {
      for_each = local.is_primary ? [1] : []

      content {
        day          = 7
        hour         = 5
        update_track = "stable"
      }
    }

    insights_config {
      query_insights_enabled  = true
      record_application_tags = false
      record_client_address   = false
    }

    password_validation_policy {
      enable_password_policy      = true
      min_length                  = 24
      complexity                  = "COMPLEXITY_DEFAULT"
      disallow_username_substring = true
    }
  }

  lifecycle {
    # After a failover the replica is the primary: the disaster-recovery controller has promoted it, and Terraform must not
    # make it a replica again. `docs/runbooks/region-move.md` says how code follows.
    ignore_changes = [master_instance_name]
  }
}

resource "google_sql_database" "nightdesk" {
  count = local.is_primary ? 1 : 0

  project         = var.project
  name            = "nightdesk"
  instance        = google_sql_database_instance.this.name
  charset         = "UTF8"
  collation       = "en_US.UTF8"
  deletion_policy = "ABANDON"
}
