"""Locations with their own data."""
