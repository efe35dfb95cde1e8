# Cloud Build pushes images and opens a shell on our hosts, through IAP and as an OS Login administrator, to run deploy.sh.

resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = merge({ for key, repository in var.repositories : key => repository if endswith(key, "/images") }, { cache = var.cache })

  project    = var.project
  location   = each.value.location
  repository = each.value.name
  role       = "roles/artifactregistry.writer"
  member     = local.build
}

# Which commit a new instance starts: written when a deployment has become ready everywhere.
resource "google_secret_manager_secret_iam_member" "build_pins" {
  for_each = var.pins

  project   = var.project
  secret_id = each.key
  role      = "roles/secretmanager.secretVersionAdder"
  member    = local.build
}

resource "google_project_iam_member" "build" {
  for_each = {
    logs  = local.log_writer
    shell = "roles/compute.osAdminLogin"
    see   = "roles/compute.viewer"
  }

  project = var.project
  role    = each.value
  member  = local.build
}

resource "google_project_iam_member" "build_tunnel" {
  project = var.project
  role    = "roles/iap.tunnelResourceAccessor"
  member  = local.build

  condition {
    title       = "SSH only"
    description = "The tunnel leads to one port."
    expression  = "destination.port == 22"
  }
}

# A shell on an instance needs the right to act as the identity that the instance has.
resource "google_service_account_iam_member" "build_acts_as" {
  for_each = {
    trading_bot       = google_service_account.trading_bot.name
    disaster_recovery = google_service_account.disaster_recovery.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = local.build
}
