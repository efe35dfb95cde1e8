variables {
  project    = "example-project"
  name       = "trading-bot-db"
  region     = "us-central1"
  tier       = "db-custom-4-16384"
  network    = "projects/example-project/global/networks/trading-bot"
  range_name = "trading-bot-database"
}

run "the_database_is_postgresql_15_with_a_private_address_only" {
  command = plan
  assert {
    condition     = google_sql_database_instance.this.database_version == "POSTGRES_15"
    error_message = "R0.6: PostgreSQL 15"
  }
  assert {
    condition = (google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled == false &&
      length(google_sql_database_instance.this.settings[0].ip_configuration[0].authorized_networks) == 0 &&
    google_sql_database_instance.this.settings[0].ip_configuration[0].private_network == "projects/example-project/global/networks/trading-bot")
    error_message = "the database can be reached from outside"
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = "the database speaks in the clear"
  }
}

run "thirty_backups_and_seven_days_of_every_moment" {
  command = plan
  assert {
    condition = (google_sql_database_instance.this.settings[0].backup_configuration[0].enabled &&
      google_sql_database_instance.this.settings[0].backup_configuration[0].point_in_time_recovery_enabled &&
      google_sql_database_instance.this.settings[0].backup_configuration[0].transaction_log_retention_days == 7 &&
    google_sql_database_instance.this.settings[0].backup_configuration[0].backup_retention_settings[0].retained_backups == 30)
    error_message = "R6.1: 30 backups, 7 days"
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].backup_configuration[0].location != "us-central1"
    error_message = "backups die with their region"
  }
}

run "the_database_outlives_mistakes_and_zones" {
  command = plan
  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_sql_database_instance.this.settings[0].deletion_protection_enabled
    error_message = "the database can be deleted by mistake"
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "REGIONAL"
    error_message = "the database dies with its zone"
  }
}

run "a_replica_has_a_primary_and_no_backups_of_its_own" {
  command = plan
  variables {
    name    = "trading-bot-backup-replica"
    region  = "us-east1"
    tier    = "db-custom-2-8192"
    primary = "trading-bot-db"
  }
  assert {
    condition     = google_sql_database_instance.this.master_instance_name == "trading-bot-db" && length(google_sql_database_instance.this.settings[0].backup_configuration) == 0
    error_message = "the replica stands alone"
  }
  assert {
    condition     = length(google_sql_database.nightdesk) == 0 && google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled == false
    error_message = "the replica differs from its primary"
  }
}

run "a_public_database_is_refused" {
  command = plan
  variables {
    public_address = true
  }
  expect_failures = [var.public_address]
}

run "fewer_backups_are_refused" {
  command = plan
  variables {
    backups_kept = 7
  }
  expect_failures = [var.backups_kept]
}

run "a_day_of_logs_is_too_little" {
  command = plan
  variables {
    log_days = 1
  }
  expect_failures = [var.log_days]
}

run "a_shared_tier_is_refused" {
  command = plan
  variables {
    tier = "db-f1-micro"
  }
  expect_failures = [var.tier]
}
