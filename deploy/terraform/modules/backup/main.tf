# Copies of what cannot be lost, in another region and out of everybody's reach, and the witness in a third.

resource "google_storage_bucket" "backups" {
  project                     = var.project
  name                        = var.bucket
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  retention_policy {
    retention_period = var.retention_days * 24 * 3600
    is_locked        = var.lock_retention
  }

  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 3600
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age        = 400
      with_state = "ANY"
    }
  }

  logging {
    log_bucket        = google_storage_bucket.access_log.name
    log_object_prefix = "backups"
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

# The lease: one small object, written at most once a second, with a condition on its generation.
resource "google_storage_bucket" "witness" {
  project                     = var.project
  name                        = "${var.bucket}-witness"
  location                    = var.witness_location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Every renewal would be a version, and a deleted object kept for a week; the log of failovers is the journal's.
  #checkov:skip=CKV_GCP_78:A lease is renewed every two seconds; an old one is worth nothing.
  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  logging {
    log_bucket        = google_storage_bucket.access_log.name
    log_object_prefix = "witness"
  }
}

resource "google_storage_bucket" "access_log" {
  #checkov:skip=CKV_GCP_62:This is the log of accesses: logging it into itself would never end.
  #checkov:skip=CKV_GCP_78:Log objects are written once and never replaced; the retention below is what protects them.
  project                     = var.project
  name                        = "${var.bucket}-access-log"
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  retention_policy {
    retention_period = var.retention_days * 24 * 3600
    is_locked        = false
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = 400
    }
  }
}

# Google's own writer of access logs.
resource "google_storage_bucket_iam_member" "access_log" {
  bucket = google_storage_bucket.access_log.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}

# Writes and reads back, which is how a backup becomes one; cannot delete or replace.
resource "google_storage_bucket_iam_member" "backups" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = google_storage_bucket.backups.name
  role   = each.key
  member = "serviceAccount:${var.writer}"
}

resource "google_storage_bucket_iam_member" "witness" {
  bucket = google_storage_bucket.witness.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${var.writer}"
}
