output "address" {
  description = "The load balancer's address."
  value       = google_compute_global_address.this.address
}

output "backend_service" {
  description = "What a failover redirects."
  value       = google_compute_backend_service.this.name
}
