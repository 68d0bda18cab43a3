"""One child process: started in a group of its own, logged, restarted with growing pauses, stopped for good.

It dies with its supervisor, whatever kills that one (PR_SET_PDEATHSIG), so nothing is left behind.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
PAUSES_S = (0.2, 1.0, 2.0, 5.0, 10.0)
HEALTHY_AFTER_S = 30.0
STOP_WITHIN_S = 4.0
"""Of the parts, and then of the broker: together well below the ten seconds that people are promised."""
_libc = ctypes.CDLL(None)


@dataclass
class Child:
    """A part that is to run for as long as the supervisor does.

    Attributes:
        name: of the part and of its log file. command: argv.
        environment: made anew at every start. on_death: called when it ended without being asked to.
        on_restart: told name, how it ended and the pause in seconds before the next start.
    """

    name: str
    command: tuple[str, ...]
    environment: Callable[[], Mapping[str, str]]
    log: Path
    on_death: Callable[[], None] = lambda: None
    on_restart: Callable[[str, str, float], None] = lambda _name, _how, _pause: None
    _process: asyncio.subprocess.Process | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begins to keep it running."""
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self) -> None:
        """Asks its group to end, kills what is left, and waits."""
        self._stopping.set()
        if self._process and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
        self._signal(signal.SIGKILL)
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                how = f"ended ({_ending(await self._run_once())})"
                if self._stopping.is_set():
                    return
                self._signal(signal.SIGKILL)  # what it left of its group
                await asyncio.to_thread(self.on_death)
            except (OSError, RuntimeError) as error:
                # No process, thread or file is to be had just now; it may be a moment later.
                how = f"could not be started ({error})"
            failures = 0 if time.monotonic() - began > HEALTHY_AFTER_S else failures
            pause_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
            failures += 1
            self.on_restart(self.name, how, pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> int:
        self._process = None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env={**os.environ, **self.environment()},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip
        return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
