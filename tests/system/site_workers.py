"""Workers of sites on machines of their own: `awase worker --site NAME`, with a broker and a store that both sides reach."""

import subprocess
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Lock
from typing import Self

import psutil

from tests.system import house


class SiteWorker:
    """One of them, from entering the block on until all its processes are killed at its end."""

    def __init__(self, site: str, data_dir: Path, **settings: str) -> None:
        self._command = house.command("worker", "--site", site, "--data-dir", str(data_dir))
        self._environment = house.environment(**settings)
        self.one_fault = Lock()
        """Held by what happens to it: not two things at once."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._command, cwd=house.ROOT, env=self._environment, stdout=quiet, stderr=quiet
        )

    def kill(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def suspended(self) -> AbstractContextManager[None]:
        """It and all that it has started."""
        return house.suspended(self._processes())

    def _processes(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
