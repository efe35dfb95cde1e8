output "address" {
  description = "Where the API answers."
  value       = module.load_balancer.address
}

output "name_servers" {
  description = "What the parent of your domain must name."
  value       = module.dns.name_servers
}
