# What both regions share: images, secrets, identities, the network, backups.

locals {
  regions = [var.primary_region, var.standby_region]
  secrets = setunion(toset(flatten([for service in values(local.services) : service.secrets])), ["pagerduty-routing-key", "backup-encryption-key"])
  pins    = toset([for name in keys(local.services) : "deployed-${name}"])
  ports   = sort(distinct(flatten([for service in values(local.services) : [for number in range(max(1, length(service.instances))) : tostring(service.port + number)]])))
}

module "registry" {
  source = "../../modules/registry"

  project = var.project
  regions = toset(local.regions)

  build_region = var.primary_region
}

module "secrets" {
  source = "../../modules/secrets"

  project        = var.project
  project_number = data.terraform_remote_state.bootstrap.outputs.project_number
  regions        = local.regions
  names          = local.secrets
  pins           = local.pins
  first_rotation = var.first_rotation
}

module "iam" {
  source = "../../modules/iam"

  project                    = var.project
  secrets                    = local.secrets
  pins                       = local.pins
  repositories               = module.registry.repositories
  cache                      = module.registry.cache
  state_bucket               = data.terraform_remote_state.bootstrap.outputs.state_bucket
  kubernetes_service_account = var.kubernetes_service_account

  depends_on = [module.secrets]
}

module "network" {
  source = "../../modules/network"

  project            = var.project
  subnets            = { for region in local.regions : region => var.subnets[region] }
  ssh_source_ranges  = var.ssh_source_ranges
  service_ports      = local.ports
  peer_ports         = [for port in values(local.list.host_ports) : tostring(port)]
  service_accounts   = [module.iam.trading_bot, module.iam.disaster_recovery]
  exchange_fqdns     = var.exchange_fqdns
  notification_fqdns = concat(["api.telegram.org", "events.pagerduty.com"], var.webhook_fqdns)
}

module "backup" {
  source = "../../modules/backup"

  project          = var.project
  bucket           = var.backup_bucket
  location         = var.standby_region
  primary_region   = var.primary_region
  witness_location = var.witness_region
  lock_retention   = var.lock_retention
  writer           = module.iam.disaster_recovery
}
