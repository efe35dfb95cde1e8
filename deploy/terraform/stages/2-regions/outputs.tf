output "regions" {
  description = "What stands in front of the regions needs to know of them."
  value = {
    primary = { region = var.primary_region, zone = var.primary_zone, group = module.primary.group, database_address = module.primary.database_address }
    standby = { region = var.standby_region, zone = var.standby_zone, group = module.standby.group, database_address = module.standby.database_address }
  }
}

output "health_port" {
  description = "The public service's port."
  value       = module.primary.health_port
}

output "cloud_init" {
  description = "What a host does at its first start, the same in both regions."
  value       = module.primary.cloud_init
}
