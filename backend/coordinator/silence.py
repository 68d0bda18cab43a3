"""What becomes of runs that wait for a site of which nothing is heard: they wait on, stop, or go on without it and take it back.

Which rounds it misses, and when it may come back, is `dimat.leaving`'s to say; here are only the rows. A run waits for a site from the
moment on at which the site was last heard of, or at which what it is to do was ready, whichever came later: a site that is silent and has
nothing to do keeps nobody waiting.
"""

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from backend.coordinator import endings, repository, silence_repository
from backend.coordinator.advance import MOVING, Advance
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.coordinator.silence_repository import Waiting
from backend.db.tables import AbsenceRow, RunRow
from backend.events.service import record
from backend.runs.absences import absences_of, value_of
from backend.text.schemas import Params
from dimat.leaving import absence_of, is_short, round_of_return, short_round
from dimat.schedule import Schedule

LEFT_OUT: dict[str, Any] = {"code": "site_left_out", "params": {}}


class Silence:
    """Within the caller's transaction, each run apart from the others."""

    def __init__(self, plans: Plans, advance: Advance) -> None:
        self._plans, self._advance = plans, advance

    def look(self, session: Session, now: datetime, listens_since: datetime | None, changes: Changes) -> None:
        """At every live run that waits for a silent site, or goes on without one that is back."""
        found = silence_repository.waiting_for_silent(session, now, listens_since)
        for run_id, waiting in found.items():
            run = session.get_one(RunRow, run_id, populate_existing=True)
            work = partial(self._wait, session, run, waiting, now)
            self._advance.apart(session, [run], work, now, changes)
        for row in silence_repository.back_online(session):
            run = session.get_one(RunRow, row.run_id, populate_existing=True)
            self._advance.apart(
                session, [run], partial(self._take_back, session, run, row, now), now, changes
            )
        for run in silence_repository.with_absences(session):
            self._advance.apart(session, [run], partial(self._end_short, session, run, now), now, changes)

    def _wait(
        self, session: Session, run: RunRow, waiting: list[Waiting], now: datetime, changes: Changes
    ) -> None:
        silent = self._plans.spec(session, run.pilot_id).silent
        schedule = self._plans.run(session, run).schedule
        for one in waiting:
            is_over = silent.limit_s is not None and one.seconds >= silent.limit_s
            # A site that joins later prepares, too, and keeps nobody waiting until then.
            is_needed = one.step.run_id is not None or _takes_part(schedule, one.step.site_index, run)
            if not is_over or not is_needed or run.state not in MOVING:
                continue
            if silent.policy == "skip" and self._leave_out(session, run, one, now, changes):
                continue
            code = {"wait": "site_silent_too_long", "stop": "stopped_for_silent_site"}.get(
                silent.policy, "too_few_sites_left"
            )
            about = {"site": self._shown(session, run, one.step.site_index), "seconds": round(one.seconds)}
            reason = {"code": code, "params": {**about, "round": one.step.round}}
            self._advance.end(session, run, reason, now, changes)

    def _leave_out(
        self, session: Session, run: RunRow, waited: Waiting, now: datetime, changes: Changes
    ) -> bool:
        """Goes on without the site; False: too few would be left, in whatever round."""
        site, schedule = waited.step.site_index, self._plans.run(session, run).schedule
        spec = self._plans.spec(session, run.pilot_id)
        done, _ = self._advance.done_and_known(session, run)
        absence = absence_of(schedule, site, spec.site_names[site], done)
        if absence is None:
            return True
        amendments, others = self._plans.run(session, run).amendments, absences_of(session, run, spec)
        without = Schedule.of(spec, run.arm, amendments, [*others, absence])
        if short_round(without, run.rounds_done) is not None:
            return False
        round = min(absence.from_round, run.rounds)
        session.add(
            AbsenceRow(
                run_id=run.id, site_index=site, site_name=spec.site_names[site], from_round=absence.from_round, at=now,
                undone=[list(step) for step in absence.undone],
            )
        )  # fmt: skip
        for step in repository.live_steps(session, run.id):
            if step.site_index == site:
                endings.set_aside(session, step, "skipped", LEFT_OUT, now, changes)
        shown = self._shown(session, run, site)
        about: Params = {"site": shown, "round": absence.from_round, "seconds": int(waited.seconds)}
        self._tell(session, run, "site_left_out", about)
        self._go_on(session, run, now, changes)
        self._tell_who_is_alone(session, run, schedule, round)
        return True

    def _tell_who_is_alone(self, session: Session, run: RunRow, before: Schedule, round: int) -> None:
        """Sites that have nobody left to merge with train on, and that is said."""
        after = self._plans.run(session, run).schedule
        if not after.plan_of(round).merges_in(round) and run.method == "local_only":
            return
        near, left = before.whole_of(round), after.whole_of(round)
        for site in sorted(after.members_of(round)):
            if near.neighbours(site) and not left.neighbours(site):
                alone: Params = {"site": self._shown(session, run, site), "round": round}
                self._tell(session, run, "site_alone", alone)

    def _take_back(
        self, session: Session, run: RunRow, row: AbsenceRow, now: datetime, changes: Changes
    ) -> None:
        spec, plan = self._plans.spec(session, run.pilot_id), self._plans.run(session, run)
        absence = value_of(row, spec)
        others = [one for one in absences_of(session, run, spec) if one != absence]
        present = Schedule.of(spec, run.arm, plan.amendments, others)
        _, known = self._advance.done_and_known(session, run)
        round = round_of_return(present, row.site_index, absence, known, run.rounds_done)
        if round is None:
            return
        row.until_round, row.back_at = round, now
        about: Params = {"site": self._shown(session, run, row.site_index), "round": round}
        self._tell(session, run, "site_back_in", about)
        self._go_on(session, run, now, changes)

    def _end_short(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """Ends a run whose next round too few sites would finish."""
        round = run.rounds_done + 1
        if round <= run.rounds and is_short(self._plans.run(session, run).schedule, round):
            reason = {"code": "too_few_sites_in_round", "params": {"round": round}}
            self._advance.end(session, run, reason, now, changes)

    def _go_on(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        session.flush()
        self._plans.forget(run.id)
        self._advance.look_again(session, run, now, changes)

    def _shown(self, session: Session, run: RunRow, site: int) -> str:
        return self._plans.shown(session, run.pilot_id, site)

    def _tell(self, session: Session, run: RunRow, code: str, params: Params) -> None:
        record(session, code, pilot_id=run.pilot_id, run_id=run.id, params=params)


def _takes_part(schedule: Schedule, site: int, run: RunRow) -> bool:
    """Whether the site takes part in the round that the run is to finish next."""
    return site in schedule.members_of(min(run.rounds_done + 1, run.rounds))
