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
