variable "project" {
  description = "The id of the project. It must exist and have billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "primary_region" {
  description = "The region that acts (R6.4)."
  type        = string
  default     = "us-central1"
}

variable "standby_region" {
  description = "The region that stands by (R6.4)."
  type        = string
  default     = "us-east1"

  validation {
    condition     = var.standby_region != var.primary_region
    error_message = "The standby survives the loss of the primary: another region."
  }
}

variable "primary_zone" {
  description = "The primary's zone for single instances."
  type        = string
  default     = "us-central1-a"
}

variable "standby_zone" {
  description = "The standby's zone for single instances."
  type        = string
  default     = "us-east1-b"
}

variable "primary_compute" {
  description = "The primary's trading hosts (R6.4). For one instance only: auto_scaling = false, min_instances = 1."
  type = object({
    machine_type  = string
    auto_scaling  = bool
    min_instances = number
    max_instances = number
    instances     = optional(number)
  })
  default = { machine_type = "e2-standard-4", auto_scaling = true, min_instances = 2, max_instances = 10 }
}

variable "standby_instances" {
  description = "How many hosts the standby has now, from 1 to 3 (R6.4)."
  type        = number
  default     = 1
}

variable "config_file" {
  description = "The services' configuration, a file beside this stage. No secret is in it."
  type        = string
  default     = "config.toml"
}
