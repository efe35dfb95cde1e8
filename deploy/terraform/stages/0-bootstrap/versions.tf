terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # The bucket is named by apply.sh: -backend-config=bucket=PROJECT-terraform. Cloud Storage locks it.
  backend "gcs" {
    prefix = "0-bootstrap"
  }
}

provider "google" {
  project               = var.project
  user_project_override = true
  billing_project       = var.project

  default_labels = {
    app        = "trading-bot"
    managed-by = "terraform"
  }
}
