output "repositories" {
  description = "Every repository that a host reads from: its region and name, by key."
  value = merge(
    { for region, repository in google_artifact_registry_repository.images : "${region}/images" => { location = region, name = repository.repository_id } },
    { for key, repository in google_artifact_registry_repository.mirror : key => { location = repository.location, name = repository.repository_id } },
  )
}

output "images" {
  description = "Where a service's image lies, without its name and tag, by region."
  value       = { for region in var.regions : region => "${region}-docker.pkg.dev/${var.project}/${var.repository}" }
}

output "mirrors" {
  description = "Where the message broker's image lies, by region."
  value       = { for region in var.regions : region => "${region}-docker.pkg.dev/${var.project}/trading-bot-docker-hub" }
}

output "cache" {
  description = "Where builds keep their layers."
  value       = { location = google_artifact_registry_repository.cache.location, name = google_artifact_registry_repository.cache.repository_id }
}
