"""How a site combines its neighbours' models with its own: one file per method, and a registry."""
