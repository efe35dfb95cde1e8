# The region module, twice (R6.4). The standby's database and trading-bot-backup-replica are one and the same (R6.1).

locals {
  foundation = data.terraform_remote_state.foundation.outputs
  config     = file("${path.module}/${var.config_file}")
  service_accounts = {
    trading-bot-vm    = local.foundation.identities.trading_bot
    trading-bot-dr-vm = local.foundation.identities.disaster_recovery
  }
}

module "primary" {
  source = "../../modules/region"

  project             = var.project
  region              = var.primary_region
  zone                = var.primary_zone
  network             = local.foundation.network.id
  subnetwork          = local.foundation.network.subnetworks[var.primary_region]
  database_range_name = local.foundation.network.database_range_name
  services            = local.services
  service_accounts    = local.service_accounts
  images              = local.foundation.images[var.primary_region]
  mirror              = local.foundation.mirrors[var.primary_region]
  service_config      = local.config
  patch_hour          = 4

  database = {
    name              = "trading-bot-db"
    tier              = "db-custom-4-16384"
    high_availability = true
  }

  compute = var.primary_compute
}

module "standby" {
  source = "../../modules/region"

  project             = var.project
  region              = var.standby_region
  zone                = var.standby_zone
  network             = local.foundation.network.id
  subnetwork          = local.foundation.network.subnetworks[var.standby_region]
  database_range_name = local.foundation.network.database_range_name
  services            = local.services
  service_accounts    = local.service_accounts
  images              = local.foundation.images[var.standby_region]
  mirror              = local.foundation.mirrors[var.standby_region]
  service_config      = local.config
  # Half a day from the primary's: a patch that breaks hosts is seen before it reaches the other region.
  patch_hour = 16

  database = {
    name              = "trading-bot-backup-replica"
    tier              = "db-custom-2-8192"
    high_availability = false
    primary           = module.primary.database_name
  }

  compute = {
    machine_type  = "e2-standard-2"
    auto_scaling  = false
    min_instances = 1
    max_instances = 3
    instances     = var.standby_instances
  }
}
