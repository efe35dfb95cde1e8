output "egress_addresses" {
  description = "The address each region speaks from. Give BOTH to the exchange's allow-list of every API key (R4.5)."
  value       = module.network.egress_addresses
}

output "network" {
  description = "What the regions stand in."
  value = {
    id                  = module.network.network
    subnetworks         = module.network.subnetworks
    database_range_name = module.network.database_range_name
    database_connection = module.network.database_connection
  }
}

output "identities" {
  description = "Who is who."
  value = {
    trading_bot       = module.iam.trading_bot
    disaster_recovery = module.iam.disaster_recovery
    build             = module.iam.build
    build_id          = module.iam.build_id
    drift_id          = module.iam.drift_id
    clock             = module.iam.clock
  }
}

output "images" {
  description = "Where images lie, by region."
  value       = module.registry.images
}

output "mirrors" {
  description = "Where copies of others' images lie, by region."
  value       = module.registry.mirrors
}

output "secrets" {
  description = "The secrets that want a value before anything starts: deploy/scripts/put-secret.sh."
  value       = local.secrets
}
