# Who may do what. Each identity has only what its work needs, on the resource it needs it for where Google can say so.
# None has Editor or Owner, and none has a key: instances and builds are given tokens that end by themselves.

locals {
  # R1.6: exactly these, for the identity that trades.
  secret_reader     = "roles/secretmanager.secretAccessor"
  database_client   = "roles/cloudsql.client"
  image_reader      = "roles/artifactregistry.reader"
  log_writer        = "roles/logging.logWriter"
  metric_writer     = "roles/monitoring.metricWriter"
  trading_bot       = "serviceAccount:${google_service_account.trading_bot.email}"
  disaster_recovery = "serviceAccount:${google_service_account.disaster_recovery.email}"
  build             = "serviceAccount:${google_service_account.build.email}"

  our_databases = "resource.type == 'sqladmin.googleapis.com/Instance' && resource.name.startsWith('projects/${var.project}/instances/${var.database_prefix}')"
}

resource "google_service_account" "trading_bot" {
  project      = var.project
  account_id   = "trading-bot-sa"
  display_name = "The services that trade"
}

resource "google_service_account" "disaster_recovery" {
  project      = var.project
  account_id   = "trading-bot-dr-sa"
  display_name = "The disaster-recovery controller, on a host of its own"
}

resource "google_service_account" "build" {
  project      = var.project
  account_id   = "trading-bot-build-sa"
  display_name = "Cloud Build: tests, builds, pushes, deploys"
}

resource "google_secret_manager_secret_iam_member" "trading_bot" {
  for_each = setunion(var.secrets, var.pins)

  project   = var.project
  secret_id = each.key
  role      = local.secret_reader
  member    = local.trading_bot
}

resource "google_artifact_registry_repository_iam_member" "trading_bot" {
  for_each = var.repositories

  project    = var.project
  location   = each.value.location
  repository = each.value.name
  role       = local.image_reader
  member     = local.trading_bot
}

resource "google_project_iam_member" "trading_bot_database" {
  project = var.project
  role    = local.database_client
  member  = local.trading_bot

  condition {
    title       = "our databases"
    description = "Cloud SQL has no policy of its own on an instance; a condition on its name is as near as it comes."
    expression  = local.our_databases
  }
}

resource "google_project_iam_member" "trading_bot" {
  # Logs and metrics belong to the project: there is nothing narrower.
  for_each = toset([local.log_writer, local.metric_writer])

  project = var.project
  role    = each.key
  member  = local.trading_bot
}

resource "google_service_account_iam_member" "workload_identity" {
  for_each = toset(var.kubernetes_service_account == null ? [] : [var.kubernetes_service_account])

  service_account_id = google_service_account.trading_bot.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${each.key}]"
}
