"""Studies: drafts, launch, assumptions, results."""
