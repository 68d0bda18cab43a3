"""What becomes of runs that wait for a site of which nothing is heard: they wait on, stop, or go on without it and take it back.

Which rounds it misses, and when it may come back, is `dimat.leaving`'s to say; here are only the rows. A run waits for a site from the
moment on at which the site was last heard of, or at which what it is to do was ready, whichever came later: a site that is silent and has
nothing to do keeps nobody waiting.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from backend.coordinator import endings, repository, silence_repository
from backend.coordinator.advance import MOVING, Advance
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.coordinator.plans import RunPlan
from backend.coordinator.silence_repository import Asked
from backend.db.tables import AbsenceRow, RunRow, StepRow
from backend.events.service import record
from backend.pilots.timers import next_round
from backend.runs.absences import absences_of, rows_of, value_of
from backend.runs.lead import round_open_since, slowest_of_others, trains_alone
from backend.runs.listening import Listening
from backend.runs.waiting import in_turn, over_at, waits_since
from backend.sites.windows import window_of
from backend.text.schemas import Params
from dimat.absence import Absence
from dimat.leaving import Moment, is_short
from dimat.schedule import Schedule

LEFT_OUT: dict[str, Any] = {"code": "site_left_out", "params": {}}


class Waiting(NamedTuple):
    """A step of a silent site, and since when and for how long its run has waited for it (`Listening.heard_s`)."""

    asked: Asked
    since: datetime
    seconds: float

    @property
    def step(self) -> StepRow:
        return self.asked.step

    def over_at(self, limit_s: float, listening: Listening) -> datetime:
        return over_at(self.step, self.since, limit_s, window_of(self.asked.window), listening)


class Silence:
    """Within the caller's transaction, each run apart from the others."""

    def __init__(self, plans: Plans, advance: Advance) -> None:
        self._plans, self._advance = plans, advance
        self._too_late: dict[str, RunPlan] = {}
        """By absence whose site is back, and has no round left in which it could take part, the plan under which that is so."""

    def look(self, session: Session, now: datetime, listening: Listening, changes: Changes) -> None:
        """At every live run that waits for a silent site, or goes on without one that is back."""
        for run_id, asked in silence_repository.asked_of_silent(session).items():
            run = session.get_one(RunRow, run_id, populate_existing=True)
            work = partial(self._wait, session, run, asked, now, listening)
            self._advance.apart(session, [run], work, now, changes)
        back = silence_repository.back_online(session)
        there = {id for ids in back.values() for id in ids}
        self._too_late = {id: plan for id, plan in self._too_late.items() if id in there}
        for run_id, ids in back.items():
            run = session.get_one(RunRow, run_id, populate_existing=True)
            self._advance.apart(
                session, [run], partial(self._take_back, session, run, ids, now), now, changes
            )
        for run in silence_repository.with_absences(session):
            self._advance.apart(session, [run], partial(self._end_short, session, run, now), now, changes)

    def _wait(
        self, session: Session, run: RunRow, asked: Sequence[Asked], now: datetime, listening: Listening,
        changes: Changes,
    ) -> None:  # fmt: skip
        silent = self._plans.spec(session, run.pilot_id).silent
        if run.state not in MOVING or silent.limit_s is None:
            return
        waited = self._waited(session, run, asked, now, listening)
        late_at = {
            site: one.over_at(silent.limit_s, listening)
            for site, one in waited.items()
            if one.seconds >= silent.limit_s
        }
        if not late_at:
            return
        late = {site: waited[site] for site in in_turn(late_at)}
        code = {"wait": "site_silent_too_long", "stop": "stopped_for_silent_site"}.get(
            silent.policy, "too_few_sites_left"
        )
        needed: int | None = next(iter(late))
        if silent.policy == "skip":
            needed = self._leave_out(session, run, late, now, changes)
        if needed is None:
            return
        about = {"site": self._shown(session, run, needed), "seconds": round(late[needed].seconds)}
        reason = {"code": code, "params": {**about, "round": late[needed].step.round}}
        self._advance.end(session, run, reason, now, changes)

    def _waited(
        self, session: Session, run: RunRow, asked: Sequence[Asked], now: datetime, listening: Listening
    ) -> dict[int, Waiting]:
        """By silent site for which the run waits the step for which it has waited longest."""
        schedule = self._plans.run(session, run).schedule
        opened = cache(lambda: round_open_since(session, run, schedule))
        found: dict[int, Waiting] = {}
        for one in asked:
            site = one.step.site_index
            # A site that joins later prepares, too, and keeps nobody waiting until then.
            if one.is_shared and not _takes_part(schedule, site, run):
                continue
            since = waits_since(
                one.step, one.is_shared, one.last_seen_at, run.resumed_at, run.rounds_done, opened, now
            )
            if since is None:
                continue
            seconds = listening.heard_s(since, now, window_of(one.window))
            if site not in found or found[site].seconds < seconds:
                found[site] = Waiting(one, since, seconds)
        return found

    def _leave_out(
        self, session: Session, run: RunRow, late: Mapping[int, Waiting], now: datetime, changes: Changes
    ) -> int | None:
        """Goes on without the sites, in their order, as long as enough are left; the first without which too few would be."""
        spec, before = self._plans.spec(session, run.pilot_id), self._plans.run(session, run).schedule
        found, needed = self._moment(session, run, absences_of(session, run, spec)).leave(late)
        if not found:
            return needed
        for site, absence in found.items():
            session.add(
                AbsenceRow(
                    run_id=run.id, site_index=site, site_name=absence.site, from_round=absence.from_round, at=now,
                    undone=[list(step) for step in absence.undone],
                )
            )  # fmt: skip
        for step in repository.live_steps(session, run.id):
            if step.site_index in found:
                endings.set_aside(session, step, "skipped", LEFT_OUT, now, changes)
        for site, absence in found.items():
            shown, seconds = self._shown(session, run, site), int(late[site].seconds)
            about: Params = {"site": shown, "round": absence.first_missed, "seconds": seconds}
            is_of_rounds = absence.first_missed <= run.rounds
            self._tell(session, run, "site_left_out" if is_of_rounds else "start_not_judged", about)
        self._go_on(session, run, now, changes)
        rounds = {min(absence.from_round, run.rounds) for absence in found.values()}
        self._tell_who_is_alone(session, run, before, sorted(rounds))
        return needed

    def _tell_who_is_alone(
        self, session: Session, run: RunRow, before: Schedule, rounds: Iterable[int]
    ) -> None:
        """Sites that have nobody left to merge with train on, and that is said once."""
        after, told = self._plans.run(session, run).schedule, set[int]()
        for round in rounds:
            if trains_alone(after, round):
                continue
            near, left = before.whole_of(round), after.whole_of(round)
            for site in sorted(after.members_of(round) - told):
                if near.neighbours(site) and not left.neighbours(site):
                    told.add(site)
                    alone: Params = {"site": self._shown(session, run, site), "round": round}
                    self._tell(session, run, "site_alone", alone)

    def _take_back(
        self, session: Session, run: RunRow, ids: Sequence[str], now: datetime, changes: Changes
    ) -> None:
        spec, plan = self._plans.spec(session, run.pilot_id), self._plans.run(session, run)
        if all(self._too_late.get(id) is plan for id in ids):
            return
        rows = rows_of(session, [run.id])[run.id]
        there = set(ids)
        places = [place for place, row in enumerate(rows) if row.id in there]
        moment = self._moment(session, run, [value_of(row, spec) for row in rows])
        found = moment.come_back(places)
        for place, round in found.items():
            rows[place].until_round, rows[place].back_at = round, now
            about: Params = {"site": self._shown(session, run, rows[place].site_index), "round": round}
            self._tell(session, run, "site_back_in", about)
        if found:
            self._go_on(session, run, now, changes)
        else:
            self._too_late |= dict.fromkeys(ids, plan)

    def _moment(self, session: Session, run: RunRow, absences: Sequence[Absence]) -> Moment:
        """The run as it is, read once for all of its sites that leave or come back now."""
        spec, amendments = self._plans.spec(session, run.pilot_id), self._plans.run(session, run).amendments
        done, begun = self._advance.done_and_known(session, run)
        next = next_round(session, run.pilot_id) if spec.timetable is not None else None
        last_open = run.rounds if next is None else next.round - 1
        return Moment(spec, run.arm, amendments, absences, done, begun, run.rounds_done, last_open)

    def _end_short(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """Ends a run whose next round too few sites would finish."""
        round, schedule = run.rounds_done + 1, self._plans.run(session, run).schedule
        if round > run.rounds or not is_short(schedule, round):
            return
        next, slowest = (
            next_round(session, run.pilot_id),
            slowest_of_others(session, [run.pilot_id]).get(run.id),
        )
        is_due = next is None or next.may_begin(round)
        # Until it may begin the site may be back.
        if is_due and (slowest is None or not slowest.holds(schedule, round)):
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
