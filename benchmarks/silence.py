"""How soon a site that falls silent is shown, and how soon a run ends that has waited for it as long as its pilot says.

    .venv/bin/python benchmarks/silence.py [--times N] [--limit-s S] [--policy wait|stop]

Real processes with default settings: a server, and a worker of one site of its own, which is stopped (SIGSTOP) in the middle of a run, so that
nothing says that it is gone. Promised: shown within 15 s of its last sign of life; the run has ended within 60 s after the limit.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from tests import services  # noqa: E402
from tests.system import house  # noqa: E402
from tests.system.site_workers import SiteWorker  # noqa: E402
from tests.system.test_remote_site import state_of_far  # noqa: E402

POLL_S = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=20.0)
    parser.add_argument("--policy", choices=("wait", "stop"), default="wait")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    print("time | shown as silent after | the moment told ahead is off by | ended after the limit | reason")
    with tempfile.TemporaryDirectory() as folder, services.broker(password="between-us") as broker:
        shared = {"BROKER_URL": broker, "AWASE_ARTIFACTS": str(Path(folder) / "store")}
        with house.running(Path(folder) / "server", **shared) as server:
            server.post("/sites", {"name": "far", "data": house.PENDIGITS, "placement": "remote"})
            for number in range(wanted.times):
                with SiteWorker("far", Path(folder) / "far", **shared) as far:
                    found = _one(server, far, number, wanted.policy, wanted.limit_s)
                print(f"{number + 1:4} | {found}", flush=True)
    print(machine(f"load {load:.1f}", f"limit {wanted.limit_s:g} s", f"policy {wanted.policy}"))
    return 0


def _one(server: house.House, far: SiteWorker, number: int, policy: str, limit_s: float) -> str:
    house.until(lambda: state_of_far(server) == "online", "the site is online")
    spec: dict[str, Any] = house.small_pilot(
        name=f"silence-{number}", rounds=200, train={"warmup_epochs": 3, "epochs": 2},
        silent={"policy": policy, "limit_s": limit_s},
    )  # fmt: skip
    spec["sites"][2]["name"] = "far"
    del spec["arms"][0]  # the one without merges waits for nobody
    pilot_id = server.launch(spec)
    server.wait_for_round(pilot_id, 2)
    (run,) = server.runs(pilot_id)

    def site() -> dict[str, Any]:
        sites: list[dict[str, Any]] = server.get(f"/runs/{run['id']}/explain")["sites"]
        return next(one for one in sites if one["site"] == "far")

    with far.suspended():
        shown_at = _when(lambda: site()["doing"] == "silent", 60)
        found = site()
        seen = datetime.fromisoformat(found["since"])
        limit = datetime.fromisoformat(found["then"]["at"])
        ended = _when(lambda: server.get(f"/runs/{run['id']}")["state"] in house.ENDED, limit_s + 120)
        reason = server.get(f"/runs/{run['id']}")["reason"]
        reached = seen.timestamp() + limit_s
    return (
        f"{(shown_at - seen).total_seconds():.1f} s | {limit.timestamp() - reached:+.1f} s | "
        f"{ended.timestamp() - reached:.1f} s | {reason['code']}"
    )


def _when(happens: Callable[[], bool], within_s: float) -> datetime:
    deadline = time.monotonic() + within_s
    while not happens():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {within_s:.0f} s")
        time.sleep(POLL_S)
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
