"""Neural network families a pilot can name: one file each, and a registry."""
