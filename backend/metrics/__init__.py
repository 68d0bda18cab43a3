"""Accuracies of a run."""
