output "channels" {
  description = "Whom alerts go to, by id."
  value       = local.channels
}

output "metrics" {
  description = "What is counted in logs."
  value       = toset([for metric in google_logging_metric.this : metric.name])
}
