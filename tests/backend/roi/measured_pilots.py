"""Pilots that were measured on paper: facts of runs with numbers that a test can check by hand."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from backend.pilots.assumptions import Assumptions, MoneyRange
from backend.roi.facts import ArmLabel, PilotFacts, Point, RunFacts, SiteLabel, Traffic, Usage

# (round, site) -> (own-site, all-site) accuracy after training.
Accuracy = Callable[[int, int], tuple[float, float | None]]
MODEL_BYTES = 75_000


def flat(own: float, rest: float | None) -> Accuracy:
    return lambda _round, _site: (own, rest)


def assumptions(**changes: Any) -> Assumptions:
    content: dict[str, Any] = {
        "currency": "JPY",
        "decisions_per_site_per_round": 1000,
        "value_per_correct_decision": MoneyRange(low=Decimal(10), likely=Decimal(20), high=Decimal(40)),
        "cost_per_cpu_hour": Decimal(0),
        "cost_per_gpu_hour": Decimal(0),
        "cost_per_gb": Decimal(0),
        "one_off_cost": Decimal(0),
        "running_cost_per_site_per_round": Decimal(0),
        "round_days": Decimal(7),
        "value_basis": "own_site",
        "example": False,
    }
    return Assumptions(**{**content, **changes})


def run(
    arm: str,
    accuracy: Accuracy,
    num_sites: int = 2,
    rounds: int = 4,
    done: int | None = None,
    seed: int = 1,
    state: str = "completed",
    exchanges: bool = True,
    usage: Mapping[tuple[int, int], Usage] | None = None,
) -> RunFacts:
    """A run that has finished `done` rounds at all sites; right after a merge a site loses 0.1."""
    method = arm if arm in ("local_only", "plain_average", "dimat", "common_basis") else "dimat"
    merges = method != "local_only"
    last = rounds if done is None else done
    points = []
    for at in range(last + 1):
        values = [accuracy(at, site) for site in range(num_sites)]
        own, rest = tuple(value[0] for value in values), tuple(value[1] for value in values)
        if merges and at > 0:
            lower = tuple(None if value is None else max(0.0, value - 0.1) for value in rest)
            points.append(Point(at, "after_merge", tuple(max(0.0, value - 0.1) for value in own), lower))
        points.append(Point(at, "after_train", own, rest))
    links = {(a, b) for a in range(num_sites) for b in range(num_sites) if a != b}
    sends = merges and exchanges and last > 0
    total = len(links) * MODEL_BYTES
    return RunFacts(
        id=f"run-{arm}-{seed}",
        arm=arm,
        method=method,
        seed=seed,
        state=state,
        rounds=rounds,
        rounds_done=last,
        revision=7,
        bytes_exchanged=total * last if sends else 0,
        busy_s=1.5,
        points=tuple(points),
        usage=usage or {},
        by_round={(at, "merge"): Traffic(total, 0) for at in range(1, last + 1)} if sends else {},
        by_link={link: Traffic(MODEL_BYTES * last, 0) for link in links} if sends else {},
    )


def pilot(*runs: RunFacts, num_sites: int = 2, rounds: int = 4, **changes: Any) -> PilotFacts:
    """A pilot of these runs; its control arm is `local_only`, where there is one."""
    names = list(dict.fromkeys(one.arm for one in runs)) or ["local_only", "dimat"]
    content: dict[str, Any] = {
        "id": "pilot-1",
        "revision": 9,
        "rounds": rounds,
        "sites": tuple(SiteLabel(f"site-{i}", f"Site {i}") for i in range(num_sites)),
        "arms": tuple(
            ArmLabel(name, next((r.method for r in runs if r.arm == name), name)) for name in names
        ),
        "control_arm": "local_only" if "local_only" in names else None,
        "all_site_measured": True,
        "simulated": True,
        "runs": runs,
        "assumptions": assumptions(),
        "assumptions_version": 1,
    }
    return PilotFacts(**{**content, **changes})
