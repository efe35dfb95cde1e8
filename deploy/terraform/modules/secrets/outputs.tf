output "names" {
  description = "Each secret's name in Secret Manager."
  value       = toset([for secret in google_secret_manager_secret.this : secret.secret_id])
}

output "rotation_topic" {
  description = "Where reminders to rotate are published."
  value       = google_pubsub_topic.rotation.id
}
