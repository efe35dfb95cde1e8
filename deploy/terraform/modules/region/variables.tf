variable "project" {
  description = "The project's id."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "zone" {
  description = "The zone of single instances."
  type        = string
}

variable "network" {
  description = "The network's id."
  type        = string
}

variable "subnetwork" {
  description = "The region's subnet."
  type        = string
}

variable "database_range_name" {
  description = "The range in which databases live."
  type        = string
}

variable "database" {
  description = "Size, and for a replica the name of its primary."
  type = object({
    name              = string
    tier              = string
    high_availability = bool
    primary           = optional(string)
    backup_location   = optional(string, "us")
  })
}

variable "compute" {
  description = "The trading hosts: machine type, scaling, how few and how many."
  type = object({
    machine_type  = string
    auto_scaling  = bool
    min_instances = number
    max_instances = number
    instances     = optional(number)
  })
}

variable "services" {
  description = "The services of services.json."
  type = map(object({
    unit         = string
    host         = string
    port         = number
    replicas     = number
    instances    = list(object({ id = string, strategy = string }))
    cpus         = number
    memory_mb    = number
    stop_seconds = number
    public       = bool
    secrets      = list(string)
  }))

  validation {
    condition     = length([for service in values(var.services) : service if service.public]) == 1
    error_message = "Exactly one service is public: the load balancer sends to it."
  }
}

variable "service_accounts" {
  description = "The identity of each host's instances, by host."
  type        = map(string)
}

variable "images" {
  description = "Where this region's images lie."
  type        = string
}

variable "mirror" {
  description = "Where this region's copy of others' images lies."
  type        = string
}

variable "rabbitmq_version" {
  description = "The message broker's version, as its image is tagged."
  type        = string
  default     = "3.13.7-alpine"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+", var.rabbitmq_version))
    error_message = "A version is named in full: latest is whatever it is today."
  }
}

variable "service_config" {
  description = "The services' configuration, config.toml. No secret is in it: those come from Secret Manager."
  type        = string

  validation {
    condition     = !can(regex("(?i)(password|token|api_secret)\\s*=\\s*\"[^\"]", var.service_config))
    error_message = "A secret in the configuration would be in the state and in the instances' metadata (R4.3)."
  }
}

variable "disk_kms_key" {
  description = "A key of your own for this region's disks."
  type        = string
  default     = null
}

variable "database_kms_key" {
  description = "A key of your own for this region's database."
  type        = string
  default     = null
}

variable "patch_hour" {
  description = "The hour (UTC) of the daily patches."
  type        = number
}
