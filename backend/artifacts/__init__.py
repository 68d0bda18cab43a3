"""The store of models, as rows know it."""
