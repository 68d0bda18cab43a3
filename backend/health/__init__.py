"""Whether the parts of the server are alive."""
