"""Why a step that is ready, or was sent, has not begun: others are on their way at its site. Pure."""

from collections.abc import Collection
from typing import NamedTuple

from backend.text.schemas import Params, Text


class Ahead(NamedTuple):
    """Steps of one pilot on their way to a worker. `pilot`: its id; `title`: what people call it."""

    pilot: str
    title: str


def behind(pilot: str, ahead: Collection[Ahead]) -> Text | None:
    """`turns.<code>` of the catalogue for a step of `pilot`: another pilot that shares the site, or its own other runs. None: nobody is
    ahead of it, it is about to begin."""
    others = sorted({one for one in ahead if one.pilot != pilot}, key=lambda one: one.title)
    if others:
        params: Params = {"pilot": others[0].title, "more": len(others) - 1}
        return Text(code="behind_pilots" if others[1:] else "behind_pilot", params=params)
    return Text(code="behind_own", params={}) if ahead else None
