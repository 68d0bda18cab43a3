"""The data directory and the port, checked before anything is started: one clear line and the remedy."""

import errno
import fcntl
import os
import shlex
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NEEDED_BYTES = 200_000_000


class StartError(Exception):
    """Awase cannot start; the message says what is wrong and what to do."""


@contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Makes the directory and keeps it for this process alone; the system lets go however it ends.

    Raises: StartError, when another process has it, it cannot be written, or its disk is full.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StartError(
            f"cannot write in the data directory {data_dir}: {error.strerror}. "
            "Choose another one with --data-dir, or make it writable."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner, address = lock.read().strip() or "unknown", noted_address(data_dir)
            where = f", whose dashboard is {address}" if address else ""
            raise StartError(
                f"the data directory {data_dir} is in use by process {owner}{where}. Use that one (a link to sign "
                f"in: ./awase sign-in-link --data-dir {shlex.quote(str(data_dir.absolute()))}), stop it (Ctrl-C "
                "in its window), or choose another directory with --data-dir."
            ) from None
        free = shutil.disk_usage(data_dir).free
        if free < NEEDED_BYTES:
            raise StartError(
                f"the disk of the data directory {data_dir} has {free / 1e6:.0f} MB left, "
                f"{NEEDED_BYTES / 1e6:.0f} MB are needed. Free some space or use --data-dir."
            )
        try:
            # A quota, or a disk that counts its free space otherwise, is met here. Unbuffered: nothing is left
            # over to be tried again when the file is closed.
            os.ftruncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), str(os.getpid()).encode(), 0)
        except OSError as error:
            raise StartError(
                f"cannot write in the data directory {data_dir}: {error.strerror}. "
                "Free some space or choose another directory with --data-dir."
            ) from None
        yield


def forget_address(data_dir: Path) -> None:
    """Of an earlier start: until this one answers, nobody does."""
    with suppress(OSError):
        (data_dir / "address").unlink(missing_ok=True)


def note_address(data_dir: Path, origin: str) -> None:
    """Where the Awase that holds this directory answers, for other commands on this machine."""
    (data_dir / "address").write_text(origin, encoding="utf-8")


def noted_address(data_dir: Path) -> str | None:
    """What `note_address` wrote last; None where Awase never ran."""
    try:
        return (data_dir / "address").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


@contextmanager
def claim(data_dir: Path, host: str, port: int) -> Iterator[int]:
    """The data directory (see `hold`) and a port of `host`, while the block runs; yields the port.

    Raises: StartError.
    """
    if not data_dir.exists():
        free_port(host, port)  # first: a start that is refused leaves no directory behind
    with hold(data_dir):
        yield free_port(host, port)


def free_port(host: str, wanted: int) -> int:
    """`wanted` if nobody listens there; for 0 one that is free now.

    Raises: StartError, naming the port or the host.
    """
    unknown = StartError(
        f"'{host}' is no address of this machine. Use --host 127.0.0.1 (this machine only) or "
        "--host 0.0.0.0 (all its addresses)."
    )
    if not host:
        raise unknown
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            # As the server will do: an old connection in TIME_WAIT does not count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, wanted))
            return int(probe.getsockname()[1])
    except (socket.gaierror, UnicodeError):
        raise unknown from None
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise unknown from None
        why = (
            "Ports below 1024 are for the system's own services; choose"
            if error.errno == errno.EACCES
            else "Stop the program that has it, or choose"
        )
        raise StartError(
            f"port {wanted} of {host} cannot be used: {error.strerror}. {why} another one, such as --port 8770."
        ) from None
