variable "project" {
  description = "The project's id."
  type        = string
}

variable "location" {
  description = "Where builds run, and _LOCATION of the registry they push to."
  type        = string
}

variable "standby_location" {
  description = "The other region's registry, which gets every image too."
  type        = string
}

variable "repository" {
  description = "The connected repository: projects/P/locations/L/connections/C/repositories/R. The connection needs a person's consent, once."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "A repository is projects/P/locations/L/connections/C/repositories/R."
  }
}

variable "build_service_account" {
  description = "Cloud Build's identity, by its id."
  type        = string
}

variable "terraform_service_account" {
  description = "The identity that looks for drift, by its id. It reads everything and changes nothing."
  type        = string
}

variable "scheduler_service_account" {
  description = "Email of the identity that starts scheduled builds."
  type        = string
}

variable "services" {
  description = "The services of services.json that have a Dockerfile: name, host."
  type        = map(object({ host = string }))
}

variable "zone" {
  description = "The primary's zone, _ZONE: instances of its region come last."
  type        = string
}

variable "repo_name" {
  description = "The repository's name, _REPO_NAME."
  type        = string
  default     = "trading-bot-repo"
}
