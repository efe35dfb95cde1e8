# The disaster-recovery controller moves a region. It runs on a host of its own, so that the trading identity keeps its five
# roles. What it may do is one list of permissions; what it may do it to, where Google can say so, a condition or a resource.

resource "google_project_iam_custom_role" "failover" {
  project     = var.project
  role_id     = "tradingBotFailover"
  title       = "Trading bot failover"
  description = "The steps of a failover and nothing else."

  permissions = [
    # 1 activate the standby region's instances
    "compute.autoscalers.get",
    "compute.instanceGroupManagers.get",
    "compute.instanceGroupManagers.update",
    "compute.instances.get",
    "compute.instances.list",
    "compute.instances.start",
    # 2 promote the replica
    "cloudsql.instances.get",
    "cloudsql.instances.list",
    "cloudsql.instances.promoteReplica",
    # 3 update DNS
    "dns.changes.create",
    "dns.changes.get",
    "dns.resourceRecordSets.get",
    "dns.resourceRecordSets.list",
    "dns.resourceRecordSets.update",
    # 4 redirect the load balancer
    "compute.backendServices.get",
    "compute.backendServices.update",
    # and to see that each is done
    "compute.globalOperations.get",
    "compute.regionOperations.get",
    "compute.zoneOperations.get",
  ]
}

resource "google_project_iam_member" "disaster_recovery" {
  for_each = {
    failover = google_project_iam_custom_role.failover.id
    logs     = local.log_writer
    metrics  = local.metric_writer
  }

  project = var.project
  role    = each.value
  member  = local.disaster_recovery
}

resource "google_artifact_registry_repository_iam_member" "disaster_recovery" {
  for_each = var.repositories

  project    = var.project
  location   = each.value.location
  repository = each.value.name
  role       = local.image_reader
  member     = local.disaster_recovery
}

resource "google_secret_manager_secret_iam_member" "disaster_recovery" {
  for_each = setunion(var.pins, setintersection(var.secrets, ["database-credentials", "api-token-key", "telegram-bot-token", "backup-encryption-key"]))

  project   = var.project
  secret_id = each.key
  role      = local.secret_reader
  member    = local.disaster_recovery
}
