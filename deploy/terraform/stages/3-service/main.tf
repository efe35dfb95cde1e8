# What stands in front of the regions, what brings new versions to them, and what watches them from outside.

locals {
  foundation = data.terraform_remote_state.foundation.outputs
  regions    = data.terraform_remote_state.regions.outputs.regions
  bootstrap  = data.terraform_remote_state.bootstrap.outputs
}

module "load_balancer" {
  source = "../../modules/load-balancer"

  project       = var.project
  domain        = var.domain
  client_ranges = var.client_ranges
  health_port   = data.terraform_remote_state.regions.outputs.health_port

  backends = {
    (local.regions.primary.region) = { group = local.regions.primary.group, acting = true }
    (local.regions.standby.region) = { group = local.regions.standby.group, acting = false }
  }
}

module "dns" {
  source = "../../modules/dns"

  project               = var.project
  network               = local.foundation.network.id
  database_address      = local.regions.primary.database_address
  domain                = var.domain
  load_balancer_address = module.load_balancer.address
}

module "cicd" {
  source = "../../modules/cicd"

  project                   = var.project
  location                  = local.regions.primary.region
  standby_location          = local.regions.standby.region
  zone                      = local.regions.primary.zone
  repository                = var.repository
  services                  = { for name, service in local.services : name => { host = service.host } }
  build_service_account     = local.foundation.identities.build_id
  terraform_service_account = local.foundation.identities.drift_id
  scheduler_service_account = local.foundation.identities.clock
}

module "monitoring" {
  source = "../../modules/monitoring"

  project               = var.project
  emails                = var.emails
  domain                = var.domain
  load_balancer_address = module.load_balancer.address
  backend_service       = module.load_balancer.backend_service
  code_identities       = [local.bootstrap.terraform, local.foundation.identities.disaster_recovery]
}
