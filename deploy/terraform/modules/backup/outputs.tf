output "bucket" {
  description = "The backups' bucket."
  value       = google_storage_bucket.backups.name
}

output "witness" {
  description = "The witness's bucket."
  value       = google_storage_bucket.witness.name
}
