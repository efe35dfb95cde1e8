variable "project" {
  description = "The project's id."
  type        = string
}

variable "bucket" {
  description = "The backups' bucket. Names are global: if somebody else has this one, choose another."
  type        = string
  default     = "trading-bot-critical-backups"
}

variable "location" {
  description = "Where backups lie: not in the primary region."
  type        = string
}

variable "primary_region" {
  description = "The region whose loss the backups are for."
  type        = string

  validation {
    condition     = var.primary_region != var.location
    error_message = "Backups do not lie in the region that they are for."
  }
}

variable "witness_location" {
  description = "A third region, whose object decides which of the other two acts."
  type        = string

  validation {
    condition     = !contains([var.location, var.primary_region], var.witness_location)
    error_message = "The witness is in a third region: it must survive the loss of either."
  }
}

variable "retention_days" {
  description = "For how long nobody, not even an owner, can delete a backup."
  type        = number
  default     = 30

  validation {
    condition     = var.retention_days >= 30
    error_message = "Backups are kept for at least 30 days."
  }
}

variable "lock_retention" {
  description = "Whether the retention can never be taken back. True in production; a trial project could not be emptied."
  type        = bool
  default     = true
}

variable "writer" {
  description = "Email of the identity that writes backups and the witness: the disaster-recovery controller's."
  type        = string
}

variable "kms_key" {
  description = "A key of your own for the backups. They are encrypted before they leave the host in any case."
  type        = string
  default     = null
}
