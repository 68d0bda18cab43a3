"""All of an Awase in one file, and an Awase out of such a file."""
