# What runs by the clock: one identity that starts builds, and one that reads everything and changes nothing, to see whether
# the project is still what the code says.

resource "google_service_account" "clock" {
  project      = var.project
  account_id   = "trading-bot-clock-sa"
  display_name = "Starts scheduled builds"
}

resource "google_service_account" "drift" {
  project      = var.project
  account_id   = "trading-bot-drift-sa"
  display_name = "Compares the project with the code; reads only"
}

resource "google_project_iam_custom_role" "start_builds" {
  project     = var.project
  role_id     = "tradingBotStartBuilds"
  title       = "Trading bot start builds"
  description = "Runs a trigger that exists."
  permissions = ["cloudbuild.builds.create", "cloudbuild.builds.get"]
}

resource "google_project_iam_member" "clock" {
  project = var.project
  role    = google_project_iam_custom_role.start_builds.id
  member  = "serviceAccount:${google_service_account.clock.email}"
}

# Whoever starts a build must be allowed to act as what it runs under.
resource "google_service_account_iam_member" "clock_acts_as" {
  for_each = {
    build = google_service_account.build.name
    drift = google_service_account.drift.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = "serviceAccount:${google_service_account.clock.email}"
}

resource "google_project_iam_member" "drift" {
  for_each = toset([
    "roles/artifactregistry.reader", "roles/browser", "roles/cloudbuild.builds.viewer", "roles/cloudscheduler.viewer",
    "roles/cloudsql.viewer", "roles/compute.viewer", "roles/dns.reader", "roles/iam.roleViewer", "roles/iam.securityReviewer",
    "roles/monitoring.viewer", "roles/logging.viewer", local.log_writer, "roles/orgpolicy.policyViewer",
    "roles/osconfig.osPolicyAssignmentViewer", "roles/osconfig.patchDeploymentViewer", "roles/pubsub.viewer",
    "roles/secretmanager.viewer", "roles/serviceusage.serviceUsageViewer",
  ])

  project = var.project
  role    = each.key
  member  = "serviceAccount:${google_service_account.drift.email}"
}

# The state says what the code had made. It is the one bucket whose objects this identity reads.
resource "google_storage_bucket_iam_member" "drift" {
  bucket = var.state_bucket
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.drift.email}"
}
