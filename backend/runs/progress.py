"""How far a run is, and what a step does, as codes of the catalogue. Pure: values in, words out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from backend.runs.states import RUN_ENDS, STEP_LIVE
from backend.text.schemas import Params, Text

NAMED = 3
"""Sites that are named one by one; the others are counted."""
_UNTOLD = 2
"""Attempts of a step that the run's sentence does not tell."""
_DOING = {
    "prepare": "preparing",
    "adopt": "adopting",
    "align": "aligning",
    "evaluate": "start_state",
    "gather": "gathering",
    "merge": "merging",
    "train": "training",
}
# A step that a pause or the end of a window has taken back is no trouble.
_NO_TROUBLE = frozenset({None, "taken_back", "window_closed"})
# States that are told with the last finished round; before the first there is none.
_SINCE_A_ROUND = frozenset({"paused", "resuming", "cancelled", "failed"})


@dataclass(frozen=True, slots=True)
class StepFact:
    """What words need of a step. `site`: the name people read; `attempt`: the one that runs or comes next; `cause`: the code of
    what ended the attempt before."""

    round: int
    kind: str
    site_index: int
    site: str
    state: str
    attempt: int = 1
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The round that may begin next by the pilot's timetable. `at`: in ISO form, read by the clocks of `zone`; `is_over`: it waits
    only for other runs that have not done the round before."""

    round: int
    at: str
    zone: str
    is_over: bool

    @property
    def code(self) -> str:
        return "waiting_for_runs" if self.is_over else "waiting_for_time"

    @property
    def params(self) -> Params:
        return {"round": self.round, "before": self.round - 1, "due": self.at, "zone": self.zone}


@dataclass(frozen=True, slots=True)
class Behind:
    """Another arm, which is in round `at`, for which one that trains alone waits before it begins `round`."""

    round: int
    arm: str
    at: int

    @property
    def code(self) -> str:
        return "waiting_for_arm" if self.at > 0 else "waiting_for_arm_at_start"

    @property
    def params(self) -> Params:
        return {"round": self.round, "arm": self.arm, "at": self.at}


@dataclass(frozen=True, slots=True)
class Closed:
    """A site outside of its time window, which opens at `opens` (ISO form), read by the clocks of `zone`."""

    opens: str
    zone: str


def run_progress(
    state: str, rounds: int, rounds_done: int, sites: Sequence[str], steps: Sequence[StepFact],
    away: Collection[int] = (), due_next: Due | Behind | None = None,
    closed: Mapping[int, Closed] = MappingProxyType({}), ended_at: str | None = None,
) -> Text:  # fmt: skip
    """`round 3: 6 of 8 sites merged, waiting for site-05`, as code and params.

    Args:
        rounds_done: last round all sites finished; -1 before the start state is known everywhere.
        sites: what people call the sites, by index. Those that were left out or take no part at first are not waited for: `away`.
        steps: those known from the last finished round on; order does not matter.
        due_next: of a pilot with a timetable, or of an arm that is far enough ahead. closed: by index the sites outside of their windows.
        ended_at: when the run did, in ISO form.
    """
    params: Params = {"round": max(rounds_done, 0), "rounds": rounds}
    running = list(dict.fromkeys(s.site for s in steps if s.state == "running"))
    if state == "pausing" and running:
        more = max(len(running) - NAMED, 0)
        code = "pausing_behind_more" if more else "pausing_behind"
        return Text(code=code, params={**params, "running": named(running), "more": more})
    at_work = state == "running" or (state == "queued" and len(steps) > 0)
    if not at_work:
        if state == "failed":  # of a cancelled one its reason says when
            params["at"] = ended_at
        return Text(
            code=state + (before_a_round(state, rounds_done) if state in _SINCE_A_ROUND else ""),
            params=params,
        )
    if trouble := _trouble(steps):
        return trouble
    due = set(range(len(sites))) - set(away)
    current = _current_phase(rounds_done, due, steps)
    # Sites may be in several rounds: whoever lacks in the earliest one may have nothing to do, as it may not begin there.
    is_asked = any((s.round, s.kind) == current and s.state in STEP_LIVE for s in steps)
    if not is_asked and due_next is not None and rounds_done + 1 >= due_next.round:
        return Text(code=due_next.code, params={**params, **due_next.params})
    if current is None:
        return Text(code="starting_round", params={**params, "round": min(rounds_done + 1, rounds)})
    round, kind = current
    done = {s.site_index for s in steps if (s.round, s.kind) == current and s.state == "completed"} & due
    # Only those that join take over a model.
    due = due if kind != "adopt" else {s.site_index for s in steps if (s.round, s.kind) == current}
    lacking = [index for index in range(len(sites)) if index in due - done]
    busy = {s.site_index for s in steps if s.state == "running"}
    if lacking and all(index in closed and index not in busy for index in lacking):
        return Text(
            code="waiting_for_window" if round else "waiting_for_window_at_start",
            params={**params, "round": round, **window_params(sites, lacking, closed)},
        )
    missing = [sites[index] for index in lacking]
    params.update(
        round=round,
        done=len(done),
        total=len(due),
        waiting=named(missing),
        more=max(len(missing) - NAMED, 0),
    )
    ending = "" if not missing else "_waiting_more" if len(missing) > NAMED else "_waiting"
    doing = "aligning_in_round" if kind == "align" and round else _DOING[kind]
    return Text(code=doing + ending, params=params)


def before_a_round(state: str, rounds_done: int) -> str:
    """How the code of a run's state ends while no round is finished. Of one that has ended it matters whether its start was."""
    if rounds_done >= 1:
        return ""
    return "_in_first_round" if state in RUN_ENDS and rounds_done == 0 else "_at_start"


def window_params(sites: Sequence[str], lacking: Sequence[int], closed: Mapping[int, Closed]) -> Params:
    """Of sites that are waited for until their windows open: who they are, and when the first of them does."""
    first = min((closed[index] for index in lacking), key=lambda one: one.opens)
    return {"waiting": named([sites[index] for index in lacking]), "opens": first.opens, "zone": first.zone}


def _trouble(steps: Sequence[StepFact]) -> Text | None:
    """That sites try again what has failed twice: once may be anything, and is over before it was read."""
    trying = [s for s in steps if s.cause not in _NO_TROUBLE and s.attempt > _UNTOLD]
    if not trying:
        return None
    first = max(trying, key=lambda s: (s.attempt, -s.site_index))
    params: Params = {
        "round": first.round,
        "site": first.site,
        "attempt": first.attempt,
        "cause": first.cause,
    }
    more = len({s.site_index for s in trying}) - 1
    code = "retrying_more" if more else "retrying"
    return Text(code=code if first.round else f"{code}_at_start", params=params | {"more": more})


def step_words(kind: str, state: str, site: str, params: Mapping[str, str | int | float | None]) -> Text:
    """What one step does: `steps.<kind>.<state>`."""
    return Text(code=f"{kind}.{state}", params={"site": site, **params})


def named(names: Collection[str]) -> str:
    """The first few names, as a list that reads in every language."""
    return ", ".join(list(names)[:NAMED])


def _current_phase(
    rounds_done: int, due: Collection[int], steps: Sequence[StepFact]
) -> tuple[int, str] | None:
    """The earliest phase that has begun and is not finished everywhere; None between two rounds."""
    order = list(_DOING)
    phases = sorted(
        {(s.round, order.index(s.kind)) for s in steps if s.round > rounds_done or rounds_done < 0}
    )
    for round, position in phases:
        kind = order[position]
        done = {s.site_index for s in steps if (s.round, s.kind, s.state) == (round, kind, "completed")}
        of_phase = {s.site_index for s in steps if (s.round, s.kind) == (round, kind)}
        if (of_phase if kind == "adopt" else set(due)) - done:
            return round, kind
    return None
