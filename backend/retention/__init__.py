"""What is kept for how long: artifacts and events."""
