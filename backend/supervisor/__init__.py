"""Local mode: one process that starts broker, API, coordinator and worker, and restarts what dies."""
