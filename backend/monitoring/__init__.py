"""Numbers about the server for Prometheus."""
