"""Saved graphs over sites."""
