"""`awase up` and the single parts of the server: settings from options and environment, then the supervisor."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from backend.settings import Settings
from backend.supervisor.local import Local, database_refuses, running
from backend.supervisor.place import StartError

INTERRUPTED = 130
Work = Callable[[Local, asyncio.Event], Awaitable[int]]


def settings(data_dir: Path | None, port: int | None, host: str | None) -> Settings:
    """Options beat the environment. Ends the program with one line when a value cannot be used."""
    given: dict[str, Any] = {"data_dir": data_dir, "port": port, "host": host}
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0]).upper()
        if place.endswith("_URL") and place != "PUBLIC_URL":
            fail(f"{place} cannot be used: {first['msg']}.")  # its value may hold a password
        fail(f"the setting AWASE_{place} cannot be used: {first['msg']} (given: {first['input']!r}).")


def up(settings: Settings) -> int:
    """Everything, until someone stops it."""

    async def wait(local: Local, stop: asyncio.Event) -> int:
        say_where(local)
        await stop.wait()
        say_plainly(
            "Runs that have not ended go on at the next start.\n"
            f"Everything is kept. Open it again: {reopen_command(settings)}"
        )
        return 0

    return supervise(settings, wait)


def supervise(settings: Settings, work: Work) -> int:
    """Starts everything, does `work`, stops everything; the exit code. A signal sets the event of `work`."""
    with told_plainly(settings):
        return asyncio.run(_supervise(settings, work))


@contextmanager
def told_plainly(settings: Settings) -> Iterator[None]:
    """What the surroundings refuse (database, broker, disk) ends the program with one line, not with a traceback."""
    try:
        yield
    except StartError as error:
        fail(str(error))
    except DBAPIError as error:
        fail(database_refuses(error, settings.data_dir))
    except RedisError as error:
        fail(f"the broker does not answer ({type(error).__name__}). Check BROKER_URL and that it runs.")
    except OSError as error:
        fail(
            f"{error.filename or settings.data_dir}: {error.strerror}. "
            "Correct this (disk full? no permission?) and start again."
        )


def say_where(local: Local) -> None:
    """The address and a one-time link, as the last lines a person sees."""
    from backend.cli.people import fresh_link

    say_plainly(f"\nAwase is running at {local.origin}")
    say_plainly(f"Sign in once with this link (valid {local.settings.sign_in_link_minutes} minutes):")
    say_plainly(f"  {fresh_link(local.settings)}")
    if local.settings.is_open_without_tls:
        say_plainly(
            f"It listens on {local.settings.host}, so other machines reach it at their name for this one, port "
            f"{local.settings.port}, without encryption.\nFor people outside put a proxy with TLS in front and "
            "set AWASE_PUBLIC_URL to its address."
        )
    where = local.settings.data_dir.absolute()
    say_plainly(f"Another link: ./awase sign-in-link --data-dir {shlex.quote(str(where))}   Stop: Ctrl-C\n")


def reopen_command(settings: Settings) -> str:
    """What starts the dashboard again where it was."""
    where = shlex.quote(str(settings.data_dir.absolute()))
    usual = Settings.model_fields
    host = "" if settings.host == usual["host"].default else f" --host {shlex.quote(settings.host)}"
    port = "" if settings.port in (0, usual["port"].default) else f" --port {settings.port}"
    return f"./awase up --data-dir {where}{host}{port}"


def api(settings: Settings) -> None:
    """The API in this process."""
    import uvicorn

    from backend.main import create_app

    uvicorn.run(
        create_app(settings), host=settings.host, port=settings.port, timeout_graceful_shutdown=3,
        access_log=False, log_config=None if settings.log == "json" else uvicorn.config.LOGGING_CONFIG,
    )  # fmt: skip


def coordinator(settings: Settings) -> int:
    """The coordinator in this process."""
    from backend.coordinator.main import run

    return run(settings)


def fail(message: str) -> NoReturn:
    print(f"awase: {message}", file=sys.stderr)
    sys.exit(1)


def writable(path: Path, option: str = "--json") -> Path:
    """The file behind `path`, which can be replaced: a result of minutes must not be lost because its folder
    is missing, and a device is no file to replace. Ends the program with one line otherwise."""
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.open("a").close()
            path.unlink()
        elif not path.is_file():
            fail(f"cannot write {path}: it is not a file. Choose another one with {option}.")
        else:
            path.open("a").close()
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}. Choose another file with {option}.")
    return path


def say_plainly(line: str) -> None:
    """One line to whoever watches; nobody watching is no reason to stop."""
    try:
        print(line, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


async def _supervise(settings: Settings, work: Work) -> int:
    stop, started = asyncio.Event(), asyncio.Event()
    me = asyncio.current_task()

    def on_signal() -> None:
        is_first = not stop.is_set()
        stop.set()
        if is_first:
            say_plainly("\nStopping ...")
        if me and is_first and not started.is_set():
            me.cancel()  # nothing to finish yet, only to tidy up; a second time would break that off

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        async with running(settings, say_plainly) as local:
            started.set()
            return await work(local, stop)
    except asyncio.CancelledError:
        return INTERRUPTED
