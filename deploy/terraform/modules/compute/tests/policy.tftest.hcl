variables {
  project         = "example-project"
  name            = "trading-bot-vm"
  region          = "us-central1"
  zone            = "us-central1-a"
  machine_type    = "e2-standard-4"
  auto_scaling    = false
  min_instances   = 1
  max_instances   = 3
  network         = "projects/example-project/global/networks/trading-bot"
  subnetwork      = "projects/example-project/regions/us-central1/subnetworks/trading-bot-us-central1"
  service_account = "trading-bot-sa@example-project.iam.gserviceaccount.com"
  cloud_init      = "#cloud-config\n{}"
  registry        = "us-central1-docker.pkg.dev/example-project/trading-bot-repo"
  rabbitmq_image  = "us-central1-docker.pkg.dev/example-project/trading-bot-docker-hub/library/rabbitmq:3.13.7"
  service_config  = ""
  health_port     = 8080
}

run "without_scaling_there_is_one_instance" {
  command = plan
  assert {
    condition     = keys(google_compute_instance.this) == ["trading-bot-vm"] && length(google_compute_region_instance_group_manager.this) == 0
    error_message = "the single instance is trading-bot-vm"
  }
}

run "an_instance_has_no_external_address_and_no_keys_of_the_project" {
  command = plan
  assert {
    condition     = alltrue([for instance in google_compute_instance.this : alltrue([for nic in instance.network_interface : length(nic.access_config) == 0 && length(nic.ipv6_access_config) == 0])])
    error_message = "an instance has an external address"
  }
  assert {
    condition = alltrue([for instance in google_compute_instance.this :
    instance.metadata["block-project-ssh-keys"] == "TRUE" && instance.metadata["enable-oslogin"] == "TRUE" && instance.metadata["serial-port-enable"] == "FALSE"])
    error_message = "somebody gets in without OS Login"
  }
}

run "an_instance_is_shielded_and_runs_under_the_identity_it_was_given" {
  command = plan
  assert {
    condition = alltrue([for instance in google_compute_instance.this :
    instance.shielded_instance_config[0].enable_secure_boot && instance.shielded_instance_config[0].enable_vtpm && instance.shielded_instance_config[0].enable_integrity_monitoring])
    error_message = "an instance is not shielded"
  }
  assert {
    condition     = alltrue([for instance in google_compute_instance.this : instance.service_account[0].email == "trading-bot-sa@example-project.iam.gserviceaccount.com"])
    error_message = "an instance runs as somebody else, perhaps as the project's default identity"
  }
}

run "by_hand_there_are_up_to_three" {
  command = plan
  variables {
    instances = 3
  }
  assert {
    condition     = toset(keys(google_compute_instance.this)) == toset(["trading-bot-vm", "trading-bot-vm-2", "trading-bot-vm-3"])
    error_message = "instances are numbered"
  }
}

run "four_are_too_many" {
  command = plan
  variables {
    instances = 4
  }
  expect_failures = [var.instances]
}

run "with_scaling_there_is_a_group_whose_instances_carry_the_name" {
  command = plan
  variables {
    auto_scaling  = true
    min_instances = 2
    max_instances = 10
  }
  assert {
    condition     = google_compute_region_instance_group_manager.this[0].base_instance_name == "trading-bot-vm" && length(google_compute_instance.this) == 0
    error_message = "instances of the group are found by their name"
  }
  assert {
    condition     = google_compute_region_autoscaler.this[0].autoscaling_policy[0].min_replicas == 2 && google_compute_region_autoscaler.this[0].autoscaling_policy[0].max_replicas == 10
    error_message = "R6.4: from 2 to 10"
  }
  assert {
    condition = (google_compute_instance_template.this[0].metadata["block-project-ssh-keys"] == "TRUE" && google_compute_instance_template.this[0].metadata["enable-oslogin"] == "TRUE" &&
      google_compute_instance_template.this[0].shielded_instance_config[0].enable_secure_boot &&
    alltrue([for nic in google_compute_instance_template.this[0].network_interface : length(nic.access_config) == 0]))
    error_message = "a group's instance is less safe than a single one"
  }
}

run "hosts_are_patched_every_day" {
  command = plan
  assert {
    condition     = google_os_config_patch_deployment.daily.recurring_schedule[0].time_of_day[0].hours == 4 && google_os_config_patch_deployment.daily.rollout[0].mode == "ZONE_BY_ZONE"
    error_message = "a host stays unpatched, or all are patched at once"
  }
}

run "every_host_is_observed" {
  command = plan
  assert {
    condition     = google_os_config_os_policy_assignment.ops_agent.os_policies[0].mode == "ENFORCEMENT" && google_os_config_os_policy_assignment.ops_agent.instance_filter[0].inclusion_labels[0].labels == tomap({ host = "trading-bot-vm" })
    error_message = "a host writes no logs"
  }
}
