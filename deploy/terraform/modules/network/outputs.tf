output "network" {
  description = "The network's id."
  value       = google_compute_network.this.id
}

output "subnetworks" {
  description = "Each region's subnet, by region."
  value       = { for region, subnet in google_compute_subnetwork.this : region => subnet.id }
}

output "egress_addresses" {
  description = "The address each region speaks from. Give BOTH to the exchange's allow-list of every API key."
  value       = { for region, address in google_compute_address.egress : region => address.address }
}

output "database_connection" {
  description = "What a database must wait for: the range in which it will live."
  value       = google_service_networking_connection.database.id
}

output "database_range_name" {
  description = "The name of the databases' range."
  value       = google_compute_global_address.database.name
}
