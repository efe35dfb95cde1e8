variable "project" {
  description = "The project's id."
  type        = string
}

variable "name" {
  description = "The load balancer's name."
  type        = string
  default     = "trading-bot-global-lb"
}

variable "backends" {
  description = "Each region's instance group, and whether it takes requests. A failover turns one on and the other off."
  type        = map(object({ group = string, acting = bool }))

  validation {
    condition     = length([for backend in values(var.backends) : backend if backend.acting]) == 1
    error_message = "Exactly one region acts."
  }
}

variable "domain" {
  description = "A public name. With one, port 80 only sends on to HTTPS; without, it serves."
  type        = string
  default     = null
}

variable "client_ranges" {
  description = "Addresses that may ask. Nobody may by default; 0.0.0.0/0 only with a domain, since tokens would pass in the clear."
  type        = list(string)
  default     = []

  validation {
    condition     = var.domain != null || !contains(var.client_ranges, "0.0.0.0/0")
    error_message = "Without a domain there is no HTTPS: name the addresses that may ask."
  }
}

variable "health_port" {
  description = "The port whose /ready says whether an instance takes requests."
  type        = number
}
