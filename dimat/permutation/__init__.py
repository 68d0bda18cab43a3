"""Hidden units can be reordered without changing what a model computes: which ones, and how."""
