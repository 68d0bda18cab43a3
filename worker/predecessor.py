"""A worker that starts anew says that the one before it is dead, so that nobody waits for its steps' leases.

The file of a place (data directory and site) holds the name of its last worker, and a lock that the system
drops when that worker ends, however it ends: who gets the lock knows.
"""

import fcntl
from pathlib import Path
from typing import IO


class Place:
    """The place of one worker, held until the process ends. Of two at once in one place the second has none,
    and says nothing of the first."""

    def __init__(self, data_dir: Path, site: str | None) -> None:
        name = f"worker-{site}.lock" if site else "worker.lock"
        data_dir.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (data_dir / name).open("a+", encoding="utf-8")

    def take(self, worker_id: str) -> str | None:
        """The name of the dead worker that was here before; None when there was none, or it still lives."""
        try:
            # Belongs to this process alone: its children do not keep it when it dies.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        self._file.seek(0)
        before = self._file.read().strip()
        self._file.truncate(0)
        self._file.write(worker_id)
        self._file.flush()
        return before or None
