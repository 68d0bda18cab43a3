"""Steps of a run as people read them, with those that still wait and for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from backend.db.paging import Order, keyed_page, page
from backend.db.tables import RunRow, StepRow, utc_now
from backend.pilots.amendments import amendments_of
from backend.pilots.timers import AT_WORK, next_round
from backend.runs import repository, service
from backend.runs.absences import absences_of
from backend.runs.lead import slowest_of_others
from backend.runs.progress import Behind, Closed, Due, named, step_words, window_params
from backend.runs.schemas import Step, StepPage
from backend.runs.states import RUN_ENDS
from backend.runs.turns import turn_behind
from backend.sites import windows
from backend.sites.windows import Opening
from backend.text.schemas import Text
from backend.web import ListQuery
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec

_RESUMES = frozenset({"retrying", "running", "completed"})
"""States whose words say where training went on, or will."""
_IN_ORDER_OF_WORK: tuple[str, ...] = ("prepare", "adopt", "align", "evaluate", "gather", "merge", "train")


def list_steps(session: Session, run_id: str, paging: ListQuery, round: int | None) -> StepPage:
    """Raises: NotFound."""
    run = service.row_of(session, run_id)
    spec = service.spec_of(session, run)
    now = utc_now()
    look = _Look(run, spec, now, {} if run.state in RUN_ENDS else windows.closed(session, now))
    if round is None:
        order = [Order(StepRow.round), Order(StepRow.id)]
        found = page(session, repository.steps_of(run), order, paging.cursor, paging.limit)
        items = _steps(session, look, found.rows)
        return StepPage(items=items, next_cursor=found.next_cursor, total=found.total)
    rows = repository.steps_of_round(session, run, round)
    steps = _steps(session, look, rows) + _waiting(session, look, round, rows)
    part, next_cursor = keyed_page(steps, _place, paging.cursor, paging.limit)
    return StepPage(items=part, next_cursor=next_cursor, total=len(steps))


def _place(step: Step) -> tuple[int, int]:
    """Where a step stands in its round. Not where its row stands: a step that waits has none yet, and gets one between two
    pages."""
    return _IN_ORDER_OF_WORK.index(step.kind), step.site_index


@dataclass(frozen=True, slots=True)
class _Look:
    """At a run. `shut`: the sites that are outside of their windows."""

    run: RunRow
    spec: PilotSpec
    now: datetime
    shut: Mapping[str, Opening]


def _steps(session: Session, look: _Look, rows: Sequence[StepRow]) -> list[Step]:
    """As people read them, and behind whose steps those wait that could begin."""
    told: dict[str, Text | None] = {}
    if look.run.state == "running":
        due = [
            row for row in rows if row.state in ("ready", "dispatched") and not _is_retrying(row, look.now)
        ]
        ahead = repository.under_way_where(session, {row.site_name for row in due})
        for row in due:
            is_sent = row.state == "dispatched"
            told[row.id] = turn_behind(row.pilot_id, row.run_id, is_sent, ahead.get(row.site_name, ()))
    return [_step(row, look, told.get(row.id)) for row in rows]


def _is_retrying(row: StepRow, now: datetime) -> bool:
    return row.state in ("ready", "lost") and row.next_try_at is not None and row.next_try_at > now


def _waiting(session: Session, look: _Look, round: int, rows: Sequence[StepRow]) -> list[Step]:
    """The steps of a live run's round that have no row yet. They wait for others."""
    run, spec = look.run, look.spec
    if run.state in RUN_ENDS or not 0 <= round <= run.rounds:
        return []
    gone = absences_of(session, run, spec)
    schedule = Schedule.of(spec, run.arm, amendments_of(session, run.pilot_id, run.id), gone)
    before = repository.steps_of_round(session, run, round - 1) if round else []
    done = {repository.key_of(row) for row in (*before, *rows) if row.state == "completed"}
    if schedule.turns:  # who joins waits for what it had to do before, however long ago that was
        done |= {
            repository.key_of(row)
            for row in repository.steps_since(session, run, 0)
            if row.state == "completed"
        }
    known = {repository.key_of(row) for row in rows}
    sites = range(len(spec.sites))
    wanted = [StepKey(0, "prepare", site) for site in sites] if round == 0 else []
    wanted += schedule.steps_in(round)
    next = next_round(session, run.pilot_id) if run.state in AT_WORK else None
    is_due = next is None or next.may_begin(round)
    due = None if is_due else service.due_in(spec, next, look.now)
    slowest = slowest_of_others(session, [run.pilot_id]).get(run.id)
    held = due or service.behind_of(run, round, spec, amendments_of(session, run.pilot_id, run.id), slowest)
    until = next.due_at if next is not None and next.round == round else None
    closed = service.closed_in(spec, look.shut)
    return [
        _not_begun(
            step,
            spec,
            [needed for needed in schedule.inputs(step) if needed not in done],
            run.state,
            held,
            until,
            closed,
        )
        for step in wanted
        if step not in known
    ]


def _not_begun(
    key: StepKey,
    spec: PilotSpec,
    missing: Sequence[StepKey],
    run_state: str,
    held: Due | Behind | None,
    until: datetime | None,
    closed: Mapping[int, Closed],
) -> Step:
    """`held`: why the step's round may not begin yet."""
    site = spec.sites[key.site]
    shown = service.shown_names(spec)
    waits_for = [shown[needed.site] for needed in missing]
    others = list(dict.fromkeys(needed.site for needed in missing if needed.site != key.site))
    waiting = named([shown[site] for site in others])
    words = step_words(key.kind, "waiting", shown[key.site], {"waiting": waiting})
    if missing and not others:
        words = step_words("any", "waiting_own", shown[key.site], {"kind": missing[0].kind})
    away = [site for site in others if site in closed]
    if away:
        about = window_params(shown, away, closed)
        about |= {"waiting": waiting, "names": about["waiting"]}
        words = step_words("any", "waiting_for_windows", shown[key.site], about)
    if not missing and run_state != "running":
        words = _held_by(run_state, shown[key.site])
    elif not missing:
        words = (
            step_words("any", "begins_soon", shown[key.site], {})
            if held is None
            else step_words("any", held.code, shown[key.site], held.params)
        )
    return Step.model_validate(
        {
            "id": None, "round": key.round, "kind": key.kind, "site_index": key.site, "site_name": site.name,
            "display_name": shown[key.site], "state": "waiting", "attempt": 0, "progress": 0.0,
            "device": None, "started_at": None, "finished_at": None, "seconds": None, "num_epochs": None, "resumed": None, "next_try_at": None,
            "artifact_sha256": None, "reason": None, "waits_for": waits_for, "behind": None,
            "waits_until": until, "words": words,
        }
    )  # fmt: skip


def _held_by(run_state: str, shown: str) -> Text:
    """Of a step that lacks nothing but a run that goes on."""
    return step_words("any", "run_is_ending" if run_state == "cancelling" else "waiting_for_run", shown, {})


def _step(row: StepRow, look: _Look, behind: Text | None) -> Step:
    shown = service.shown_names(look.spec)[row.site_index]
    opening = look.shut.get(row.site_name) if row.state == "ready" else None
    words = _words(row, shown, look.now, is_held=behind is not None)
    if opening is not None:
        words = step_words(
            "any", "waiting_for_window", shown, {"opens": opening.at.isoformat(), "zone": opening.time_zone}
        )
    # What all runs begin with is prepared though this one is paused.
    if (
        row.state in ("ready", "lost")
        and row.run_id is not None
        and look.run.state not in ("running", *RUN_ENDS)
    ):
        words = _held_by(look.run.state, shown)
    return Step.model_validate(
        {
            "id": row.id, "round": row.round, "kind": row.kind, "site_index": row.site_index,
            "site_name": row.site_name, "display_name": shown, "state": row.state, "attempt": row.attempt,
            "progress": row.progress, "device": row.device, "started_at": row.started_at,
            "finished_at": row.finished_at, "seconds": row.seconds, "num_epochs": row.num_epochs, "resumed": row.resumed,
            "next_try_at": row.next_try_at,
            "artifact_sha256": row.artifact_sha256, "reason": row.reason, "waits_for": [],
            "behind": None if opening else behind, "waits_until": opening and opening.at, "words": words,
        }
    )  # fmt: skip


def _words(row: StepRow, shown: str, now: datetime, is_held: bool) -> Text:
    retrying = _is_retrying(row, now)
    wait_s = max(0, round((row.next_try_at - now).total_seconds())) if retrying and row.next_try_at else 0
    state = "retrying" if retrying else "held" if is_held and row.state == "ready" else row.state
    # What the next attempt will go on with, or this one has gone on with.
    epochs = row.checkpoint["epochs"] if retrying and row.checkpoint else row.resumed
    if epochs and state in _RESUMES:
        state += "_resumed"
    return step_words(
        row.kind,
        state,
        shown,
        {
            **({name: epochs[name] for name in ("done", "asked")} if epochs else {}),
            "round": row.round,
            "attempt": row.attempt,
            "percent": round(100 * row.progress),
            "seconds": _readable(row.seconds),
            "wait_s": wait_s,
        },
    )


def _readable(seconds: float | None) -> float | None:
    """Whole seconds; of less than ten two figures, since many steps take less than a tenth of one."""
    if seconds is None:
        return None
    return round(seconds) if seconds >= 10 else float(f"{seconds:.2g}")
