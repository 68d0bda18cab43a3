"""Training at one site, evaluation, and where their randomness comes from."""
