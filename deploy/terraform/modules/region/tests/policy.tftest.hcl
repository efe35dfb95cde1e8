variables {
  project             = "example-project"
  region              = "us-central1"
  zone                = "us-central1-a"
  network             = "projects/example-project/global/networks/trading-bot"
  subnetwork          = "projects/example-project/regions/us-central1/subnetworks/trading-bot-us-central1"
  database_range_name = "trading-bot-database"
  images              = "us-central1-docker.pkg.dev/example-project/trading-bot-repo"
  mirror              = "us-central1-docker.pkg.dev/example-project/trading-bot-docker-hub"
  service_config      = "[bus]\nkind = \"rabbitmq\"\n"
  patch_hour          = 4
  database            = { name = "trading-bot-db", tier = "db-custom-4-16384", high_availability = true }
  compute             = { machine_type = "e2-standard-4", auto_scaling = true, min_instances = 2, max_instances = 10 }
  service_accounts = {
    trading-bot-vm    = "trading-bot-sa@example-project.iam.gserviceaccount.com"
    trading-bot-dr-vm = "trading-bot-dr-sa@example-project.iam.gserviceaccount.com"
  }
  services = {
    core-engine = {
      unit         = "trading-bot-core", host = "trading-bot-vm", port = 8080, replicas = 2, instances = [], cpus = 1, memory_mb = 1024,
      stop_seconds = 30, public = true, secrets = []
    }
    strategy-worker = {
      unit = "trading-bot-strategy", host = "trading-bot-vm", port = 8200, replicas = 1, instances = [{ id = "123", strategy = "ma-crossover" }],
      cpus = 1, memory_mb = 512, stop_seconds = 30, public = false, secrets = []
    }
  }
}

run "a_host_is_given_the_units_of_its_services_and_nothing_else" {
  assert {
    condition = toset([for file in jsondecode(trimprefix(output.cloud_init["trading-bot-vm"], "#cloud-config\n")).write_files : file.path if startswith(file.path, "/etc")]) == toset([
      "/etc/systemd/system/trading-bot-core.service",
      "/etc/systemd/system/trading-bot-strategy@.service",
      "/etc/systemd/system/trading-bot-rabbitmq.service",
    ])
    error_message = "units are missing, or are there for services that run elsewhere"
  }
  assert {
    condition     = toset(keys(output.cloud_init)) == toset(["trading-bot-vm"])
    error_message = "a host without services"
  }
  assert {
    condition     = output.health_port == 8080
    error_message = "the load balancer asks somebody else"
  }
}

run "a_service_on_the_disaster_recovery_host_brings_that_host_and_its_identity" {
  variables {
    services = {
      core-engine = {
        unit         = "trading-bot-core", host = "trading-bot-vm", port = 8080, replicas = 2, instances = [], cpus = 1, memory_mb = 1024,
        stop_seconds = 30, public = true, secrets = []
      }
      # Any unit that exists will do: the controller is still to come.
      dr-controller = {
        unit         = "trading-bot-capital", host = "trading-bot-dr-vm", port = 8084, replicas = 1, instances = [], cpus = 0.5, memory_mb = 256,
        stop_seconds = 30, public = false, secrets = []
      }
    }
  }
  assert {
    condition     = toset(keys(output.cloud_init)) == toset(["trading-bot-vm", "trading-bot-dr-vm"])
    error_message = "one entry in services.json is enough"
  }
}

run "a_secret_in_the_configuration_is_refused" {
  command = plan
  variables {
    service_config = "[database]\npassword = \"hunter2\"\n"
  }
  expect_failures = [var.service_config]
}

run "a_floating_version_is_refused" {
  command = plan
  variables {
    rabbitmq_version = "latest"
  }
  expect_failures = [var.rabbitmq_version]
}
