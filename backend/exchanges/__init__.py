"""Models that crossed links."""
