# What the other stages stand on: APIs, the state's bucket, and the identity that applies code. Applied once, by a person.

locals {
  apis = toset([
    "artifactregistry", "cloudbuild", "cloudkms", "cloudresourcemanager", "cloudscheduler", "compute", "containeranalysis",
    "containerscanning", "dns", "iam", "iamcredentials", "iap", "logging", "monitoring", "osconfig", "oslogin", "pubsub",
    "secretmanager", "servicenetworking", "sqladmin", "storage",
  ])

  # What code must be able to make. Roles by thing, never Editor or Owner: what is not listed cannot be changed by code either.
  code_roles = toset([
    "roles/artifactregistry.admin", "roles/cloudbuild.builds.editor", "roles/cloudscheduler.admin", "roles/cloudsql.admin",
    "roles/compute.admin", "roles/dns.admin", "roles/iam.roleAdmin", "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser", "roles/logging.configWriter", "roles/monitoring.admin", "roles/osconfig.patchDeploymentAdmin",
    "roles/osconfig.osPolicyAssignmentAdmin", "roles/pubsub.admin", "roles/resourcemanager.projectIamAdmin",
    "roles/secretmanager.admin", "roles/servicenetworking.networksAdmin", "roles/storage.admin",
  ])
}

resource "google_project_service" "this" {
  for_each = local.apis

  project            = var.project
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket" "state" {
  #checkov:skip=CKV_GCP_62:Reads and writes of the state are in the audit log, data access included, for the whole project (below).
  project                     = var.project
  name                        = "${var.project}-terraform"
  location                    = var.state_location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 30 * 24 * 3600
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_service_account" "terraform" {
  project      = var.project
  account_id   = "trading-bot-terraform-sa"
  display_name = "Applies code; people act as it, and it has no key"
}

resource "google_project_iam_member" "terraform" {
  #checkov:skip=CKV_GCP_41:Code makes instances and builds that act as identities which do not exist yet, so it cannot be named which.
  #checkov:skip=CKV_GCP_49:Making identities is this one's work. It has no key, and whoever acts as it is named and logged.
  for_each = local.code_roles

  project = var.project
  role    = each.key
  member  = "serviceAccount:${google_service_account.terraform.email}"
}

resource "google_service_account_iam_member" "operators" {
  #checkov:skip=CKV_GCP_41:An operator acts as the identity that applies code, on this one account and not on the project.
  for_each = toset(var.operators)

  service_account_id = google_service_account.terraform.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}

# Who read which secret, and who changed what: recorded for every service.
resource "google_project_iam_audit_config" "all" {
  project = var.project
  service = "allServices"

  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]

    content {
      log_type = audit_log_config.value
    }
  }
}

# No key of an identity, no external address, no default network, OS Login everywhere: also for what is not in this code.
resource "google_project_organization_policy" "this" {
  for_each = toset(["iam.disableServiceAccountKeyCreation", "compute.requireOsLogin", "compute.skipDefaultNetworkCreation", "sql.restrictPublicIp"])

  project    = var.project
  constraint = "constraints/${each.key}"

  boolean_policy {
    enforced = true
  }
}
