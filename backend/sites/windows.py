"""Which sites take no work now, as their time window is closed."""

import json
import logging
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.sites import repository
from backend.sites.window import Window

log = logging.getLogger(__name__)
_NUM_REMEMBERED = 1_024


class Opening(NamedTuple):
    """When a window that is closed opens (UTC), and the zone by whose clocks people read that."""

    at: datetime
    time_zone: str


def window_of(stored: dict[str, Any] | None) -> Window | None:
    """The window as a row of a site holds it; equal ones give one and the same (frozen) object."""
    return None if stored is None else _parsed(json.dumps(stored))


def closed(session: Session, now: datetime) -> dict[str, Opening]:
    """By name the sites whose window is closed."""
    found: dict[str, Opening] = {}
    for name, stored in repository.windows(session):
        window = window_of(stored)
        at = None if window is None else window.opens_at(now)
        if window is not None and at is not None:
            found[name] = Opening(at, window.time_zone)
    return found


def away(session: Session) -> set[str]:
    """Names of the sites that have a window and of which nothing is heard."""
    return set(repository.with_window_and_away(session))


@lru_cache(maxsize=_NUM_REMEMBERED)
def _parsed(stored: str) -> Window | None:
    """A window that cannot be read is none: a zone that this machine does not know must not keep every pilot from going on."""
    try:
        return Window.model_validate_json(stored)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        log.error(
            "the time window %s cannot be read (%s); its site takes work at any time", stored, wrong["msg"]
        )
        return None
