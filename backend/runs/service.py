"""Runs as people read them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.db.paging import Order, page
from backend.db.tables import AbsenceRow, PilotRow, RunRow, StepRow, utc_now
from backend.errors import NotFound
from backend.pilots import service as pilots
from backend.pilots.amendments import for_run, in_force_of_each
from backend.pilots.specs import stored_spec
from backend.pilots.timers import AT_WORK, NextRound, next_rounds
from backend.runs import absences, repository
from backend.runs.away import away_in
from backend.runs.lead import Slowest, slowest_of_others
from backend.runs.methods_since import methods_since
from backend.runs.progress import Behind, Closed, Due, StepFact, run_progress
from backend.runs.repository import RunFilter
from backend.runs.schemas import MethodFrom, Run, RunPage, RunSort
from backend.runs.standing import set_aside
from backend.runs.states import RUN_ENDS
from backend.sites import windows
from backend.sites.windows import Opening
from backend.text.schemas import Text
from backend.web import ListQuery
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment, amended_plan
from dimat.spec import PilotSpec

_TRYING = ("ready", "dispatched", "running")
"""States of a step in which `reason` says how the attempt before ended."""


def list_runs(session: Session, paging: ListQuery, wanted: RunFilter, sort: RunSort) -> RunPage:
    found = page(
        session, repository.matching(wanted), repository.sort_order(sort), paging.cursor, paging.limit
    )
    return RunPage(items=_runs(session, found.rows), next_cursor=found.next_cursor, total=found.total)


def list_of_pilot(session: Session, pilot_id: str, paging: ListQuery) -> RunPage:
    """Raises: NotFound."""
    pilots.row_of(session, pilot_id)
    found = page(session, repository.in_pilot(pilot_id), [Order(RunRow.id)], paging.cursor, paging.limit)
    return RunPage(items=_runs(session, found.rows), next_cursor=found.next_cursor, total=found.total)


def all_of_pilot(session: Session, pilot_id: str) -> list[Run]:
    """In the order in which they were made."""
    return _runs(session, repository.of_pilot(session, pilot_id))


def get(session: Session, id: str) -> Run:
    """Raises: NotFound."""
    return _runs(session, [row_of(session, id)])[0]


def row_of(session: Session, id: str) -> RunRow:
    """Raises: NotFound."""
    row = repository.by_id(session, id)
    if row is None:
        raise NotFound("run", id)
    return row


def spec_of(session: Session, run: RunRow) -> PilotSpec:
    return pilots.spec_of(session, run.pilot_id)


def facts(steps: Sequence[StepRow], shown: Sequence[str]) -> list[StepFact]:
    """Rows as values for words; `shown`: what people call the sites, by index."""
    return [
        StepFact(
            s.round, s.kind, s.site_index, shown[s.site_index], s.state, s.attempt - s.taken_back,
            s.reason["code"] if s.state in _TRYING and s.reason is not None else None,
        )
        for s in steps
    ]  # fmt: skip


def shown_names(spec: PilotSpec) -> list[str]:
    """What people call the sites, by index."""
    return [site.display_name or site.name for site in spec.sites]


def seconds(run: RunRow, now: datetime) -> float | None:
    """From start to end, or to `now`; None before the start."""
    if run.started_at is None:
        return None
    return max(((run.finished_at or now) - run.started_at).total_seconds(), 0.0)


def _runs(session: Session, rows: Sequence[RunRow]) -> list[Run]:
    pilot_of = pilots.rows_of(session, {row.pilot_id for row in rows})
    specs = {id: stored_spec(pilot) for id, pilot in pilot_of.items()}
    shown = {id: shown_names(spec) for id, spec in specs.items()}
    means = repository.means(session, [row.id for row in rows])
    steps = repository.open_steps(session, rows)
    gone = absences.rows_of(session, [row.id for row in rows])
    known = in_force_of_each(session, list(pilot_of))
    made = {row.id: for_run(known[row.pilot_id], row.id) for row in rows}
    next, now = next_rounds(session, list(pilot_of)), utc_now()
    shut = windows.closed(session, now)
    begun, slowest = _restarted(session, rows), slowest_of_others(session, list(pilot_of))
    aside, instead = set_aside(session, rows), repository.counting_instead(session, rows)
    return [
        _run(
            row, pilot_of[row.pilot_id], specs[row.pilot_id], shown[row.pilot_id],
            means.get(row.id, (None, None, None)), steps.get(row.id, []), gone[row.id],
            _away(row, specs[row.pilot_id], made[row.id], gone[row.id]),
            next.get(row.pilot_id) if row.state in AT_WORK else None,
            closed_in(specs[row.pilot_id], shut),
            behind_of(row, row.rounds_done + 1, specs[row.pilot_id], made[row.id], slowest.get(row.id)),
            begun.get(row.id), instead.get(row.id),
            methods_since(specs[row.pilot_id], row.arm, _reached(row, made[row.id])), aside.get(row.id, 0), now,
        )
        for row in rows
    ]  # fmt: skip


def _reached(row: RunRow, amendments: Sequence[Amendment]) -> Sequence[Amendment]:
    """Those that count in it, or will: of a run that has ended none of rounds to which it never got."""
    if row.state not in RUN_ENDS:
        return amendments
    return [one for one in amendments if one.from_round <= row.rounds_done + 1]


def _restarted(session: Session, rows: Sequence[RunRow]) -> Mapping[str, Text]:
    """By run who began it anew, when and why, where somebody did: its reason says so only until it starts."""
    parents = {row.parent_run_id for row in rows if row.parent_run_id is not None}
    found = {}
    for entry in audit.about(session, "run_restarted", "run", parents) if parents else ():
        why = entry.params.get("why")
        said = {"who": entry.actor_name, "at": entry.at.isoformat(), "round": entry.params["round"]}
        code, more = ("restarted_why", {"why": why}) if why else ("restarted", {})
        found[str(entry.params.get("run_id"))] = Text(code=code, params=said | more)
    return found


def _away(
    row: RunRow, spec: PilotSpec, amendments: Sequence[Amendment], gone: Sequence[AbsenceRow]
) -> Collection[int]:
    """Who is not waited for in the round that comes: who takes no part, by plan or as it fell silent."""
    if row.state in RUN_ENDS:
        return ()
    silent = [absences.value_of(one, spec) for one in gone]
    away_at = away_in(spec, row.arm, amendments, silent)
    return away_at(min(row.rounds_done + 1, row.rounds), "after_train")


def due_in(spec: PilotSpec, next: NextRound | None, now: datetime) -> Due | None:
    """The next round of a pilot with a timetable; None where that is about to begin."""
    if next is None or spec.timetable is None or (next.due_at <= now and not next.is_behind):
        return None
    zone = spec.timetable.time_zone
    return Due(next.round, next.due_at.isoformat(), zone, next.due_at <= now)


def _holds_next(row: RunRow, due: Due | None, behind: Behind | None) -> Due | Behind | None:
    """What keeps the next round of a run from beginning: its time first, if that is of this round."""
    return due if due is not None and due.round <= row.rounds_done + 1 else behind


def behind_of(
    row: RunRow, round: int, spec: PilotSpec, made: Sequence[Amendment], slowest: Slowest | None
) -> Behind | None:
    """The arm that `round` of a run waits for, if sites train alone in it and the run is far enough ahead."""
    if slowest is None or round <= slowest.last_round or round > row.rounds:
        return None
    is_alone = amended_plan(spec, row.arm, made, round).method == CONTROL_METHOD
    return Behind(round, slowest.arm, slowest.at) if is_alone else None


def closed_in(spec: PilotSpec, shut: Mapping[str, Opening]) -> dict[int, Closed]:
    """By index the sites of the pilot that are outside of their windows."""
    return {
        index: Closed(shut[name].at.isoformat(), shut[name].time_zone)
        for index, name in enumerate(spec.site_names)
        if name in shut
    }


def _run(
    row: RunRow, pilot: PilotRow, spec: PilotSpec, shown: Sequence[str],
    means: tuple[float | None, float | None, int | None], steps: Sequence[StepRow], gone: Sequence[AbsenceRow],
    away: Collection[int], next: NextRound | None, closed: Mapping[int, Closed],
    behind: Behind | None, restarted: Text | None, instead: str | None, methods: Sequence[MethodFrom], aside: int, now: datetime,
) -> Run:  # fmt: skip
    return Run.model_validate(
        {
            "id": row.id, "pilot_id": row.pilot_id, "pilot_name": pilot.name,
            "pilot_title": pilot.title, "arm": row.arm,
            "method": row.method, "methods_since": methods, "seed": row.seed, "state": row.state, "reason": row.reason,
            "parent_run_id": row.parent_run_id, "from_round": row.from_round, "replaced_by": row.replaced_by,
            "counts_instead": instead, "restarted": restarted,
            "rounds": row.rounds, "rounds_done": row.rounds_done, "num_sites": row.num_sites,
            "bytes_exchanged": row.bytes_exchanged - aside, "bytes_uploaded": row.bytes_uploaded,
            "bytes_evaluation": row.bytes_evaluation, "bytes_wasted": row.bytes_wasted + aside,
            "busy_s": row.busy_s, "cpu_s": row.cpu_s, "gpu_s": row.gpu_s, "created_at": row.created_at,
            "started_at": row.started_at, "finished_at": row.finished_at, "seconds": seconds(row, now),
            "own_site_mean": means[0], "all_site_mean": means[1], "mean_over": means[2],
            "progress": run_progress(
                row.state, row.rounds, row.rounds_done, shown, facts(steps, shown), away,
                _holds_next(row, due_in(spec, next, now), behind), closed, None if row.finished_at is None else row.finished_at.isoformat(),
            ),
            "next_round": None if next is None else next.round,
            "next_round_at": None if next is None else next.due_at,
            "absences": [
                {
                    "site": one.site_name, "display_name": shown[one.site_index], "from_round": one.from_round,
                    "until_round": one.until_round, "undone": [{"round": round, "kind": kind} for round, kind in one.undone], "at": one.at, "back_at": one.back_at,
                }
                for one in gone
            ],
            "revision": row.revision,
        }
    )  # fmt: skip
