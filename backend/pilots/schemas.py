"""HTTP bodies of pilots and of their result."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from backend.pilots.assumptions import Assumptions
from backend.text.schemas import Schema
from backend.web import Page
from dimat.parts import Name
from dimat.spec import PilotSpec

PilotState = Literal["draft", "launched", "decided", "archived"]
Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class PilotCreate(Schema):
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


class RunsSummary(Schema):
    """Number of runs by state; what moves between states counts as running."""

    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int


class Pilot(Schema):
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
    created_at: datetime
    created_by: str
    launched_at: datetime | None
    revision: int


class PilotPage(Page[Pilot]):
    pass
