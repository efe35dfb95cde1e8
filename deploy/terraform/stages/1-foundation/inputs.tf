locals {
  list     = jsondecode(file("${path.module}/../../../services.json"))
  services = local.list.services
}

data "terraform_remote_state" "bootstrap" {
  backend = "gcs"

  config = {
    bucket = "${var.project}-terraform"
    prefix = "0-bootstrap"
  }
}
