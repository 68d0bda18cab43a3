"""HTTP bodies of pilots and of their result."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from backend.pilots.assumptions import Assumptions
from backend.text.schemas import Schema, Text
from backend.web import Page
from dimat.frozen import Name
from dimat.spec import PilotSpec

PilotState = Literal["draft", "launched", "decided", "archived"]
Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


EXAMPLE: dict[str, JsonValue] = {
    "spec": {
        "name": "scrap-2026",
        "title": "Scrap detection at three plants",
        "rounds": 8,
        "seeds": [1, 2, 3],
        "topology": {"kind": "ring"},
        "data": {"rows_per_site": 500, "partition": {"kind": "dirichlet", "alpha": 0.5}},
        "model": {"kind": "mlp", "hidden": [128, 128]},
        "sites": [
            {"name": name, "data": {"kind": "sample", "dataset": "pendigits"}}
            for name in ("site-01", "site-02", "site-03")
        ],
        "arms": [
            {"name": "alone", "method": "local_only"},
            {"name": "merged", "method": "regmean"},
        ],
    },
    "assumptions": {
        "currency": "EUR",
        "decisions_per_site_per_round": 20000,
        "value_per_correct_decision": {"low": "0.5", "likely": "1", "high": "2"},
        "cost_per_cpu_hour": "0.1",
        "cost_per_gpu_hour": "2",
        "cost_per_gb": "0.05",
        "one_off_cost": "5000",
        "running_cost_per_site_per_round": "20",
        "round_days": "7",
        "value_basis": "own_site",
        "example": True,
    },
}


class PilotCreate(Schema):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    spec: PilotSpec
    assumptions: Assumptions | None = None


class PilotPatch(Schema):
    """What is left out stays. `spec` only while the pilot is a draft; `assumptions` make a new version."""

    spec: PilotSpec | None = None
    title: Title | None = None
    assumptions: Assumptions | None = None


class PilotClone(Schema):
    """`title`: instead of the original's."""

    name: Name
    title: Title | None = None


class NextStage(Schema):
    """`sites`: names of those that are to take part besides the old ones; null: all others that hold data of the same kind, are not
    revoked and were not taken out by an amendment, with fewer rows each where the data set has not enough for so many. `name`: null: that of the first stage with the number of this one."""

    sites: Annotated[list[Name], Field(max_length=1_000)] | None = None
    name: Name | None = None


class Stage(Schema):
    """A pilot that this one follows, or that follows it."""

    id: str
    name: str
    title: str


class RunsSummary(Schema):
    """Number of runs by state; what moves between states counts as running."""

    queued: int
    running: int
    paused: int
    completed: int
    failed: int
    cancelled: int


class Halt(Schema):
    """Why runs that count are paused, have failed or were cancelled: `reason` is `reasons.<code>` of the catalogue, that of the first of them where the
    others' reads the same but for the seconds. `ended_at`: when the first of them ended; null while they are paused."""

    state: Literal["paused", "failed", "cancelled"]
    reason: Text
    arms: list[str]
    num_runs: int
    ended_at: datetime | None


class Pilot(Schema):
    """`halts`: in the order of the arms. `next_round` is due at `next_round_at`: of a pilot that has a timetable and a run at work, null for all others. A time that is over waits
    for runs that have not done the round before. `follows`: the pilot of which it is the next stage; `followed_by`: its own next stages.
    `site_until`: in a list of the pilots of a site the last round in which that takes part, where an amendment takes it out; else null."""

    id: str
    name: str
    title: str
    state: PilotState
    spec: PilotSpec
    spec_sha256: str
    assumptions: Assumptions | None
    assumptions_version: int | None
    num_runs: int
    runs_summary: RunsSummary
    halts: list[Halt]
    created_at: datetime
    created_by: str
    launched_at: datetime | None
    next_round: int | None
    next_round_at: datetime | None
    follows_pilot_id: str | None
    follows: Stage | None
    followed_by: list[Stage]
    site_until: int | None
    revision: int


class PilotPage(Page[Pilot]):
    pass
