output "group" {
  description = "The trading hosts, for the load balancer."
  value       = module.hosts["trading-bot-vm"].group
}

output "database_name" {
  description = "The database instance's name."
  value       = module.database.name
}

output "database_address" {
  description = "The database's private address."
  value       = module.database.private_address
}

output "cloud_init" {
  description = "What each host does at its first start."
  value       = local.cloud_init
}

output "health_port" {
  description = "The public service's port."
  value       = local.health_port
}
