"""Why a backup cannot be made or restored."""


class BackupError(Exception):
    """The message names the thing and the remedy; what was there before is as it was."""
