"""The server of Awase: HTTP API, coordinator, figures and ROI. Never torch."""

__version__ = "0.1.0"
