"""All of Awase on one machine: `running(settings)` starts it, keeps it running and stops it.

Order: directory and port are ours, broker answers, then the worker, and once the database is migrated
coordinator and API. Stopping asks all but the broker at once, so that their last words still find it.
"""

import asyncio
import socket
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from sqlalchemy.exc import DBAPIError

from backend.coordinator.lock import AlreadyCoordinated, DatabaseAway, FolderRefused, only_coordinator
from backend.db.migrate import migrate
from backend.db.session import Database, first_line
from backend.settings import Settings
from backend.supervisor import broker
from backend.supervisor.child import Child
from backend.supervisor.in_thread import in_thread
from backend.supervisor.place import StartError, claim, forget_address, note_address
from worker import logs
from worker.messages.keys import REPORTS_LIST
from worker.messages.reports import WorkerLost

READY_WITHIN_S = 90.0
ROTATED_EVERY_S = 60.0
GIVE_UP_AFTER = 4
"""Deaths of one part before all is ready: then it is not a mishap."""


@dataclass
class Local:
    """What runs. `origin`: where the API and the pages answer."""

    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.settings.origin


@asynccontextmanager
async def running(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[Local]:
    """Everything started and answering; all of it is gone when the block ends.

    Raises: StartError.
    """
    async with AsyncExitStack() as stack:
        port = stack.enter_context(claim(settings.data_dir, settings.host, settings.port))
        forget_address(settings.data_dir)
        settings = settings.model_copy(update={"port": port})
        local = Local(settings)
        deaths: dict[str, int] = {}

        def on_restart(name: str, how: str, pause_s: float) -> None:
            deaths[name] = deaths.get(name, 0) + 1
            say(f"{name} {how}; starting it again in {pause_s:g} s")

        def add(name: str, command: tuple[str, ...], environment: Callable[[], Mapping[str, str]]) -> Child:
            child = Child(
                name, command, environment, settings.data_dir / "logs" / f"{name}.log", on_restart=on_restart
            )
            local.children[name] = child
            return child

        stack.callback(asyncio.create_task(rotate_logs(local.children)).cancel)
        url = settings.broker_url
        if url is None:
            own = broker.embedded(settings.data_dir)
            url = own.url
            add("broker", own.command, dict).start()
            stack.push_async_callback(local.children["broker"].stop)
        await in_thread(broker.wait_until_ready, url)

        stack.push_async_callback(_stop_all, local)
        for name, command in _commands(settings).items():
            add(name, command, lambda: _environment(settings, url))
        worker = _Worker(url)
        local.children["worker"].environment = lambda: {**_environment(settings, url), **worker.next()}
        local.children["worker"].on_death = worker.say_lost
        # The worker takes longest to start and needs no database: it begins while that is migrated.
        local.children["worker"].start()
        await in_thread(_migrate, settings)
        for name in ("coordinator", "api"):
            local.children[name].start()
        await _until_ready(settings, deaths)
        note_address(settings.data_dir, settings.origin)
        yield local


async def rotate_logs(children: Mapping[str, Child]) -> None:
    """Keeps what parts write from filling the disk, until it is cancelled."""
    while True:
        for child in list(children.values()):
            await in_thread(logs.rotate, child.log)
        await asyncio.sleep(ROTATED_EVERY_S)


def _commands(settings: Settings) -> dict[str, tuple[str, ...]]:
    python = sys.executable
    return {
        "api": (
            python, "-m", "uvicorn", "backend.main:create_app", "--factory", "--host", settings.host,
            "--port", str(settings.port), "--timeout-graceful-shutdown", "3", "--no-access-log",
        ),
        "coordinator": (python, "-m", "backend.coordinator.main"),
        "worker": (python, "-m", "worker.main"),
    }  # fmt: skip


def _environment(settings: Settings, broker_url: str) -> dict[str, str]:
    # -P's variable: a file of the folder where someone calls us must not shadow a library.
    return {
        "AWASE_DATA_DIR": str(settings.data_dir.absolute()),
        "AWASE_HOST": settings.host,
        "AWASE_PORT": str(settings.port),
        "AWASE_ARTIFACTS": settings.artifacts_url,
        "DATABASE_URL": settings.database_url,
        "BROKER_URL": broker_url,
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }


class _Worker:
    """The worker's name, new at each start, and what is said when it dies: its steps are lost at once,
    nobody has to wait for their lease."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._id = ""

    def next(self) -> dict[str, str]:
        self._id = f"local-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
        return {"AWASE_WORKER_ID": self._id}

    def say_lost(self) -> None:
        try:
            with redis.Redis.from_url(
                self._broker_url, socket_timeout=5, socket_connect_timeout=5
            ) as connection:
                connection.lpush(REPORTS_LIST, WorkerLost(worker_id=self._id).model_dump_json())
        except redis.RedisError:
            pass  # then the lease ends it, a little later


def _migrate(settings: Settings) -> None:
    """Raises: StartError."""
    try:
        _nobody_else_coordinates(settings)
        migrate(settings.database_url)
    except DBAPIError as error:
        raise StartError(database_refuses(error, settings.data_dir)) from None


def _nobody_else_coordinates(settings: Settings) -> None:
    """Of two Awases on one database the second would send the first one's steps to its own worker and store as soon as
    the first one's coordinator pauses. Raises: StartError, DBAPIError."""
    database = Database(settings.database_url)
    try:
        with only_coordinator(database):
            return
    except AlreadyCoordinated:
        raise StartError(
            "another Awase is at work on this database. Stop it first, or let this one use a database of its own "
            "(DATABASE_URL)."
        ) from None
    except FolderRefused as error:
        raise StartError(str(error)) from None
    except DatabaseAway as error:
        raise error.error from None
    finally:
        database.close()


def database_refuses(error: DBAPIError, data_dir: Path) -> str:
    """One line: what the database said, and what to look at."""
    return (
        f"the database cannot be used: {first_line(error)}. Look whether the disk of {data_dir} is full, "
        "or check DATABASE_URL if you have set it."
    )


async def _until_ready(settings: Settings, deaths: Mapping[str, int]) -> None:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
    address = f"{settings.own_address}/api/v1/ready"
    while not await in_thread(_answers, address):
        for name, count in deaths.items():
            if count >= GIVE_UP_AFTER:
                log = settings.data_dir / "logs" / f"{name}.log"
                raise StartError(f"{name} ends as soon as it starts. The end of {log} says why.")
        if asyncio.get_running_loop().time() > deadline:
            raise StartError(
                f"API and coordinator were not ready within {READY_WITHIN_S:.0f} s. The ends of api.log and coordinator.log in "
                f"{settings.data_dir / 'logs'} say why."
            )
        await asyncio.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


async def _stop_all(local: Local) -> None:
    await asyncio.gather(*(child.stop() for name, child in local.children.items() if name != "broker"))
