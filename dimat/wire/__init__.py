"""How models travel between sites."""
