variable "project" {
  description = "The project's id."
  type        = string
}

variable "network" {
  description = "The network in which our own names hold."
  type        = string
}

variable "database_address" {
  description = "The acting database's private address at first."
  type        = string
}

variable "domain" {
  description = "A public name of the load balancer, as trading-bot.example.com. None: it has an address only."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A domain is written without a final dot, as trading-bot.example.com."
  }
}

variable "load_balancer_address" {
  description = "The load balancer's address."
  type        = string
}
