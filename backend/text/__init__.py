"""Text for people: `{code, params}` and the one catalogue that says it in a language."""
