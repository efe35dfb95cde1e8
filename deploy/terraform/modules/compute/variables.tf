variable "project" {
  description = "The project's id."
  type        = string
}

variable "name" {
  description = "The single instance's name, and the base name of a group's instances."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "zone" {
  description = "Where a single instance stands; a group spreads over the region's zones."
  type        = string

  validation {
    condition     = startswith(var.zone, var.region)
    error_message = "The zone lies in the region."
  }
}

variable "machine_type" {
  description = "The machine type."
  type        = string
}

variable "auto_scaling" {
  description = "Whether there is a group of the region that grows, shrinks and heals, instead of single instances that stay."
  type        = bool
}

variable "min_instances" {
  description = "How few there may be."
  type        = number

  validation {
    condition     = var.min_instances >= 1
    error_message = "At least one instance trades."
  }
}

variable "max_instances" {
  description = "How many there may be."
  type        = number

  validation {
    condition     = var.max_instances >= var.min_instances
    error_message = "The most is no less than the fewest."
  }
}

variable "instances" {
  description = "How many there are without auto scaling: the fewest unless said otherwise."
  type        = number
  default     = null

  validation {
    condition     = var.instances == null ? true : var.instances >= var.min_instances && var.instances <= var.max_instances
    error_message = "As many as lie between the fewest and the most."
  }
}

variable "network" {
  description = "The network's id."
  type        = string
}

variable "subnetwork" {
  description = "The region's subnet."
  type        = string
}

variable "service_account" {
  description = "Email of the identity that the instances run under."
  type        = string
}

variable "cloud_init" {
  description = "What an instance does at its first start."
  type        = string
}

variable "registry" {
  description = "Where the services' images lie."
  type        = string
}

variable "rabbitmq_image" {
  description = "The message broker's image."
  type        = string
}

variable "service_config" {
  description = "The services' configuration. No secret is in it."
  type        = string
}

variable "health_port" {
  description = "The port whose /health says whether an instance lives, and whose /ready the load balancer asks."
  type        = number
}

variable "image" {
  description = "The boot disk's image."
  type        = string
  default     = "projects/debian-cloud/global/images/family/debian-12"
}

variable "disk_gb" {
  description = "Size of the boot disk: images, logs, and what services keep."
  type        = number
  default     = 30
}

variable "kms_key" {
  description = "A key of your own for the disks. Google's otherwise."
  type        = string
  default     = null
}

variable "patch_hour" {
  description = "The hour (UTC) of the daily patches. Regions differ, so that they are never patched together."
  type        = number
  default     = 4

  validation {
    condition     = var.patch_hour >= 0 && var.patch_hour <= 23
    error_message = "An hour of the day."
  }
}
