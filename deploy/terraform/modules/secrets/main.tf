# Every secret's place, never its value: `deploy/scripts/put-secret.sh` puts values in. Reminders to rotate go to a topic.

resource "google_pubsub_topic" "rotation" {
  project      = var.project
  name         = "trading-bot-secret-rotation"
  kms_key_name = var.topic_kms_key

  message_storage_policy {
    allowed_persistence_regions = var.regions
  }
}

resource "google_pubsub_topic_iam_member" "rotation" {
  project = var.project
  topic   = google_pubsub_topic.rotation.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${var.project_number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
}

resource "google_secret_manager_secret" "this" {
  for_each = setunion(var.names, var.pins)

  project             = var.project
  secret_id           = each.key
  deletion_protection = true
  # A value that was replaced can be brought back for a day.
  version_destroy_ttl = "86400s"

  replication {
    user_managed {
      dynamic "replicas" {
        for_each = var.regions

        content {
          location = replicas.value

          dynamic "customer_managed_encryption" {
            for_each = contains(keys(var.kms_keys), replicas.value) ? [var.kms_keys[replicas.value]] : []

            content {
              kms_key_name = customer_managed_encryption.value
            }
          }
        }
      }
    }
  }

  dynamic "rotation" {
    for_each = contains(var.names, each.key) ? [1] : []

    content {
      rotation_period    = "${var.rotation_days * 24 * 3600}s"
      next_rotation_time = var.first_rotation
    }
  }

  dynamic "topics" {
    for_each = contains(var.names, each.key) ? [1] : []

    content {
      name = google_pubsub_topic.rotation.id
    }
  }

  lifecycle {
    # Secret Manager moves it on after each reminder.
    ignore_changes = [rotation]
  }

  depends_on = [google_pubsub_topic_iam_member.rotation]
}
