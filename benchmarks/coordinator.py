"""What the coordinator costs: steps a second and processor time of each step, for 10, 100 and 1,000 sites, on both databases.

    .venv/bin/python benchmarks/coordinator.py [--sites 1000] [--rounds 10] [--topology exponential] [--database sqlite] [--json FILE]

Real are the broker (the bundled one, as the supervisor starts it), the coordinator's process, SQLite and PostgreSQL (with every
commit on the disk) and what is said; sites are one process that answers every step at once (`noop_sites.py`). Fewer sites go
through more rounds, so that there is something to measure. Exit status 1: fewer than 300 steps/s for the most sites, or a step
of theirs costs the coordinator more than 1.25 times what it costs for the fewest.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select, text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from backend.auth.service import command_line  # noqa: E402
from backend.db.migrate import migrate  # noqa: E402
from backend.db.session import Database  # noqa: E402
from backend.db.tables import RunRow, SiteRow, StepRow  # noqa: E402
from backend.pilots import service as pilots  # noqa: E402
from backend.pilots.schemas import PilotCreate  # noqa: E402
from backend.runs.launch import launch  # noqa: E402
from backend.runs.states import RUN_ENDS  # noqa: E402
from backend.sites import service as sites  # noqa: E402
from backend.sites.schemas import SiteCreate  # noqa: E402
from backend.supervisor.broker import embedded, wait_until_ready  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from benchmarks.noop_sites import site_name  # noqa: E402
from tests.services import postgres  # noqa: E402

LEAST_STEPS_S = 300.0
MOST_RATIO = 1.25
SITES = (10, 100, 1000)
DATA = {"kind": "sample", "dataset": "letter"}
POLL_S = 0.25
WITHIN_S = 900.0


@dataclass(frozen=True)
class Figures:
    """Of one pilot with one arm. `cpu_ms`: processor milliseconds a step of each process."""

    database: str
    num_sites: int
    rounds: int
    num_steps: int
    seconds: float
    cpu_ms: dict[str, float]
    statements: float
    rows_written: float
    transactions: float
    load: float

    @property
    def steps_s(self) -> float:
        return self.num_steps / self.seconds


class Watch:
    """Processor seconds of processes and of their children since it was made."""

    def __init__(self, **roots: int) -> None:
        self._roots = {name: psutil.Process(pid) for name, pid in roots.items()}
        self._before = self._now()

    def passed(self) -> dict[str, float]:
        return {name: now - self._before[name] for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: _cpu_s(root) for name, root in self._roots.items()}


def _cpu_s(root: psutil.Process) -> float:
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # one that ended is counted by its parent
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sites", type=int, help="this many sites only, instead of 10, 100 and 1,000")
    parser.add_argument(
        "--rounds", type=int, default=10, help="of the most sites; fewer go through as many steps"
    )
    parser.add_argument(
        "--topology", default="ring", choices=("ring", "exponential", "full", "line", "torus")
    )
    parser.add_argument("--method", default="plain_average", choices=("local_only", "plain_average"))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--profile", type=Path, help="write profiles of the coordinator into this folder")
    chosen = parser.parse_args()
    counts = [chosen.sites] if chosen.sites else list(SITES)
    print(f"machine  {machine('1 thread a process', f'load before {os.getloadavg()[0]:.1f}')}")
    print(f"pilot    {chosen.method} on the topology '{chosen.topology}'")
    found: list[Figures] = []
    for kind in [chosen.database] if chosen.database else ["sqlite", "postgresql"]:
        for num_sites in counts:
            rounds = max(chosen.rounds, min(200, 20 * chosen.rounds * 10 // num_sites))
            found.append(one(kind, num_sites, rounds, chosen))
            print(line(found[-1]), flush=True)
    is_good = judged(found)
    if chosen.json:
        about = {"machine": machine(), "method": chosen.method, "topology": chosen.topology}
        chosen.json.write_text(
            json.dumps({**about, "figures": [{**asdict(f), "steps_s": f.steps_s} for f in found]}, indent=1)
        )
    return 0 if is_good else 1


def line(figures: Figures) -> str:
    cpu = ", ".join(f"{name} {ms:.2f}" for name, ms in figures.cpu_ms.items())
    return (
        f"{figures.database:<10} {figures.num_sites:>5} sites {figures.rounds:>4} rounds {figures.num_steps:>6} steps "
        f"{figures.seconds:7.1f} s {figures.steps_s:7.1f} steps/s   CPU ms a step: {cpu}   "
        f"a step: {figures.statements:.2f} statements, {figures.rows_written:.2f} rows written, "
        f"{figures.transactions:.3f} transactions   load {figures.load:.1f}"
    )


def judged(found: list[Figures]) -> bool:
    """Says for each database whether what is promised holds."""
    is_good = True
    for kind in dict.fromkeys(figures.database for figures in found):
        mine = [figures for figures in found if figures.database == kind]
        ratio = mine[-1].cpu_ms["coordinator"] / mine[0].cpu_ms["coordinator"]
        print(
            f"{kind:<10} {mine[-1].steps_s:.0f} steps/s for {mine[-1].num_sites} sites (at least {LEAST_STEPS_S:g}); a step costs "
            f"the coordinator {ratio:.2f} times what it costs for {mine[0].num_sites} (at most {MOST_RATIO:g})"
        )
        is_good &= mine[-1].steps_s >= LEAST_STEPS_S and ratio <= MOST_RATIO
    return is_good


def one(kind: str, num_sites: int, rounds: int, chosen: argparse.Namespace) -> Figures:
    """One pilot from its launch to its end, on a database, a broker and processes of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="awase-coordinator-")))
        servers: dict[str, int] = {}
        url = f"sqlite:///{folder / 'awase.sqlite'}"
        if kind == "postgresql":
            cluster = stack.enter_context(postgres(is_durable=True))
            url, servers = cluster.url(cluster.create()), {"database": cluster.pid}
        migrate(url)
        database = stack.enter_context(closing(Database(url)))
        own = embedded(folder)
        broker = stack.enter_context(process(*own.command))
        wait_until_ready(own.url)
        environment = {
            "DATABASE_URL": url, "BROKER_URL": own.url, "AWASE_DATA_DIR": str(folder), "OMP_NUM_THREADS": "1"
        }  # fmt: skip
        create_sites(database, num_sites)
        book, log = folder / "book.json", folder / "coordinator.log"
        module, arguments = "benchmarks.watched_coordinator", [str(book)]
        if chosen.profile:
            chosen.profile.mkdir(exist_ok=True)
            arguments.append(str(chosen.profile.absolute() / f"{kind}-{num_sites}.prof"))
        coordinator = stack.enter_context(
            process(sys.executable, "-m", module, *arguments, log=log, **environment)
        )
        load = stack.enter_context(
            process(sys.executable, "-m", "benchmarks.noop_sites", own.url, str(num_sites), **environment)
        )
        until(lambda: all_online(database, num_sites), "all sites are online", coordinator, log)
        spec = pilot(num_sites, rounds, chosen.topology, chosen.method)
        before = rows_written(database)
        watch = Watch(coordinator=coordinator.pid, sites=load.pid, broker=broker.pid, **servers)
        start(database, spec)
        until(lambda: has_ended(database), "the run ends", coordinator, log)
        cpu = watch.passed()
        coordinator.terminate()
        coordinator.wait(20)
        asked = json.loads(book.read_text())
        time.sleep(1.0 if servers else 0.0)  # PostgreSQL writes its book a little later
        rows = asked["rows"] or rows_written(database) - before
        num_steps, seconds = ended(database)
        return Figures(
            kind, num_sites, rounds, num_steps, seconds, {name: 1000 * s / num_steps for name, s in cpu.items()},
            asked["statements"] / num_steps, rows / num_steps, asked["transactions"] / num_steps, os.getloadavg()[0],
        )  # fmt: skip


@contextmanager
def process(
    *command: str, log: Path | None = None, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program while the block runs."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        started = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, stdin=subprocess.PIPE,
            stdout=output, stderr=output if log else None,
        )  # fmt: skip
        try:
            yield started
        finally:
            started.terminate()
            started.wait(20)


def until(happens: Any, what: str, coordinator: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happens():
        if coordinator.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"not so: {what}. The coordinator says:\n{log.read_text()[-3000:]}")
        time.sleep(POLL_S)


def create_sites(database: Database, num_sites: int) -> None:
    with database.write() as session:
        who = command_line(session)
        for index in range(num_sites):
            body = {"name": site_name(index), "placement": "remote", "data": DATA}
            sites.create(session, who, SiteCreate.model_validate(body))


def all_online(database: Database, num_sites: int) -> bool:
    with database.read() as session:
        online = select(func.count()).select_from(SiteRow).where(SiteRow.state == "online")
        return session.scalar(online) == num_sites


def pilot(num_sites: int, rounds: int, topology: str, method: str) -> dict[str, Any]:
    named = [{"name": site_name(index), "data": DATA} for index in range(num_sites)]
    return {
        "name": "many-sites", "rounds": rounds, "sites": named, "topology": {"kind": topology},
        "data": {"rows_per_site": 10}, "arms": [{"name": "merged", "method": method}],
    }  # fmt: skip


def start(database: Database, spec: dict[str, Any]) -> None:
    with database.write() as session:
        who = command_line(session)
        made = pilots.create(session, who, PilotCreate.model_validate({"spec": spec}))
        launch(session, who, made.id, "benchmark")


def has_ended(database: Database) -> bool:
    with database.read() as session:
        return session.scalars(select(RunRow.state)).one() in RUN_ENDS


def ended(database: Database) -> tuple[int, float]:
    """Number of steps, and seconds from the run's start to its end."""
    with database.read() as session:
        run = session.scalars(select(RunRow)).one()
        if run.state != "completed" or run.started_at is None or run.finished_at is None:
            sys.exit(f"the run ended as {run.state}: {run.reason}")
        steps = session.scalar(select(func.count()).select_from(StepRow)) or 0
        repeated = session.scalar(select(func.count()).select_from(StepRow).where(StepRow.attempt > 1))
        if repeated:
            print(f"{repeated} steps were tried more than once", file=sys.stderr)
        return steps, (run.finished_at - run.started_at).total_seconds()


def rows_written(database: Database) -> int:
    """By PostgreSQL's own book; 0 on SQLite, where the coordinator's connections keep it."""
    if database.is_sqlite:
        return 0
    book = text(
        "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = current_database()"
    )
    with database.read() as session:
        return int(session.scalar(book) or 0)


if __name__ == "__main__":
    sys.exit(main())
