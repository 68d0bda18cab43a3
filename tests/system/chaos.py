"""Faults at random moments of real runs, and whether all that was promised holds all the same.

One pilot after the other runs in one house while one fault follows the other, sometimes before the last is over. Which
faults, and how long between them, follows from the seed; what they meet is up to the machine.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Literal

import psutil
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.session import Database
from backend.db.tables import EventRow, ExchangeRow, StepRow
from backend.runs.states import STEP_ENDS
from dimat.spec import PilotSpec
from tests.system import house
from tests.system.faults import Fault
from tests.system.house import House
from tests.system.site_workers import SiteWorker
from worker.simulate import simulate_spec

LEASE_S = 6.0
LONGER_THAN_LEASE_S = LEASE_S + 3.0
SETTINGS = {
    "AWASE_LEASE_S": str(LEASE_S),
    "AWASE_SILENT_AFTER_S": "3",
    "AWASE_STEP_BEAT_S": "1",
    "AWASE_WORKER_BEAT_S": "1",
}
SITES = ("site-a", "site-b", "site-c", "site-d")
SHORTEST_GAP_S, LONGEST_GAP_S = 0.3, 4.0
MOST_AT_ONCE = 2
END_WITHIN_S = 600
TOLD = ("final_artifacts", "rounds", "bytes_exchanged", "bytes_uploaded")
"""What a run tells that no fault may change."""
TOLD_OF_SOME = ("final_artifacts", "rounds")
"""And what it tells of rounds in which sites were away: a site that comes back and falls silent at once may have fetched a model that
`simulate` has it never fetch."""
LIMIT_S = 3.0
"""For which a run waits for a silent site under `skip` and `stop`; silent it is after three seconds."""
LONGER_THAN_LIMIT_S = 3.0 + LIMIT_S + 4.0
ENDS = {"wait": None, "skip": "too_few_sites_left", "stop": "stopped_for_silent_site"}
"""Why a run may end before its last round."""
Policy = Literal["wait", "skip", "stop"]


@dataclass
class Tally:
    """What was done, and what came of it. `wrong`: promises that did not hold, in words."""

    faults: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    attempts_lost: int = 0
    times_without_a_site: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        hit = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        ends = ", ".join(f"{count} {state}" for state, count in sorted(self.runs.items()))
        return (
            f"{self.faults.total()} faults ({hit}); runs: {ends}; {self.attempts_lost} attempts lost and done again; "
            + (f"{self.times_without_a_site} times on without a site; " if self.times_without_a_site else "")
            + f"{len(self.wrong)} promises broken"
        )


def pilot(name: str, rounds: int, policy: Policy = "wait") -> dict[str, Any]:
    """Sites that wait for each other, by a sum and by matching; a round takes half a second to two. Under `skip` and `stop` there are four, on a
    ring, so that no single one is everybody's neighbour."""
    arms = [
        {"name": "alone", "method": "local_only"},
        {"name": "basis", "method": "regmean", "train": {"keep_momentum": True}},
        {"name": "matched", "method": "dimat", "merge": {"wire": {"numbers": "int8"}}},
    ]
    spec = house.small_pilot(name=name, rounds=rounds, train={"warmup_epochs": 5, "epochs": 2}, arms=arms)
    if policy != "wait":
        sites = [{"name": site, "data": house.PENDIGITS} for site in SITES]
        spec |= {
            "sites": sites,
            "topology": {"kind": "ring"},
            "silent": {"policy": policy, "limit_s": LIMIT_S},
        }
    return spec


@contextmanager
def remote_sites(up: House, folder: Path, **settings: str) -> Iterator[list[SiteWorker]]:
    """The sites of a pilot under `skip` or `stop`, each served by a worker of its own."""
    with ExitStack() as stack:
        found = []
        for site in SITES:
            up.post("/sites", {"name": site, "data": house.PENDIGITS, "placement": "remote"})
            found.append(stack.enter_context(SiteWorker(site, folder / site, **SETTINGS, **settings)))
        house.until(
            lambda: all(site["state"] == "online" for site in up.get("/sites")["items"]),
            "all are online",
            300,
        )
        yield found


def chaos(
    up: House,
    faults: Mapping[str, Fault],
    count: int,
    seed: int,
    rounds: int = 20,
    policy: Policy = "wait",
    say: Any = print,
) -> Tally:
    """Does `count` faults to `up`, in shuffled rounds in which each comes once, and lets the last pilot end."""
    random, tally = Random(seed), Tally()
    at_work: list[Thread] = []
    order: list[str] = []
    pilot_id, spec = "", {}
    for number in range(1, count + 1):
        at_work = [thread for thread in at_work if thread.is_alive()]
        if pilot_id == "" or all(run["state"] in house.ENDED for run in up.runs(pilot_id)):
            _wait(at_work)  # what a person does, launching, waits for a server that answers
            _check(up, pilot_id, spec, tally)
            spec = pilot(f"chaos-{number}", rounds, policy)
            pilot_id = up.launch(spec)
        while len(at_work) >= MOST_AT_ONCE:
            at_work[0].join()
            at_work = [thread for thread in at_work if thread.is_alive()]
        if not order:
            order = sorted(faults)
            random.shuffle(order)
        name = order.pop()
        time.sleep(random.uniform(SHORTEST_GAP_S, LONGEST_GAP_S))
        thread = Thread(target=_one, args=(up, name, faults[name], random.getrandbits(32), tally))
        thread.start()
        at_work.append(thread)
        tally.faults[name] += 1
        say(f"{number}/{count} {name}")
    _wait(at_work)
    _check(up, pilot_id, spec, tally)
    return tally


def left_behind(processes: Sequence[psutil.Process]) -> list[str]:
    """Those that still work some seconds after their house was stopped."""
    _gone, alive = psutil.wait_procs(list(processes), timeout=10)
    found = []
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def _one(up: House, name: str, fault: Fault, seed: int, tally: Tally) -> None:
    try:
        fault(up, Random(seed))
    except psutil.NoSuchProcess:
        pass  # another fault was faster
    except Exception as error:
        tally.wrong.append(f"the fault '{name}' could not be done: {error!r}")


def _wait(threads: Sequence[Thread]) -> None:
    for thread in threads:
        thread.join()


@cache
def _simulated(spec_json: str, absences_json: str = "{}") -> dict[str, dict[str, Any]]:
    """By arm what a run tells that nothing disturbed, or whose sites were away as these absences say."""
    told: dict[str, list[dict[str, Any]]] = json.loads(absences_json)
    absences = {(arm, 1): [house.absence_of(one) for one in of_arm] for arm, of_arm in told.items()}
    result = simulate_spec(PilotSpec.model_validate_json(spec_json), absences=absences)
    return {run["arm"]: run for run in json.loads(json.dumps(result))["runs"]}


def _check(up: House, pilot_id: str, spec: Mapping[str, Any], tally: Tally) -> None:
    """Waits for the pilot's end and compares it with what nothing disturbed."""
    if not pilot_id:
        return
    try:
        result = up.wait_for_end(pilot_id, END_WITHIN_S)
    except AssertionError as error:
        tally.wrong.append(f"pilot {pilot_id}: {error}: {[run['progress'] for run in up.runs(pilot_id)]}")
        return
    with_absences = [run for run in up.runs(pilot_id) if run["absences"]]
    away = {run["arm"]: run["absences"] for run in with_absences if run["state"] == "completed"}
    tally.times_without_a_site += sum(len(absences) for absences in away.values())
    known = _simulated(json.dumps({**spec, "name": "undisturbed"}), json.dumps(away))
    policy = spec.get("silent", {}).get("policy", "wait")
    for found in result["runs"]:
        tally.runs[found["state"]] += 1
        if found["state"] != "completed":
            if (found["reason"] or {}).get("code", "").removesuffix("_at_start") != ENDS[policy]:
                tally.wrong.append(f"pilot {pilot_id}, {found['arm']}: {found['state']}, {found['reason']}")
            continue
        undisturbed, absences = known[found["arm"]], away.get(found["arm"], [])
        tally.wrong += [
            f"pilot {pilot_id}, {found['arm']}: {name} are not those of an undisturbed run: "
            f"{first_difference(found[name], undisturbed[name])}; absences {absences}"
            for name in (TOLD_OF_SOME if absences else TOLD)
            if found[name] != undisturbed[name]
        ]
    with closing(Database(_database_url(up))) as database, database.read() as session:
        ours = StepRow.pilot_id == pilot_id
        tally.attempts_lost += session.scalar(select(func.sum(StepRow.attempt - 1)).where(ours)) or 0
        tally.wrong += [
            f"pilot {pilot_id}: {step.kind} of {step.site_name} in round {step.round} has not ended: {step.state}, attempt {step.attempt}"
            for step in session.scalars(select(StepRow).where(ours, StepRow.state.not_in(STEP_ENDS)))
        ]
        tally.wrong += [f"{what} counts {times} times" for what, times in _applied_twice(session, pilot_id)]


def first_difference(found: Any, known: Any, path: str = "") -> str:
    """Where two values read from JSON differ first, and in what; empty where they are equal."""
    if found == known:
        return ""
    if isinstance(found, dict) and isinstance(known, dict):
        parts = [(f".{name}", found.get(name), known.get(name)) for name in sorted({*found, *known})]
    elif isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        parts = [(f"[{index}]", *pair) for index, pair in enumerate(zip(found, known, strict=True))]
    else:
        return f"{path.lstrip('.')} is {found!r}, not {known!r}"
    return next(
        (told for name, ours, theirs in parts if (told := first_difference(ours, theirs, path + name))),
        f"{path.lstrip('.')} has not the same names",
    )


def _applied_twice(session: Session, pilot_id: str) -> list[tuple[tuple[object, ...], int]]:
    """Ends of steps that were told, and exchanges that were booked, more than once."""
    told = session.execute(
        select(EventRow.code, EventRow.run_id, EventRow.params).where(
            EventRow.pilot_id == pilot_id, EventRow.code.in_(("site_merged", "site_trained"))
        )
    )
    crossed = session.execute(
        select(ExchangeRow.step_id, ExchangeRow.from_index, ExchangeRow.purpose)
        .join(StepRow, StepRow.id == ExchangeRow.step_id)
        .where(StepRow.pilot_id == pilot_id, ExchangeRow.result == "accepted")
    )
    counted = Counter[tuple[object, ...]](
        (code, run_id, params["round"], params["site"]) for code, run_id, params in told
    )
    counted.update(tuple(row) for row in crossed)
    return [(what, times) for what, times in counted.items() if times > 1]


def _database_url(up: House) -> str:
    return str(up.part("coordinator").environ()["DATABASE_URL"])
