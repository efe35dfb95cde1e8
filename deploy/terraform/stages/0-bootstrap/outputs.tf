output "project_number" {
  description = "The project's number."
  value       = data.google_project.this.number
}

output "terraform" {
  description = "Email of the identity that applies code. `apply.sh` acts as it from the next stage on."
  value       = google_service_account.terraform.email
}

output "state_bucket" {
  description = "Where every stage's state lies."
  value       = google_storage_bucket.state.name
}
