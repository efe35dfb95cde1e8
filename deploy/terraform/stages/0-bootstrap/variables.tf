variable "project" {
  description = "The id of the project. It must exist and have billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "state_location" {
  description = "Where Terraform's state lies: in more than one region, since it is needed when one is lost."
  type        = string
  default     = "US"
}

variable "operators" {
  description = "Who may apply Terraform, as user:you@example.com. Everybody else reads."
  type        = list(string)

  validation {
    condition     = length(var.operators) > 0 && alltrue([for who in var.operators : can(regex("^(user|group|serviceAccount):[^@]+@[^@]+$", who))])
    error_message = "Operators are named, as user:you@example.com: never allUsers, never a domain."
  }
}
