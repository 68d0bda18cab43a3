"""From rows that are ready to messages on their way. Reads and sends; the state is noted afterwards, so a
crash in between sends a step twice and the fence lets one of them count."""

import itertools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.coordinator import known_repository, repository, runs_repository, taking_turns
from backend.coordinator.memory import Plans
from backend.coordinator.plans import NO_LIMITS, Artifacts, Made, StepId
from backend.coordinator.taking_turns import NEVER, Ready, Room, Served
from backend.db.tables import RunRow, StepRow
from backend.runs.repository import key_of
from dimat import told
from worker.messages.refs import ArtifactRef, CheckpointRef, DeltaRef
from worker.messages.steps import StepLimits, StepMessage

log = logging.getLogger(__name__)
MOST_AT_ONCE = 500
MOST_REMEMBERED = 100_000
Broken = tuple[StepRow, Exception]
"""A step whose message could not be built, and why."""


class Dispatch:
    """Builds the messages of the steps whose turn it is."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._served: dict[tuple[str, str], tuple[int, float]] = {}
        """See `taking_turns.Served`; what is not here is read from the rows, where it matters. Last sent, last in it."""
        self._sent = itertools.count(1)

    def outgoing(
        self, session: Session, now: datetime, rooms: Mapping[str, Room], shut: Collection[str] = ()
    ) -> tuple[list[StepMessage], list[Broken]]:
        """The steps to send now, in the order in which they go, none of the sites `shut`; and one step of each run whose messages cannot be built."""
        chosen = self._chosen(session, now, rooms, shut)
        order = {step.step_id: place for place, step in enumerate(chosen)}
        limits = repository.limits_of(session, {step.site for step in chosen})
        by_run: dict[tuple[str, int, str], list[StepRow]] = {}
        for step in sorted(
            known_repository.rows_of(session, StepRow.id, order), key=lambda row: order[row.id]
        ):
            by_run.setdefault((step.pilot_id, step.seed, step.run_key), []).append(step)
        found: list[StepMessage] = []
        broken: list[Broken] = []
        for (pilot_id, seed, run_id), steps in by_run.items():
            try:
                found += self._of_run(session, pilot_id, seed, run_id, steps, limits)
            except SQLAlchemyError:
                raise
            except Exception as error:
                log.exception("the messages of %d steps of run %s cannot be built", len(steps), run_id)
                broken.append((steps[0], error))
        return sorted(found, key=lambda message: order[message.step_id]), broken

    def sent(self, messages: Iterable[StepMessage]) -> None:
        """Notes whose turn it was. By a count, as clocks are put back."""
        for message in messages:
            at = (message.context.site.name, message.pilot_id)
            self._served.pop(at, None)
            self._served[at] = (1, next(self._sent))
        while len(self._served) > MOST_REMEMBERED:
            del self._served[next(iter(self._served))]

    def _chosen(
        self, session: Session, now: datetime, rooms: Mapping[str, Room], shut: Collection[str]
    ) -> list[Ready]:
        under_way = repository.under_way(session)
        full = taking_turns.full_sites(rooms, under_way)
        most = max((room.most for room in rooms.values()), default=taking_turns.UNHEARD)
        ready = repository.ready_to_send(session, now, full.union(shut), most)
        served = self._served_at(session, ready)
        return taking_turns.choose(ready, rooms, under_way, served)[:MOST_AT_ONCE]

    def _served_at(self, session: Session, ready: Sequence[Ready]) -> Served:
        """Read from the rows only for sites that pilots share: elsewhere nobody has to wait for a turn."""
        pilots: dict[str, set[str]] = {}
        for step in ready:
            pilots.setdefault(step.site, set()).add(step.pilot)
        shared = {(site, pilot) for site, those in pilots.items() if len(those) > 1 for pilot in those}
        if unknown := shared - self._served.keys():
            sites, those = {site for site, _ in unknown}, {pilot for _, pilot in unknown}
            times = repository.last_sent(session, sites, those)
            self._served = {
                **{at: (0, times[at].timestamp()) if at in times else NEVER for at in unknown}, **self._served
            }  # fmt: skip
        return self._served

    def _of_run(
        self,
        session: Session,
        pilot_id: str,
        seed: int,
        run_id: str,
        steps: Sequence[StepRow],
        limits: Mapping[str, StepLimits],
    ) -> list[StepMessage]:
        if run_id:
            run = session.get_one(RunRow, run_id)
        else:  # any run of the seed knows how to prepare
            sharing = runs_repository.runs_sharing(session, pilot_id, seed)
            if not sharing:
                return []
            run = sharing[0]
        plan = self._plans.run(session, run)
        keys = [key_of(step) for step in steps]
        # Only what these steps read: of all sites it would be thousands of rows in every turn.
        read = {needed for key in keys for needed in told.read_by(plan.schedule, key)}
        sites = {key.site for key in (*keys, *read)}
        prepared = repository.prepared_by(session, pilot_id, seed, sites)
        fingerprints = {row.site_index: row.fingerprint for row in prepared}
        artifacts = _artifacts(prepared)
        if run_id:
            rounds = {needed.round for needed in read}
            artifacts |= _artifacts(repository.made_in(session, run_id, rounds, sites))
        return [
            plan.message(
                key,
                StepId(
                    step.id,
                    step.attempt,
                    pilot_id,
                    step.run_id,
                    _checkpoint(step),
                    limits.get(step.site_name, NO_LIMITS),
                ),
                artifacts,
                fingerprints.get(step.site_index),
            )
            for key, step in zip(keys, steps, strict=True)
        ]


def _checkpoint(step: StepRow) -> CheckpointRef | None:
    if step.checkpoint is None:
        return None
    return CheckpointRef.model_validate({name: step.checkpoint[name] for name in CheckpointRef.model_fields})


def _artifacts(rows: Sequence[Row[Any]]) -> Artifacts:
    return {key_of(row): _made(row) for row in rows if row.artifact_sha256 is not None}


def _made(row: Row[Any]) -> Made:
    model = ArtifactRef(sha256=row.artifact_sha256, num_bytes=row.artifact_bytes or 0)
    beside = dict(row.extras or {})
    delta = beside.pop("delta", None)
    return Made(
        model,
        delta=None if delta is None else DeltaRef.model_validate(delta),
        **{name: ArtifactRef.model_validate(ref) for name, ref in beside.items()},
    )
