"""Stored specs, parsed once. A spec was checked when it was written, and checking builds the graphs of all
arms, which takes seconds for hundreds of sites: too much for every answer that shows it."""

import json
from functools import lru_cache

from backend.db.tables import PilotRow
from dimat.spec import PilotSpec

_NUM_REMEMBERED = 256
"""More than the longest page of pilots, so that a list does not push out its own first specs."""


def stored_spec(row: PilotRow) -> PilotSpec:
    """The spec of a pilot; equal stored specs give one and the same (frozen) object."""
    return _parsed(json.dumps(row.spec))


@lru_cache(maxsize=_NUM_REMEMBERED)
def _parsed(stored: str) -> PilotSpec:
    return PilotSpec.model_validate_json(stored)
