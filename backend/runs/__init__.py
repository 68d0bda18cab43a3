"""Runs and their steps: states, reading them, asking for a cancel."""
