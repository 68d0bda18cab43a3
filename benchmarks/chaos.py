"""Does a run survive everything? Faults at random moments of real runs, as many as wanted.

    .venv/bin/python benchmarks/chaos.py [--kills N] [--seed S] [--database sqlite|postgresql] [--only WORD]
        [--policy wait|skip|stop]

Real processes, the bundled broker, SQLite or a PostgreSQL server of this machine. Kills (-9) and stops longer than the lease of worker, its processes,
coordinator, API and broker, cut connections, a full and a missing store, a clock that jumps. Every run must end in the artifacts, metrics
and bytes of an undisturbed one. Under the policies `skip` and `stop` each site has a worker of its own, which is killed and stopped for longer than
the run waits for it: a run goes on without the site in the very models in which `simulate` goes on without it, or ends and says why. The last line says what was hit; the exit code is 1 if a promise was broken.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from tests import services  # noqa: E402
from tests.system import chaos, faults, house  # noqa: E402

OF_THE_SERVER = (
    "kill coordinator",
    "stop coordinator",
    "kill api",
    "stop api",
    "cut connections to the broker",
)
"""What happens to the server where sites have workers of their own."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="faults to do")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--policy", choices=("wait", "skip", "stop"), default="wait", help="of the pilots")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, _postgres(wanted.database) as cluster:
        place = Path(folder)
        settings = chaos.SETTINGS | faults.clock(place)
        if cluster is not None:
            settings["DATABASE_URL"] = cluster.url(cluster.create())
        with ExitStack() as stack:
            known = faults.faults(chaos.LONGER_THAN_LEASE_S, cluster)
            if wanted.policy != "wait":
                settings["BROKER_URL"] = stack.enter_context(services.broker("between-us"))
                settings["AWASE_ARTIFACTS"] = str(place / "store")
            up = stack.enter_context(house.running(place / "data", **settings))
            if wanted.policy != "wait":
                shared = {name: settings[name] for name in ("BROKER_URL", "AWASE_ARTIFACTS")}
                workers = stack.enter_context(chaos.remote_sites(up, place, **shared))
                known = {name: known[name] for name in OF_THE_SERVER}
                known |= faults.faults_of_sites(workers, chaos.LONGER_THAN_LIMIT_S)
            done = {name: fault for name, fault in known.items() if wanted.only in name}
            tally = chaos.chaos(up, done, wanted.kills, wanted.seed, policy=wanted.policy)
            processes = up.processes()
        tally.wrong += [f"left behind: {line}" for line in chaos.left_behind(processes)]
    for line in tally.wrong:
        print(f"BROKEN: {line}")
    print(
        machine(
            f"load {load:.1f}",
            f"lease {chaos.LEASE_S:g} s",
            f"seed {wanted.seed}",
            wanted.database,
            wanted.policy,
        )
    )
    print(tally)
    return 1 if tally.wrong else 0


@contextmanager
def _postgres(database: str) -> Iterator[services.Postgres | None]:
    if database == "sqlite":
        yield None
        return
    with services.postgres() as cluster:
        yield cluster


if __name__ == "__main__":
    sys.exit(main())
