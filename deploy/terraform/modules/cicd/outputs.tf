output "triggers" {
  description = "Every trigger's name."
  value = toset(concat(
    [google_cloudbuild_trigger.test.name],
    [for trigger in google_cloudbuild_trigger.deploy : trigger.name],
    [for trigger in google_cloudbuild_trigger.scheduled : trigger.name],
  ))
}
