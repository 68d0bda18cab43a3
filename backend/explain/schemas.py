"""HTTP bodies of explanations."""

from datetime import datetime

from backend.explain.site import Doing
from backend.runs.schemas import RunState
from backend.text.schemas import Told


class Next(Told):
    """What follows, and when, as far as that is known. `explain.then.<code>`."""

    at: datetime | None


class Waiting(Told):
    """What a site waits for, since when. `explain.wait.<code>`. `site`: where the cause lies. `sites`: whose steps it waits for, the
    first 20 of `num_sites`. `then`: what happens if nothing else does. `is_planned`: it is meant so (a timetable, a window, an arm that is not to
    be far ahead of the others), and no trouble."""

    site: str
    display_name: str
    since: datetime | None
    sites: list[str]
    num_sites: int
    then: Next | None
    is_planned: bool


class SiteExplained(Told):
    """What one site does, since when. `explain.site.<code>`. `round`, `kind`: the step that it does, or is to do next; null: none.
    `attempt` of at most `attempts`; null: nothing of it was begun. `progress`: a fraction. `then`: what follows first; null: nothing, or it is not known."""

    site: str
    display_name: str
    site_index: int
    doing: Doing
    since: datetime | None
    round: int | None
    kind: str | None
    step_id: str | None
    attempt: int | None
    attempts: int | None
    progress: float | None
    waits_for: list[Waiting]
    then: Next | None


class RunExplained(Told):
    """What a run does at the moment `at`, since when, what holds it up and what follows. `explain.run.<code>`. `reason`: how it ended, or who
    asked for its state (`reasons.<code>`). `waits_for`: the causes at its sites, 20 at the most: first those that bring something about, of these what is trouble before what is planned. `round`: that is worked on; 0: the start state."""

    run_id: str
    at: datetime
    state: RunState
    since: datetime
    round: int
    rounds: int
    rounds_done: int
    reason: Told | None
    waits_for: list[Waiting]
    then: Next | None
    sites: list[SiteExplained]
    revision: int
