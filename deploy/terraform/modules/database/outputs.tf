output "name" {
  description = "The instance's name, which a replica names as its primary."
  value       = google_sql_database_instance.this.name
}

output "private_address" {
  description = "The address within our network."
  value       = google_sql_database_instance.this.private_ip_address
}
