"""What an explanation is made of: sentences of the catalogue, each with the times that it is about."""

from dataclasses import dataclass
from datetime import datetime

from backend.text.schemas import Params, Text
from dimat.schedule import StepKey


@dataclass(frozen=True, slots=True)
class Then:
    """What happens next, and when, as far as that is known: `explain.then.<code>`."""

    text: Text
    at: datetime | None = None
    is_end: bool = False
    """Whether the run, or the site's part in it, ends with it."""
    ends_run: bool = False
    over_at: datetime | None = None
    """Of the limit of a silent site: when it is over. A break may put off what follows for several to one moment; then they go by this."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a site waits for: `explain.wait.<code>`. `sites`: indices of other sites whose steps it waits for.

    `then`: what happens if nothing else does. `is_own`: the cause lies here and not at another site. `is_planned`: it is meant so, and no trouble.
    """

    text: Text
    since: datetime | None = None
    then: Then | None = None
    sites: tuple[int, ...] = ()
    is_own: bool = True
    is_planned: bool = False


def told(code: str, **params: str | int | float | datetime | None) -> Text:
    """Times travel as text, which pages write in the reader's own zone."""
    plain: Params = {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in params.items()
    }
    return Text(code=code, params=plain)


def of_step(code: str, step: StepKey, **params: str | int | float | datetime | None) -> Text:
    """A sentence about a step; the start state has no number."""
    suffix = "" if step.round else "_at_start"
    return told(code + suffix, kind=step.kind, round=step.round, **params)
