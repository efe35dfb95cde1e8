# A region: its database and its hosts. Used twice, for the primary and for the one that stands by (R6.4).

locals {
  vm          = "${path.module}/../../../vm"
  health_port = one([for service in values(var.services) : service.port if service.public])
  # Hosts that some service runs on. The disaster-recovery controller's appears with the controller.
  hosts = toset([for service in values(var.services) : service.host])

  units = { for name, service in var.services : name => "${service.unit}${length(service.instances) > 0 ? "@" : ""}.service" }
  # The broker runs beside the services that need it.
  others = { trading-bot-vm = ["trading-bot-rabbitmq.service"] }

  files = {
    for host in local.hosts : host => merge(
      { for name, service in var.services : "/etc/systemd/system/${local.units[name]}" => { text = file("${local.vm}/systemd/${local.units[name]}"), mode = "0644" } if service.host == host },
      { for unit in lookup(local.others, host, []) : "/etc/systemd/system/${unit}" => { text = file("${local.vm}/systemd/${unit}"), mode = "0644" } },
      { for script in fileset("${local.vm}/scripts", "*.sh") : "/opt/scripts/${script}" => { text = file("${local.vm}/scripts/${script}"), mode = "0755" } },
      { "/opt/scripts/services.json" = { text = jsonencode({ for name, service in var.services : name => service if service.host == host }), mode = "0644" } },
    )
  }

  # JSON is YAML: no indentation to get wrong.
  cloud_init = {
    for host, files in local.files : host => "#cloud-config\n${jsonencode(merge(jsondecode(file("${local.vm}/cloud-init.json")), {
      write_files = [for path, file in files : { path = path, content = file.text, permissions = file.mode, owner = "root:root" }]
    }))}"
  }
}

module "database" {
  source = "../database"

  project           = var.project
  name              = var.database.name
  region            = var.region
  tier              = var.database.tier
  network           = var.network
  range_name        = var.database_range_name
  primary           = var.database.primary
  high_availability = var.database.high_availability
  backup_location   = var.database.backup_location
  kms_key           = var.database_kms_key
}

module "hosts" {
  source   = "../compute"
  for_each = local.hosts

  project         = var.project
  name            = each.key
  region          = var.region
  zone            = var.zone
  machine_type    = each.key == "trading-bot-vm" ? var.compute.machine_type : "e2-small"
  auto_scaling    = each.key == "trading-bot-vm" ? var.compute.auto_scaling : false
  min_instances   = each.key == "trading-bot-vm" ? var.compute.min_instances : 1
  max_instances   = each.key == "trading-bot-vm" ? var.compute.max_instances : 1
  instances       = each.key == "trading-bot-vm" ? var.compute.instances : 1
  network         = var.network
  subnetwork      = var.subnetwork
  service_account = var.service_accounts[each.key]
  cloud_init      = local.cloud_init[each.key]
  health_port     = each.key == "trading-bot-vm" ? local.health_port : one([for service in values(var.services) : service.port if service.host == each.key])
  kms_key         = var.disk_kms_key
  patch_hour      = var.patch_hour
  registry        = var.images
  rabbitmq_image  = "${var.mirror}/library/rabbitmq:${var.rabbitmq_version}"
  service_config  = var.service_config
}
