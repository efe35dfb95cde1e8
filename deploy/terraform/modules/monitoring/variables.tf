variable "project" {
  description = "The project's id."
  type        = string
}

variable "emails" {
  description = "Who is told, besides what ops-monitor sends to Telegram and PagerDuty itself."
  type        = list(string)

  validation {
    condition     = length(var.emails) > 0 && alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "Somebody must be told: at least one address."
  }
}

variable "load_balancer_address" {
  description = "What the uptime check asks."
  type        = string
}

variable "domain" {
  description = "The public name, if there is one: then the check asks by HTTPS."
  type        = string
  default     = null
}

variable "backend_service" {
  description = "The load balancer's backend, whose answers the service levels count."
  type        = string
}

variable "code_identities" {
  description = "Emails of the identities that may change the project: the one that applies Terraform, and the disaster-recovery controller. Anyone else's change is an alert."
  type        = list(string)

  validation {
    condition     = length(var.code_identities) > 0
    error_message = "Without an identity every change would be an alert."
  }
}

variable "availability" {
  description = "R8: at most 43 minutes a month down."
  type        = number
  default     = 0.999

  validation {
    condition     = var.availability >= 0.999 && var.availability < 1
    error_message = "R8: 99.9 % at least, and 100 % cannot be promised."
  }
}

variable "latency_ms" {
  description = "R8: 95 of 100 answers come sooner."
  type        = number
  default     = 200

  validation {
    condition     = var.latency_ms <= 200
    error_message = "R8: under 200 ms."
  }
}
