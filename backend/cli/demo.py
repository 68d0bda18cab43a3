"""`awase demo`: defines the demo's sites and pilot as a person would, launches it, and tells how it goes.

A pilot that an earlier call left unfinished is taken up again; a finished one is repeated under a new name.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.auth import service as auth
from backend.auth.principal import Principal
from backend.cli.local import fail, reopen_command, say_plainly, say_where, supervise, writable
from backend.db.session import Database, first_line
from backend.errors import ApiError
from backend.pilots import repository as pilot_rows
from backend.pilots import service as pilots
from backend.pilots.assumptions import Assumptions
from backend.pilots.schemas import PilotCreate
from backend.runs import launch, results
from backend.runs import service as runs
from backend.runs.schemas import Result, Run
from backend.settings import Settings
from backend.sites import repository as site_rows
from backend.sites import service as sites
from backend.sites.schemas import SiteCreate
from backend.supervisor.in_thread import in_thread
from backend.supervisor.local import Local
from backend.text.catalogue import say
from backend.text.schemas import Text
from backend.web import ListQuery
from dimat.spec import PilotSpec

T = TypeVar("T")
PILOT_FILE = Path(__file__).resolve().parents[2] / "data" / "pilots" / "demo.toml"
LOOK_EVERY_S = 0.5
LOOK_AGAIN_S = 2.0
UNDONE = ("failed", "cancelled")
ENDED = ("completed", *UNDONE)


def run(settings: Settings, leaves_at_end: bool, json_path: Path | None) -> int:
    """0 when all runs completed, 1 otherwise. The file is written in either case."""
    if json_path is not None:
        json_path = writable(json_path)

    async def work(local: Local, stop: asyncio.Event) -> int:
        database = Database(local.settings.database_url)
        try:
            return await _demo(local, stop, database, leaves_at_end, json_path, reopen_command(settings))
        finally:
            database.close()

    return supervise(settings, work)


async def _demo(
    local: Local,
    stop: asyncio.Event,
    database: Database,
    leaves_at_end: bool,
    json_path: Path | None,
    reopen: str,
) -> int:
    pilot_file = import_module("worker.data.pilot_file")
    try:
        launched = await asyncio.to_thread(launch_or_continue, database)
    except pilot_file.PilotFileError as error:  # somebody tried something in it
        fail(str(error))
    except ApiError as error:
        fail(f"the demo cannot be launched: {say('en', f'errors.{error.code}.title', error.params)}")
    pilot_id = launched.pilot_id
    say_where(local)
    say_plainly(launched.sentence)
    say_plainly(f"Pilot '{launched.name}': {local.origin}/pilots/{pilot_id}\n")
    told = Told()
    while not stop.is_set():
        now = await patiently(lambda: _runs_of(database, pilot_id), stop) or []
        for line in told.news(now):
            say_plainly(line)
        if now and all(item.state in ENDED for item in now):
            break
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue
    result = await patiently(lambda: _result_of(database, pilot_id), stop)
    if result is None:
        if json_path is not None:
            json_path.unlink(missing_ok=True)  # what lies there is of another time
        say_plainly(
            "\nStopped without results: the database does not answer. Everything goes on at the next start."
        )
        return 1
    if json_path is not None:
        _write(json_path, result)
    say_plainly("\n" + table(result))
    if any(item.state not in ENDED for item in result.runs):
        say_plainly("\nStopped. Runs that have not ended go on at the next ./awase demo or ./awase up.")
    elif not leaves_at_end and not stop.is_set():
        say_plainly("\nAll runs have ended. The dashboard stays open until you press Ctrl-C.")
        await stop.wait()
    say_plainly(f"\nEverything is kept in {local.settings.data_dir.absolute()}")
    say_plainly(f"Open it again: {reopen}")
    return 0 if all(item.state == "completed" for item in result.runs) else 1


@dataclass(frozen=True, slots=True)
class Launched:
    """The demo pilot that runs now, and what to tell about it and the earlier ones."""

    pilot_id: str
    name: str
    sentence: str


def launch_or_continue(database: Database) -> Launched:
    """A demo pilot that runs now. Raises: ApiError."""
    read_pilot = import_module("worker.data.pilot_file").read_pilot  # torch-free, but of the worker's half
    spec, assumptions = read_pilot(PILOT_FILE)
    with database.write() as session:
        who = auth.command_line(session)
        earlier: list[str] = []
        for name in _names(spec):
            row = pilot_rows.by_name(session, name)
            if row is None:
                break
            items = runs.list_of_pilot(session, row.id, ListQuery(cursor=None, limit=200)).items
            if any(item.state not in ENDED for item in items):
                return Launched(row.id, name, f"Continuing the demo pilot '{name}', {_interrupted(items)}.")
            earlier.append(name)
        _add_sites(session, who, spec)
        body = PilotCreate(
            spec=_numbered(spec, name, len(earlier) + 1), assumptions=Assumptions.model_validate(assumptions)
        )
        pilot = pilots.create(session, who, body)
        launch.launch(session, who, pilot.id, key=f"demo-{pilot.id}")
        kept = f"; the earlier one, '{earlier[-1]}', is kept" if earlier else ""
        return Launched(pilot.id, name, f"A new demo pilot '{name}' is launched{kept}.")


def _interrupted(items: list[Run]) -> str:
    """True of all its runs, which need not be equally far."""
    first, last = (pick(item.rounds_done for item in items) for pick in (min, max))
    if last < 0:
        return "which was interrupted before round 0"
    if first == last:
        return f"which was interrupted at round {last} of {items[0].rounds}"
    begun = "the start" if first < 0 else f"round {first}"
    return f"which was interrupted when its runs were between {begun} and round {last} of {items[0].rounds}"


def _names(spec: PilotSpec) -> Iterator[str]:
    yield spec.name
    yield from (f"{spec.name}-{number}" for number in count(2))


def _numbered(spec: PilotSpec, name: str, number: int) -> PilotSpec:
    """With the number in the title, too, so that lists can be read in any language."""
    title = spec.title if number == 1 else f"{spec.title} ({number})"
    return spec.model_copy(update={"name": name, "title": title})


def _add_sites(session: Session, who: Principal, spec: PilotSpec) -> None:
    known = site_rows.by_names(session, spec.site_names)
    for site in spec.sites:
        if site.name not in known:
            sites.create(
                session, who, SiteCreate(name=site.name, display_name=site.display_name, data=site.data)
            )


async def patiently(read: Callable[[], T], stop: asyncio.Event) -> T | None:
    """What `read` gives, as soon as the database does; None when it is to stop before."""
    is_told = False
    while True:
        try:
            return await in_thread(read)
        except DBAPIError as error:
            if stop.is_set():
                return None
            if not is_told:
                said = first_line(error)
                say_plainly(
                    f"The database does not answer ({said}). Waiting for it; runs go on when it is back."
                )
            is_told = True
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_AGAIN_S)


def _result_of(database: Database, pilot_id: str) -> Result:
    with database.read() as session:
        return results.of_pilot(session, pilot_id)


def _runs_of(database: Database, pilot_id: str) -> list[Run]:
    with database.read() as session:
        return runs.list_of_pilot(session, pilot_id, ListQuery(cursor=None, limit=200)).items


@dataclass
class Told:
    """What has been said, so that every round and every end is said once."""

    rounds: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def news(self, now: list[Run]) -> Iterator[str]:
        for item in now:
            if item.rounds_done > self.rounds.get(item.id, -1):
                self.rounds[item.id] = item.rounds_done
                yield (
                    f"{time.monotonic() - self.began:6.1f} s  {item.arm:<16}"
                    f"round {item.rounds_done} of {item.rounds}   "
                    f"all-site {_percent(item.all_site_mean)}   own-site {_percent(item.own_site_mean)}"
                )
            if item.state in ENDED and item.id not in self.ended:
                self.ended.add(item.id)
                if item.state in UNDONE:
                    why = _why(f"{item.arm:<15}", item.state, item.reason)
                    yield f"{time.monotonic() - self.began:6.1f} s  {why}"


def table(result: Result) -> str:
    lines = [
        f"{'arm':<20}{'seed':>5}  {'state':<10}{'all-site':>9}{'own-site':>9}{'exchanged':>12}{'time':>9}"
    ]
    for item in result.runs:
        last = item.rounds[-1].after_train if item.rounds else None
        all_site = last.all_site.mean if last and last.all_site else None
        own_site = last.own_site.mean if last and last.own_site else None
        lines.append(
            f"{item.arm:<20}{item.seed:>5}  {item.state:<10}{_percent(all_site):>9}{_percent(own_site):>9}"
            f"{item.bytes_exchanged / 1e6:>9.1f} MB{item.seconds or 0:>7.1f} s"
        )
    lines += [_why(item.arm, item.state, item.reason) for item in result.runs if item.state in UNDONE]
    return "\n".join(lines)


def _why(arm: str, state: str, reason: Text | None) -> str:
    """How a run that gave no result ended, in words."""
    said = "" if reason is None else f": {say('en', f'reasons.{reason.code}', reason.params)}"
    return f"{arm} {state}{said}"


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}%"


def _write(path: Path, result: Result) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    content: dict[str, Any] = result.model_dump(mode="json")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
