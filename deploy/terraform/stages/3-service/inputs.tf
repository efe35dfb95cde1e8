locals {
  list     = jsondecode(file("${path.module}/../../../services.json"))
  services = local.list.services
}

data "terraform_remote_state" "foundation" {
  backend = "gcs"

  config = {
    bucket = "${var.project}-terraform"
    prefix = "1-foundation"
  }
}

data "terraform_remote_state" "regions" {
  backend = "gcs"

  config = {
    bucket = "${var.project}-terraform"
    prefix = "2-regions"
  }
}

data "terraform_remote_state" "bootstrap" {
  backend = "gcs"

  config = {
    bucket = "${var.project}-terraform"
    prefix = "0-bootstrap"
  }
}
