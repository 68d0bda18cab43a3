"""What a change makes possible: starts runs, inserts the steps that are ready, ends runs that are through.

Which step may follow which is `dimat.schedule`'s to say; here are only the rows.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend.coordinator import apart, endings, matches, repository, restart_repository, runs_repository
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.coordinator.ports import Execution
from backend.coordinator.rounds_due import set_first_timer
from backend.db.tables import RunRow, StepRow
from backend.events.service import has_told, record
from backend.pilots.timers import next_round
from backend.runs import states
from backend.runs.lead import slowest_of_others, trains_alone
from backend.runs.repository import key_of
from backend.text.schemas import Params
from dimat.leaving import is_short
from dimat.schedule import StepKey
from dimat.spec import PilotSpec
from worker.messages.keys import cancel_key, recall_key

MOVING = frozenset({"running"})
"""States of a run whose steps are sent, and followed by others."""
COUNTING = MOVING | {"pausing", "resuming", "cancelling"}
"""States of a run in which what finishes closes rounds; the last one ends it, asked to pause or not. Of one that is being cancelled,
too: what is told of it, and judged, goes by the rounds that are closed."""


class Advance:
    """Moves runs on, within the caller's transaction, each apart from the others: a run on which the
    coordinator itself fails ends with that reason, or its reports would be taken again for ever."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self.held: dict[str, int] = {}
        """By run of which steps wait for another arm (`runs.lead`) the last round that could begin when one of them was held, the least."""

    def start(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """A queued run: its sites prepare, or it goes on from what another arm has prepared. One that was paused: it goes
        on with all that has become ready since."""
        self.apart(session, [run], partial(self._start, session, run, now), now, changes)

    def _start(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        spec = self._plans.spec(session, run.pilot_id)
        if not runs_repository.is_announced(session, run.pilot_id):
            params: Params = {"num_runs": runs_repository.num_runs(session, run.pilot_id)}
            record(session, "pilot_launched", pilot_id=run.pilot_id, params=params)
        is_new = run.started_at is None
        event = "run_resumed" if not is_new else "run_started" if run.from_round is None else "run_restarted"
        if not runs_repository.move_run(
            session,
            run.id,
            "running",
            reason=None,
            started_at=run.started_at or now,
            resumed_at=None if is_new else now,
        ):
            return
        where: Params = {"arm": run.arm, "round": run.from_round}
        record(session, event, pilot_id=run.pilot_id, run_id=run.id, params=where)
        if event == "run_restarted":
            restart_repository.take_over(session, run)
        set_first_timer(session, self._plans, run.pilot_id, now)
        if not is_new:
            repository.ready_from(session, run, now)
        prepared = repository.prepare_steps(session, run.pilot_id, run.seed)
        failed = [step for step in prepared if step.state == "failed" and self._needs(session, run, step)]
        if failed:
            self.fail(session, failed[0], now, changes)
            return
        # What was stopped when nobody needed it any more, and what was never asked for.
        repository.remove_cancelled_prepare_steps(session, run.pilot_id, run.seed)
        known = {step.site_index for step in prepared if step.state != "cancelled"}
        keys = [StepKey(0, "prepare", site) for site in range(len(spec.sites)) if site not in known]
        _insert(session, spec, run.pilot_id, run.seed, None, keys, now)
        if prepared:
            self._insert_ready(session, run, now, changes)

    def follow(self, session: Session, finished: Iterable[StepRow], now: datetime, changes: Changes) -> None:
        """Inserts what the finished steps have made ready and ends what is through."""
        by_run: dict[str, list[StepKey]] = {}
        runs: dict[str, RunRow] = {}
        concerned: dict[tuple[str | None, str, int], Sequence[RunRow]] = {}
        session.flush()
        for step in finished:
            whose = (step.run_id, step.pilot_id, step.seed)
            if whose not in concerned:
                concerned[whose] = _concerned(session, step)
            for run in concerned[whose]:
                if run.state in COUNTING:
                    runs[run.id] = run
                    by_run.setdefault(run.id, []).append(key_of(step))
        for run_id, keys in by_run.items():
            run = runs[run_id]
            self.apart(session, [run], partial(self._follow_run, session, run, keys, now), now, changes)

    def _follow_run(
        self, session: Session, run: RunRow, finished: list[StepKey], now: datetime, changes: Changes
    ) -> None:
        schedule = self._plans.run(session, run).schedule
        done, known, _ = self._since_closed(session, run)
        ready: list[StepKey] = []
        for key in finished if run.state in MOVING else ():
            fresh = schedule.ready_after(key, done, known)
            known.update(fresh)
            ready += fresh
        self._insert_due(session, run, sorted(ready), now)
        changes.touch(run.id)
        self._close_rounds(session, run, done, now, changes)

    def _close_rounds(
        self, session: Session, run: RunRow, done: set[StepKey], now: datetime, changes: Changes
    ) -> None:
        """Rounds that all sites have finished that take part in them; the last one ends the run. `done` must hold the steps of the
        rounds since the last that was closed."""
        closed, schedule = run.rounds_done, self._plans.run(session, run).schedule
        while closed < run.rounds and done.issuperset(schedule.ends(closed + 1)):
            if is_short(schedule, closed + 1):
                break  # `coordinator.silence` ends the run
            closed += 1
            matches.settle(session, run, schedule, closed)
            about: Params = {"round": closed, "arm": run.arm}
            record(session, "round_finished", pilot_id=run.pilot_id, run_id=run.id, params=about)
        if closed > run.rounds_done:
            run.rounds_done = closed
            session.flush()
        if closed == run.rounds:
            reason = {"code": "completed", "params": {"rounds": run.rounds}}
            if runs_repository.move_run(session, run.id, "completed", reason=reason, finished_at=now):
                record(
                    session, "run_completed", pilot_id=run.pilot_id, run_id=run.id, params={"arm": run.arm}
                )
                self._plans.forget(run.id)
                self._stop_prepare(session, run, now, changes)

    def fail(self, session: Session, step: StepRow, now: datetime, changes: Changes) -> None:
        """A step failed for good, and with it every run that needs it."""
        runs = _concerned(session, step)
        self.apart(session, runs, partial(self._fail, session, step, runs, now), now, changes)

    def _fail(
        self, session: Session, step: StepRow, runs: Sequence[RunRow], now: datetime, changes: Changes
    ) -> None:
        shown = self._plans.shown(session, step.pilot_id, step.site_index)
        ended = [run for run in runs if self._needs(session, run, step)]
        for run in ended:
            endings.fail_run(session, run, step, shown, now, changes)
            self._plans.forget(run.id)
        told: Params = {"site": shown}
        # Of a revoked site it is found anew whenever a run of the pilot begins or goes on.
        if runs and not ended and not has_told(session, step.pilot_id, "site_cannot_join", told):
            record(session, "site_cannot_join", pilot_id=step.pilot_id, params=told)
        self._stop_prepare(session, step, now, changes)

    def _needs(self, session: Session, run: RunRow, step: StepRow) -> bool:
        """Whether the run cannot go on without what the step makes. A site that takes part in no round prepares, too, as it may join
        later, or come back; until then it keeps nobody."""
        if step.run_id is not None:
            return True
        members_of = self._plans.run(session, run).schedule.members_of
        first = max(run.rounds_done, run.from_round or 0) + 1
        return any(step.site_index in members_of(round) for round in range(first, run.rounds + 1))

    def end(
        self, session: Session, run: RunRow, reason: dict[str, Any], now: datetime, changes: Changes
    ) -> None:
        """The run fails for a reason that is no step's."""
        endings.end_run(session, run, reason, now, changes)
        self._plans.forget(run.id)
        changes.touch(run.id)
        self._stop_prepare(session, run, now, changes)

    def go_on_amended(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """A run goes on under another plan."""
        self._plans.forget(run.id)
        changes.touch(run.id)
        self.apart(session, [run], partial(self.look_again, session, run, now), now, changes)

    def look_again(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """Inserts all that is ready, and closes rounds, where more may be done than before, under another schedule or in a round that
        was opened: other steps may follow what was done long ago, and nobody would ask again."""
        if run.state not in MOVING:
            return
        changes.touch(run.id)
        self._insert_ready(session, run, now, changes)

    def _insert_ready(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        done, known, since = self._since_closed(session, run)
        ready = self._plans.run(session, run).schedule.ready_steps(done, known, since)
        self._insert_due(session, run, ready, now)
        self._close_rounds(session, run, done, now, changes)

    def _insert_due(self, session: Session, run: RunRow, ready: Iterable[StepKey], now: datetime) -> None:
        """Of the steps that are ready those of rounds that may begin. Whoever opens a round (`coordinator.timers`,
        `coordinator.leads`) looks again."""
        spec = self._plans.spec(session, run.pilot_id)
        if spec.timetable is not None and (next := next_round(session, run.pilot_id)) is not None:
            ready = [key for key in ready if next.may_begin(key.round)]
        schedule, ready = self._plans.run(session, run).schedule, list(ready)
        if len(spec.arms) > 1 and any(
            trains_alone(schedule, round) for round in {key.round for key in ready}
        ):
            slowest = slowest_of_others(session, [run.pilot_id]).get(run.id)
            if slowest is not None and any(slowest.holds(schedule, key.round) for key in ready):
                # The least one: where an arm was restarted, the one that holds now is further back than the one before.
                self.held[run.id] = min(slowest.last_round, self.held.get(run.id, slowest.last_round))
                ready = [key for key in ready if not slowest.holds(schedule, key.round)]
        _insert(session, spec, run.pilot_id, run.seed, run.id, ready, now)

    def _since_closed(self, session: Session, run: RunRow) -> tuple[set[StepKey], set[StepKey], int]:
        """As `done_and_known`, of the round that was closed last and those after it, with the older ones that later steps wait for; and
        that round. In a long run of many sites most steps are older."""
        schedule, since = self._plans.run(session, run).schedule, max(run.rounds_done, 0)
        states = repository.states_from(session, run.id, since)
        done = {key for key, state in states.items() if state == "completed"}
        if older := schedule.older_inputs(since):
            done |= repository.completed(session, run.id, older)
        if since == 0 or any(key.kind == "prepare" for key in older):
            done |= repository.prepared(session, run.pilot_id, run.seed)
        return done, set(states), since

    def done_and_known(self, session: Session, run: RunRow) -> tuple[set[StepKey], set[StepKey]]:
        """Of the run's steps those that are done, with those that prepare, and those that are there in any state."""
        states = repository.states_from(session, run.id, 0)
        done = repository.prepared(session, run.pilot_id, run.seed)
        return done | {key for key, state in states.items() if state == "completed"}, set(states)

    def leave_out_revoked(self, session: Session, now: datetime, changes: Changes) -> None:
        """Runs that wait for a revoked site end: it takes no more work."""
        for step in repository.steps_of_revoked_sites(session):
            if step.state in states.STEP_LIVE:  # else it has ended with its run, for the step before
                runs = _concerned(session, step)
                self.apart(session, runs, partial(self._revoke, session, step, runs, now), now, changes)

    def _revoke(
        self, session: Session, step: StepRow, runs: Sequence[RunRow], now: datetime, changes: Changes
    ) -> None:
        shown = self._plans.shown(session, step.pilot_id, step.site_index)
        reason = {"code": "site_revoked", "params": {"site": shown}}
        endings.set_aside(session, step, "cancelled", reason, now, changes)
        self._fail(session, step, runs, now, changes)

    def pause(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        """Sends no further step of the run; it is paused when none runs any more.

        What runs goes to its end and counts. What was sent and not begun is taken back: at a site that is away, or busy
        with others, the pause would else take as long as that lasts. A `prepare` goes on while another run needs it.
        """
        self.apart(session, [run], partial(self._pause, session, run, now), now, changes)

    def _pause(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        steps = list(repository.live_steps(session, run.id))
        sharing = runs_repository.runs_sharing(session, run.pilot_id, run.seed)
        if not any(other.state in MOVING for other in sharing):
            prepared = repository.prepare_steps(session, run.pilot_id, run.seed)
            steps += [step for step in prepared if step.state in states.STEP_LIVE]
        for step in steps:
            if step.state != "running":
                endings.take_back(step, now, changes)
        if any(step.state == "running" for step in steps):
            return
        if runs_repository.move_run(session, run.id, "paused"):
            record(session, "run_paused", pilot_id=run.pilot_id, run_id=run.id, params={"arm": run.arm})

    def cancel(self, session: Session, run: RunRow, now: datetime, is_late: bool, changes: Changes) -> None:
        """Stops the run's steps; it has ended when none runs any more, or none answers in time.

        A step looks at its flag between batches, and reports its end. One that does not heed it in time (it
        waits for a disk, say) holds a process of its worker: it is killed. A worker that does not hear that
        either is away, and with it the process.
        """
        self.apart(session, [run], partial(self._cancel, session, run, now, is_late), now, changes)

    def _cancel(self, session: Session, run: RunRow, now: datetime, is_late: bool, changes: Changes) -> None:
        stopped, running = endings.stop_steps(session, run.id, now, changes, running_too=is_late)
        changes.stuck |= {
            Execution(step.worker_id, step.execution_id)
            for step in stopped
            if step.worker_id is not None and step.execution_id is not None
        }
        changes.flags.add(cancel_key(run.id))
        changes.touch(run.id)
        if running:
            return
        if runs_repository.move_run(session, run.id, "cancelled", finished_at=now):
            record(session, "run_cancelled", pilot_id=run.pilot_id, run_id=run.id, params={"arm": run.arm})
            self._plans.forget(run.id)
        self._stop_prepare(session, run, now, changes)

    def give_up(
        self, session: Session, step: StepRow, error: Exception, now: datetime, changes: Changes
    ) -> None:
        """Ends every run that needs a step on which the coordinator itself failed."""
        for run in _concerned(session, step):
            self._give_up(session, run, error, now, changes)

    def give_up_pilot(
        self, session: Session, pilot_id: str, error: Exception, now: datetime, changes: Changes
    ) -> None:
        """Ends every live run of a pilot on which the coordinator itself failed."""
        for run in runs_repository.live_runs_of(session, pilot_id):
            self._give_up(session, run, error, now, changes)

    def apart(
        self, session: Session, runs: Sequence[RunRow], work: Callable[[Changes], None], now: datetime,
        changes: Changes,
    ) -> None:  # fmt: skip
        """Work on runs that ends them, if it goes wrong, and nothing else."""
        error = apart.attempt(session, work, changes, f"run {', '.join(run.id for run in runs)}")
        if error is not None:
            for run in runs:
                self._give_up(session, run, error, now, changes)

    def _give_up(
        self, session: Session, run: RunRow, error: Exception, now: datetime, changes: Changes
    ) -> None:
        """Needs no plan of the run: that may be what is broken."""
        endings.give_up(session, run, type(error).__name__, now, changes)
        self._plans.forget(run.id)
        self._stop_prepare(session, run, now, changes)

    def _stop_prepare(self, session: Session, of: RunRow | StepRow, now: datetime, changes: Changes) -> None:
        """Ends the making of start models of its pilot and seed, where no run waits for them any more."""
        if runs_repository.runs_sharing(session, of.pilot_id, of.seed):
            return
        for step in repository.prepare_steps(session, of.pilot_id, of.seed):
            if step.state in ("ready", "dispatched", "running"):
                endings.move_step(step, "cancelled")
                step.finished_at = now
                changes.flags.add(recall_key(step.id, step.attempt))


def _concerned(session: Session, step: StepRow) -> Sequence[RunRow]:
    """The runs that need the step: its own, or all that start from the model it prepares."""
    if step.run_id is None:
        return runs_repository.runs_sharing(session, step.pilot_id, step.seed)
    return [session.get_one(RunRow, step.run_id, populate_existing=True)]


def _insert(
    session: Session, spec: PilotSpec, pilot_id: str, seed: int, run_id: str | None, keys: Iterable[StepKey],
    now: datetime,
) -> None:  # fmt: skip
    names = spec.site_names
    rows = [
        {
            "pilot_id": pilot_id, "run_id": run_id, "run_key": run_id or repository.PREPARE_KEY, "seed": seed,
            "round": key.round, "kind": key.kind, "site_index": key.site, "site_name": names[key.site],
            "created_at": now,
        }
        for key in keys
    ]  # fmt: skip
    if rows:
        session.execute(insert(StepRow), rows)
