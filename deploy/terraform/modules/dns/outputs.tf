output "database" {
  description = "The name by which services know the database."
  value       = trimsuffix(google_dns_record_set.database.name, ".")
}

output "zone" {
  description = "The zone in which a failover changes a record."
  value       = google_dns_managed_zone.internal.name
}

output "name_servers" {
  description = "What the parent of your domain must name. Empty without a domain."
  value       = var.domain == null ? [] : google_dns_managed_zone.public[0].name_servers
}
