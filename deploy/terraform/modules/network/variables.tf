variable "project" {
  description = "The project's id."
  type        = string
}

variable "name" {
  description = "What the network and everything in it is called after."
  type        = string
  default     = "trading-bot"
}

variable "subnets" {
  description = "The address range of each region's subnet."
  type        = map(string)

  validation {
    condition     = alltrue([for range in values(var.subnets) : can(cidrhost(range, 0)) && startswith(range, "10.")])
    error_message = "Subnets are private: each is a range within 10.0.0.0/8."
  }
}

variable "database_range" {
  description = "First address of the /20 in which Google runs the databases, private to this network."
  type        = string
  default     = "10.200.0.0"

  validation {
    condition     = startswith(var.database_range, "10.")
    error_message = "The databases' range is private: it lies within 10.0.0.0/8."
  }
}

variable "ssh_source_ranges" {
  description = "Named addresses that may reach SSH besides IAP, as through a VPN. None by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.ssh_source_ranges : can(cidrhost(range, 0)) && tonumber(split("/", range)[1]) >= 24])
    error_message = "SSH is open to named addresses only: each range is /24 or narrower, never 0.0.0.0/0."
  }
}

variable "service_ports" {
  description = "Ports of the services, which health checks and the other region's hosts reach."
  type        = list(string)
}

variable "peer_ports" {
  description = "Ports that only our own hosts reach, as the message broker's."
  type        = list(string)
  default     = []
}

variable "service_accounts" {
  description = "Emails of the identities that our hosts run under; the rules hold for nobody else."
  type        = list(string)

  validation {
    condition     = length(var.service_accounts) > 0
    error_message = "Without an identity the rules would hold for every instance in the network."
  }
}

variable "exchange_fqdns" {
  description = "Names of the exchanges' APIs."
  type        = list(string)
  default     = ["api.binance.com", "stream.binance.com", "ws-api.binance.com"]

  validation {
    condition     = length(var.exchange_fqdns) > 0 && alltrue([for name in var.exchange_fqdns : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", name))])
    error_message = "Exchanges are named in full: no wildcard, no address."
  }
}

variable "notification_fqdns" {
  description = "Names of what alerts go to: Telegram, PagerDuty, and webhooks of your own."
  type        = list(string)
  default     = ["api.telegram.org", "events.pagerduty.com"]

  validation {
    condition     = alltrue([for name in var.notification_fqdns : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", name))])
    error_message = "Receivers of alerts are named in full: no wildcard, no address."
  }
}
