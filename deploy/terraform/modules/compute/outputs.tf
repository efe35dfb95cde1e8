output "group" {
  description = "The instance group that the load balancer sends to."
  value       = local.group ? google_compute_region_instance_group_manager.this[0].instance_group : google_compute_instance_group.this[0].self_link
}

output "names" {
  description = "Names of the single instances; a group names its own."
  value       = local.group ? [] : local.names
}
