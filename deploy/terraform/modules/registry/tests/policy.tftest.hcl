variables {
  project      = "example-project"
  regions      = ["us-central1", "us-east1"]
  build_region = "us-central1"
}

run "each_region_has_every_image" {
  command = plan
  assert {
    condition     = toset(keys(google_artifact_registry_repository.images)) == toset(["us-central1", "us-east1"])
    error_message = "a region cannot start without the other"
  }
  assert {
    condition     = alltrue([for repository in google_artifact_registry_repository.images : repository.repository_id == "trading-bot-repo"])
    error_message = "the repository is called trading-bot-repo"
  }
}

run "a_tag_never_moves_and_images_are_scanned" {
  command = plan
  assert {
    condition     = alltrue([for repository in google_artifact_registry_repository.images : repository.docker_config[0].immutable_tags])
    error_message = "tags can be moved"
  }
  assert {
    condition     = alltrue([for repository in google_artifact_registry_repository.images : repository.vulnerability_scanning_config[0].enablement_config == "INHERITED"])
    error_message = "images are not scanned"
  }
}

run "what_a_rollback_needs_is_kept" {
  command = plan
  assert {
    condition = alltrue([for repository in google_artifact_registry_repository.images :
    contains([for policy in repository.cleanup_policies : policy.action if policy.id == "keep-newest"], "KEEP")])
    error_message = "old images are deleted without keeping the newest"
  }
}

run "hosts_read_no_cache" {
  command = plan
  assert {
    condition     = !contains([for repository in output.repositories : repository.name], "trading-bot-cache")
    error_message = "a host could run what no test has seen"
  }
}
