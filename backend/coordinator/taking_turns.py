"""Which ready steps are sent next. Pure: counts and candidates in, an order out.

To a worker only so many steps are on their way, sent or running, as keep it busy; the others stay ready. So a pilot that is launched
later need not wait for all that another one had ready before: where several share a site they take turns there, and within a pilot
the step of the earliest round comes first. A worker that serves many sites goes around them in the same way; workers that share a site,
as one for each GPU, are one pool.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from worker.messages.reports import WorkerBeat

UNHEARD = 2
"""Steps on their way to a site of which no worker has told how many it works at."""
Served = Mapping[tuple[str, str], tuple[int, float]]
"""By (site, pilot) when a step was last sent: 0 and the time in seconds, of an earlier coordinator's; 1 and a number that grows, of
this one's."""
NEVER = (0, 0.0)
_NOW = 2


class Room(NamedTuple):
    """A worker, or those that share sites, named by the first of them, or a site of which none is heard; and how many steps may be on
    their way there."""

    worker: str
    most: int


class Ready(NamedTuple):
    """A step that may be sent. They sort by round, so that arms go side by side: one that waits for nobody, as the control arm, would
    else be far ahead. Within a round by age, as ids do."""

    round: int
    step_id: str
    site: str
    pilot: str


def rooms(beats: Iterable[WorkerBeat]) -> dict[str, Room]:
    """By site who serves it. As many steps wait at a worker as it works at, so that it is not idle until the next one comes.

    Workers that are linked by sites that they share have one room, the sum of theirs: whoever is free takes the next step.
    """
    found: dict[str, Room] = {}
    for beat in beats:
        sites = [queue.removeprefix("site.") for queue in beat.queues if queue.startswith("site.")]
        shared = {found[site] for site in sites if site in found}
        pools = [*shared, Room(beat.worker_id, max(2 * beat.concurrency, UNHEARD))]
        pool = Room(min(room.worker for room in pools), sum(room.most for room in pools))
        linked = [site for site, room in found.items() if room in shared] if shared else []
        found |= dict.fromkeys([*linked, *sites], pool)
    return found


def full_sites(rooms: Mapping[str, Room], under_way: Mapping[str, int]) -> set[str]:
    """Sites to which nothing more is sent now. `under_way`: steps sent or running, by site."""
    taken = _taken(rooms, under_way)
    alone = {site for site in under_way if taken[_room(rooms, site).worker] >= _room(rooms, site).most}
    return alone | {site for site, room in rooms.items() if taken.get(room.worker, 0) >= room.most}


def choose(
    ready: Iterable[Ready], rooms: Mapping[str, Room], under_way: Mapping[str, int], served: Served
) -> list[Ready]:
    """The steps to send, in this order: first one for each room that is not full, then the second ones, and so on."""
    taken = _taken(rooms, under_way)
    of_room: dict[Room, dict[str, dict[str, list[Ready]]]] = {}
    for step in sorted(ready, reverse=True):  # the first at the end, where it is taken from
        sites = of_room.setdefault(_room(rooms, step.site), {})
        sites.setdefault(step.site, {}).setdefault(step.pilot, []).append(step)
    chosen: list[tuple[int, Ready]] = []
    for room, sites in of_room.items():
        chosen += enumerate(_in_turn(sites, room.most - taken.get(room.worker, 0), served))
    return [step for _, step in sorted(chosen)]


def _in_turn(sites: dict[str, dict[str, list[Ready]]], num_free: int, served: Served) -> list[Ready]:
    """Of one room, from `sites`, which is used up: of the site served longest ago the pilot served longest ago, again and again."""
    last = {(site, pilot): served.get((site, pilot), NEVER) for site in sites for pilot in sites[site]}
    last_at = {site: max(last[site, pilot] for pilot in sites[site]) for site in sites}
    found: list[Ready] = []
    while sites and len(found) < num_free:
        site = min(sites, key=lambda site: (last_at[site], _first(sites[site])))
        pilots = sites[site]
        pilot = min(pilots, key=lambda pilot: (last[site, pilot], pilots[pilot][-1]))
        found.append(pilots[pilot].pop())
        last[site, pilot] = last_at[site] = (_NOW, len(found))
        if not pilots[pilot]:
            del pilots[pilot]
        if not pilots:
            del sites[site]
    return found


def _first(pilots: Mapping[str, Sequence[Ready]]) -> Ready:
    return min(steps[-1] for steps in pilots.values())


def _room(rooms: Mapping[str, Room], site: str) -> Room:
    return rooms.get(site) or Room(f"unheard:{site}", UNHEARD)


def _taken(rooms: Mapping[str, Room], under_way: Mapping[str, int]) -> dict[str, int]:
    """Steps on their way to each room."""
    taken: dict[str, int] = {}
    for site, number in under_way.items():
        worker = _room(rooms, site).worker
        taken[worker] = taken.get(worker, 0) + number
    return taken
