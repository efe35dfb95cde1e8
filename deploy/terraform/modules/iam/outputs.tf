output "trading_bot" {
  description = "Email of the identity that trades."
  value       = google_service_account.trading_bot.email
}

output "disaster_recovery" {
  description = "Email of the disaster-recovery controller's identity."
  value       = google_service_account.disaster_recovery.email
}

output "build" {
  description = "Email of Cloud Build's identity."
  value       = google_service_account.build.email
}

output "build_id" {
  description = "Cloud Build's identity as a trigger names it."
  value       = google_service_account.build.id
}

output "drift_id" {
  description = "The identity that looks for drift, as a trigger names it."
  value       = google_service_account.drift.id
}

output "clock" {
  description = "Email of the identity that starts scheduled builds."
  value       = google_service_account.clock.email
}

output "trading_bot_roles" {
  description = "Every role that the trading identity has anywhere."
  value = toset(concat(
    [for binding in google_secret_manager_secret_iam_member.trading_bot : binding.role],
    [for binding in google_artifact_registry_repository_iam_member.trading_bot : binding.role],
    [for binding in google_project_iam_member.trading_bot : binding.role],
    [google_project_iam_member.trading_bot_database.role],
  ))
}
