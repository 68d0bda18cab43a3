"""The public log, streamed to browsers."""
