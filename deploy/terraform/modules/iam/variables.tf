variable "project" {
  description = "The project's id."
  type        = string
}

variable "secrets" {
  description = "Names of the secrets that the services read."
  type        = set(string)
}

variable "pins" {
  description = "Names of the secrets that hold which commit of a service was last deployed. Hosts read them, Cloud Build writes them."
  type        = set(string)
  default     = []
}

variable "repositories" {
  description = "Repositories that hosts read from: region and name, by key."
  type        = map(object({ location = string, name = string }))
}

variable "cache" {
  description = "The repository in which builds keep their layers."
  type        = object({ location = string, name = string })
}

variable "database_prefix" {
  description = "How the names of the database instances begin: access ends there."
  type        = string
  default     = "trading-bot-"
}

variable "kubernetes_service_account" {
  description = "NAMESPACE/NAME that may act as trading-bot-sa by Workload Identity. None without a cluster."
  type        = string
  default     = null
}

variable "state_bucket" {
  description = "Where Terraform's state lies."
  type        = string
}
