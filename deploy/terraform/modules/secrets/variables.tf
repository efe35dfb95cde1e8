variable "project" {
  description = "The project's id."
  type        = string
}

variable "project_number" {
  description = "The project's number: Google's own identities are named by it."
  type        = string
}

variable "regions" {
  description = "Regions that hold the secrets. Both, so that each can start without the other."
  type        = list(string)
}

variable "names" {
  description = "The secrets. Only names: a value never passes through Terraform, so none is in its state."
  type        = set(string)

  validation {
    condition     = alltrue([for name in var.names : can(regex("^[a-z][a-z-]*$", name))])
    error_message = "A secret's name has lower-case letters and hyphens only: is a value among the names?"
  }
}

variable "pins" {
  description = "Names under which the commit of each service's last deployment is kept: small facts, versioned and in both regions, that a new instance may read with the roles it has."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.pins : startswith(name, "deployed-")])
    error_message = "A pin's name begins with deployed-: what begins so is not secret and is never rotated."
  }
}

variable "rotation_days" {
  description = "After how many days somebody is told to rotate a secret."
  type        = number
  default     = 90

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 365
    error_message = "Secrets are rotated at least once a year."
  }
}

variable "first_rotation" {
  description = "When the first reminder is due, as 2027-01-01T00:00:00Z."
  type        = string
}

variable "kms_keys" {
  description = "A key of your own for each region. Google's otherwise."
  type        = map(string)
  default     = {}
}

variable "topic_kms_key" {
  description = "A key of your own for the reminders' topic."
  type        = string
  default     = null
}
