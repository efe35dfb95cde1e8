variable "project" {
  description = "The project's id."
  type        = string
}

variable "regions" {
  description = "Regions that keep every image, so that each can start without the other."
  type        = set(string)
}

variable "build_region" {
  description = "The region in which images are built."
  type        = string
}

variable "repository" {
  description = "The repository's name, the same in each region."
  type        = string
  default     = "trading-bot-repo"
}

variable "kms_keys" {
  description = "A key of your own for each region's images. Google's otherwise."
  type        = map(string)
  default     = {}
}
