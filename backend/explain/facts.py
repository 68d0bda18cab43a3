"""What is known of a run at a moment, as values: all that its explanation is made of."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from backend.pilots.timers import NextRound
from backend.runs.away import Span
from backend.runs.lead import Slowest
from backend.runs.listening import Listening
from backend.runs.states import RUN_LIVE, STEP_LIVE
from backend.runs.turns import Ahead
from backend.sites.window import Window
from backend.text.schemas import Text
from dimat.absence import Absence
from dimat.parts import SilentSpec
from dimat.schedule import Schedule, StepKey


@dataclass(frozen=True, slots=True)
class StepFact:
    """A step that was begun, or may be. `attempts`: which attempt is the last if all come to nothing.
    `taken_back`: how many of them were, before they began. `reason`: how the attempt before
    ended, or the step."""

    key: StepKey
    state: str
    attempt: int
    attempts: int
    taken_back: int
    reason: Mapping[str, Any] | None
    progress: float
    is_shared: bool
    created_at: datetime
    dispatched_at: datetime | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class Away:
    """That the run went on without the site, since `at`."""

    absence: Absence
    at: datetime


@dataclass(frozen=True, slots=True)
class SiteFact:
    """`shown`: what people call it. `steps`: of the run, since its last finished round, and what it prepares. `ahead`: what is on its way to
    the worker which serves the site. `away`: the last time that the run went on without it. `window`: when it takes work; None: always."""

    index: int
    name: str
    shown: str
    state: str
    last_seen_at: datetime | None
    steps: Sequence[StepFact]
    ahead: Sequence[Ahead] = ()
    away: Away | None = None
    window: Window | None = None

    @property
    def live(self) -> list[StepFact]:
        return [step for step in self.steps if step.state in STEP_LIVE]

    @property
    def open(self) -> StepFact | None:
        """The step that it works on, else the first that it was left to do."""
        return min(self.live, key=lambda step: (step.state != "running", step.key), default=None)


class ServerPart(NamedTuple):
    name: Literal["broker", "coordinator"]
    away_since: datetime


@dataclass(frozen=True, slots=True)
class RunFacts:
    """
    Attributes:
        since: when it came into its state. reason: how it ended, or who asked for its state.
        resumed_at: when it went on after its last pause; None: it had none.
        at_round_since: since when it is at the round after the last finished one; None: that is not due yet.
        round_open_since: since when that round may be worked at; None: it may not begin yet.
        spans: who takes part in which rounds.
        done: steps that are done, all of rounds that are not finished among them.
        next_round: of the pilot's timetable; None: every round may begin as soon as the one before is done and the run is at work.
        slowest: the run of another arm at work that has finished the fewest rounds: an arm that trains alone is never far ahead of it.
        listening: when somebody would have heard a site.
        needed: silent sites without which too few would be left, see `limits.needed`.
        unheard_since: the last sign of life of the coordinator, where it gives none any more; None: it is there.
        broker_away_since: as the coordinator tells it; None: the broker is there, or nobody would tell.
        zone: by whose clocks the timetable speaks.
        silent_after_s, lease_s: after how long without a sign of life a site is silent, and an attempt lost.
    """

    id: str
    pilot_id: str
    state: str
    since: datetime
    rounds: int
    rounds_done: int
    resumed_at: datetime | None
    at_round_since: datetime | None
    round_open_since: datetime | None
    reason: Text | None
    schedule: Schedule
    spans: Sequence[Span]
    sites: Sequence[SiteFact]
    done: AbstractSet[StepKey]
    silent: SilentSpec
    next_round: NextRound | None
    slowest: Slowest | None
    listening: Listening
    unheard_since: datetime | None
    broker_away_since: datetime | None
    zone: str | None
    silent_after_s: float
    lease_s: float
    now: datetime
    needed: frozenset[int] = frozenset()

    @property
    def waits_for_server(self) -> ServerPart | None:
        """The part of the server that is away, since when. Nothing goes on without it, except what was paused anyway."""
        if self.state not in RUN_LIVE - {"paused"}:
            return None
        if self.broker_away_since is not None:
            return ServerPart("broker", self.broker_away_since)
        return None if self.unheard_since is None else ServerPart("coordinator", self.unheard_since)

    @property
    def round(self) -> int:
        """That is worked on; 0: the start state."""
        return min(self.rounds_done + 1, self.rounds)

    def takes_part(self, site: int) -> bool:
        """In the round that is worked on."""
        return site in self.schedule.members_of(self.round)

    def is_done(self, step: StepKey) -> bool:
        return step in self.done or (step.kind != "prepare" and step.round <= self.rounds_done)
