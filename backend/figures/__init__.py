"""Charts as plain Plotly dicts, built from rows. Nothing here imports plotly: pages and reports draw them."""
