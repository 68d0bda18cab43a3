"""What may happen to a running Awase, each as one function: killed, stopped and cut off parts, a full or missing store, a clock that
jumps. A fault is over when its function returns; what it hit is up again then, or will be soon.

`clock` puts a time of day of its own under a house (clock.c), which then jumps for all its processes at once.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil
import redis

from tests.services import Missing, Postgres
from tests.system.house import House, suspended
from tests.system.site_workers import SiteWorker

COMPILER_REMEDY = (
    "no C compiler, which makes the clock that jumps: install one (Debian: apt-get install gcc libc6-dev)"
)
FULL_S, AWAY_S = 3.0, 3.0
FARTHEST_JUMP_S = 3 * 3600
Fault = Callable[[House, Random], None]


def clock(folder: Path) -> dict[str, str]:
    """Settings with which a house takes its time of day from `folder`. Raises: Missing."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing(COMPILER_REMEDY)
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    _set_clock(folder, 0)
    return {"LD_PRELOAD": str(library), "AWASE_TEST_CLOCK": str(_offset_file(folder))}


def faults(longer_than_lease_s: float, postgres: Postgres | None = None) -> dict[str, Fault]:
    """All of them by name. A stop lasts `longer_than_lease_s`; with `postgres` its connections are cut, too."""
    parts = ("worker", "coordinator", "api", "broker")
    found: dict[str, Fault] = {f"kill {part}": _kill(part) for part in parts}
    found |= {f"stop {part}": _stop(part, longer_than_lease_s) for part in parts}
    found |= {
        "kill process of the worker": _kill_process,
        "stop process of the worker": _stop_process(longer_than_lease_s),
        "cut connections to the broker": _cut_connections,
        "store full": _store_full,
        "store away": _store_away,
        "clock jumps": _jump,
    }
    if postgres is not None:
        found["cut connections to the database"] = lambda _house, _random: postgres.cut_connections()
    return found


def faults_of_sites(workers: Sequence[SiteWorker], longer_than_limit_s: float) -> dict[str, Fault]:
    """Of workers of sites, each on a machine of its own, which somebody starts again."""

    def kill(_house: House, random: Random) -> None:
        worker, away_s = random.choice(workers), random.uniform(0, longer_than_limit_s)
        with worker.one_fault:
            worker.kill()
            time.sleep(away_s)
            worker.start()

    def stop(_house: House, random: Random) -> None:
        worker = random.choice(workers)
        with worker.one_fault, worker.suspended():
            time.sleep(longer_than_limit_s)

    return {"kill worker of a site": kill, "stop worker of a site": stop}


def _kill(part: str) -> Fault:
    return lambda house, _random: house.kill(part)


def _kill_process(house: House, random: Random) -> None:
    if pool := house.pool():
        random.choice(pool).kill()


def _stop(part: str, seconds: float) -> Fault:
    """The part and all that it has started, as when its machine sleeps."""

    def stop(house: House, _random: Random) -> None:
        process = house.part(part)
        with suspended([process, *process.children(recursive=True)]):
            time.sleep(seconds)

    return stop


def _stop_process(seconds: float) -> Fault:
    def stop(house: House, random: Random) -> None:
        if pool := house.pool():
            with suspended([random.choice(pool)]):
                time.sleep(seconds)

    return stop


def _cut_connections(house: House, _random: Random) -> None:
    """Every TCP connection of coordinator, worker and API to the broker ends."""
    with (
        suppress(redis.RedisError),
        redis.Redis.from_url(house.broker_url(), socket_timeout=2, socket_connect_timeout=2) as connection,
    ):
        for client in connection.client_list():
            with suppress(redis.ResponseError):  # it went by itself
                connection.client_kill_filter(_id=client["id"], skipme=True)


def _store_full(house: House, _random: Random) -> None:
    """No process of the worker can write a byte more into any file."""
    pool = house.pool()
    for process in pool:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    time.sleep(FULL_S)
    for process in pool:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def _store_away(house: House, _random: Random) -> None:
    """The directory is gone, as when a disk is no longer mounted; what is written there meanwhile is lost."""
    here, aside = house.data_dir / "artifacts", house.data_dir / "artifacts-aside"
    if aside.exists():
        return  # another such fault is at work
    here.rename(aside)
    time.sleep(AWAY_S)
    shutil.rmtree(here, ignore_errors=True)
    aside.rename(here)


def _jump(house: House, random: Random) -> None:
    _set_clock(house.data_dir.parent, random.randint(-FARTHEST_JUMP_S, FARTHEST_JUMP_S))


def _set_clock(folder: Path, offset_s: int) -> None:
    fresh = _offset_file(folder).with_suffix(".new")
    fresh.write_text(f"{offset_s}\n", encoding="utf-8")
    fresh.replace(_offset_file(folder))


def _offset_file(folder: Path) -> Path:
    return folder / "clock"
