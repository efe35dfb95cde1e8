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

variable "witness_region" {
  description = "The third region, whose object decides which of the other two acts."
  type        = string
  default     = "us-west1"
}

variable "subnets" {
  description = "Each region's range."
  type        = map(string)
  default     = { us-central1 = "10.10.0.0/20", us-east1 = "10.20.0.0/20" }
}

variable "ssh_source_ranges" {
  description = "Named addresses that may reach SSH besides IAP."
  type        = list(string)
  default     = []
}

variable "exchange_fqdns" {
  description = "Names of the exchanges' APIs."
  type        = list(string)
  default     = ["api.binance.com", "stream.binance.com", "ws-api.binance.com"]
}

variable "webhook_fqdns" {
  description = "Names of webhooks of your own that alerts go to, besides Telegram and PagerDuty."
  type        = list(string)
  default     = []
}

variable "backup_bucket" {
  description = "The backups' bucket: names are global, so take another if this one is somebody else's."
  type        = string
  default     = "trading-bot-critical-backups"
}

variable "lock_retention" {
  description = "Whether backups' retention can never be taken back. Set it to false in a trial project that you want to empty."
  type        = bool
  default     = true
}

variable "first_rotation" {
  description = "When the first reminder to rotate secrets is due, as 2027-01-01T00:00:00Z."
  type        = string
}

variable "kubernetes_service_account" {
  description = "NAMESPACE/NAME that may act as trading-bot-sa in a cluster."
  type        = string
  default     = null
}
