"""A worker that starts anew says that the one before it is dead, so that nobody waits for its steps' leases.

The file of a place (data directory and site) holds the name of its last worker, and a lock that the system
drops when that worker ends, however it ends: who gets the lock knows.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def place(data_dir: Path, site: str | None, worker_id: str) -> Iterator[str | None]:
    """Takes the worker's place while the block runs.

    Yields:
        The name of the dead worker that was here before. None: there was none, or it still lives; of two in
        one place the second says nothing of the first.

    Raises: OSError, when the place cannot be written, or its file system has no locks.
    """
    name = f"worker-{site}.lock" if site else "worker.lock"
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / name).touch()
    with (data_dir / name).open("r+", encoding="utf-8") as file:
        try:
            # Belongs to this process alone: its children do not keep it when it dies.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # lockf's two words for: somebody has it
            yield None
            return
        file.seek(0)
        before = file.read().strip()
        # Written over, then cut: on a full disk the old name stays rather than none. Unbuffered: nothing is
        # left over to be tried again when the file is closed.
        named = os.pwrite(file.fileno(), worker_id.encode(), 0)
        os.ftruncate(file.fileno(), named)
        yield before or None
