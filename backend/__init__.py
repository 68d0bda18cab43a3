"""The server of Awase: HTTP API, coordinator, figures and ROI. Never torch."""
