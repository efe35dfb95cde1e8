variable "project" {
  description = "The project's id."
  type        = string
}

variable "name" {
  description = "The instance's name."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "tier" {
  description = "Size, as db-custom-CPUS-MEGABYTES."
  type        = string

  validation {
    condition     = can(regex("^db-custom-[0-9]+-[0-9]+$", var.tier))
    error_message = "A tier is db-custom-CPUS-MEGABYTES: shared ones have no service level."
  }
}

variable "network" {
  description = "The network that the instance is private to."
  type        = string
}

variable "range_name" {
  description = "The range of the network in which the instance lives."
  type        = string
}

variable "public_address" {
  description = "Here so that it can be refused: a database of ours has a private address only (R1.3)."
  type        = bool
  default     = false

  validation {
    condition     = !var.public_address
    error_message = "The database has a private address only (R1.3). Reach it through a host: docs/deploy-gcp.md says how."
  }
}

variable "primary" {
  description = "The instance that this one replicates. None: this is the primary."
  type        = string
  default     = null
}

variable "high_availability" {
  description = "A standby in another zone that takes over by itself."
  type        = bool
  default     = true
}

variable "backups_kept" {
  description = "How many daily backups are kept (R6.1)."
  type        = number
  default     = 30

  validation {
    condition     = var.backups_kept >= 30
    error_message = "R6.1: at least 30 backups are kept."
  }
}

variable "log_days" {
  description = "For how many days every point in time can be restored (R6.1)."
  type        = number
  default     = 7

  validation {
    condition     = var.log_days >= 7 && var.log_days <= 35
    error_message = "R6.1: at least 7 days; Cloud SQL keeps at most 35."
  }
}

variable "backup_location" {
  description = "Where backups lie: not in the region that they are for."
  type        = string
  default     = "us"
}

variable "kms_key" {
  description = "A key of your own for the data. Google's otherwise. It cannot be changed later."
  type        = string
  default     = null
}
