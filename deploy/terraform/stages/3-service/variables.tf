variable "project" {
  description = "The id of the project. It must exist and have billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "domain" {
  description = "A public name of the load balancer. With one it speaks HTTPS."
  type        = string
  default     = null
}

variable "client_ranges" {
  description = "Addresses that may ask the API. Nobody may by default."
  type        = list(string)
  default     = []
}

variable "repository" {
  description = "The connected repository: projects/P/locations/L/connections/C/repositories/R. The connection needs a person's consent, once."
  type        = string
}

variable "emails" {
  description = "Who is told when the system cannot say itself that it is down."
  type        = list(string)
}
