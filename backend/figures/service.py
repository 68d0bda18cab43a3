"""Figures ready to send: built once per (revision, language, theme) and kept as bytes.

The cache lives in the process and is small: a page asks for the newest revision, older ones fall out.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from threading import Lock

from sqlalchemy.orm import Session

from backend import __version__
from backend.figures import build
from backend.figures.frame import Look
from backend.figures.schemas import Figure, FigureName, Theme
from backend.roi import service as roi

Build = Callable[[], Figure]
CAPACITY = 256


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a cached figure is of."""

    kind: str
    id: str
    name: FigureName
    lang: str
    theme: Theme
    revision: int

    @property
    def etag(self) -> str:
        return f'W/"{__version__}-{self.revision}-{self.lang}-{self.theme}"'


class Cache:
    """The bytes last asked for, at most `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bodies: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, wanted: Wanted, make: Build) -> bytes:
        key = astuple(wanted)
        with self._lock:
            if key in self._bodies:
                self._bodies.move_to_end(key)
                return self._bodies[key]
        # Built outside the lock: two readers may build the same figure, none waits for another one's.
        body = make().model_dump_json().encode()
        with self._lock:
            self._bodies[key] = body
            while len(self._bodies) > self._capacity:
                self._bodies.popitem(last=False)
        return body


_cache = Cache(CAPACITY)


def cached(wanted: Wanted, make: Build) -> bytes:
    return _cache.get(wanted, make)


def run_revision(session: Session, run_id: str, name: FigureName) -> int:
    """The run's own; for ROI the whole pilot's, since it changes with the control arm's run too.

    Raises: NotFound.
    """
    if name == "roi":
        return roi.pilot_revision(session, roi.pilot_id_of_run(session, run_id))
    return roi.run_revision(session, run_id)


def pilot_revision(session: Session, pilot_id: str) -> int:
    """Raises: NotFound."""
    return roi.pilot_revision(session, pilot_id)


def run_figure(session: Session, run_id: str, name: FigureName, lang: str, theme: Theme) -> Figure:
    """Raises: NotFound."""
    pilot_id = roi.pilot_id_of_run(session, run_id)
    about = {"with_run": run_id} if name == "roi" else {"only_run": run_id}
    facts = roi.pilot_facts(session, pilot_id, **about)
    return build.run_figure(facts, facts.run(run_id), name, Look(lang, theme))


def pilot_figure(session: Session, pilot_id: str, name: FigureName, lang: str, theme: Theme) -> Figure:
    """Raises: NotFound."""
    return build.pilot_figure(roi.pilot_facts(session, pilot_id), name, Look(lang, theme))
