"""`awase demo`: defines the demo's sites and pilot as a person would, launches it, and tells how it goes.

A pilot that an earlier call left unfinished is taken up again; a finished one is repeated under a new name.
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.auth import service as auth
from backend.auth.principal import Principal
from backend.cli.local import fail, say_plainly, say_where, supervise
from backend.db.session import Database
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
from backend.supervisor.local import Local
from backend.text.catalogue import say
from backend.web import ListQuery
from dimat.spec import PilotSpec

PILOT_FILE = Path(__file__).resolve().parents[2] / "data" / "pilots" / "demo.toml"
LOOK_EVERY_S = 0.5
ENDED = ("completed", "failed", "cancelled")


def run(settings: Settings, leaves_at_end: bool, json_path: Path | None) -> int:
    """0 when all runs completed, 1 otherwise. The file is written in either case."""
    if json_path is not None:
        _check_writable(json_path)

    async def work(local: Local, stop: asyncio.Event) -> int:
        database = Database(local.settings.database_url)
        try:
            return await _demo(local, stop, database, leaves_at_end, json_path)
        finally:
            database.close()

    return supervise(settings, work)


async def _demo(
    local: Local, stop: asyncio.Event, database: Database, leaves_at_end: bool, json_path: Path | None
) -> int:
    try:
        pilot_id, name = await asyncio.to_thread(_launch, database)
    except ApiError as error:
        fail(f"the demo cannot be launched: {say('en', f'errors.{error.code}.title', error.params)}")
    say_where(local)
    say_plainly(f"Pilot '{name}': {local.origin}/pilots/{pilot_id}\n")
    told = _Told()
    while not stop.is_set():
        now = await asyncio.to_thread(_runs_of, database, pilot_id)
        for line in told.news(now):
            say_plainly(line)
        if now and all(item.state in ENDED for item in now):
            break
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue
    with database.read() as session:
        result = results.of_pilot(session, pilot_id)
    if json_path is not None:
        _write(json_path, result)
    say_plainly("\n" + _table(result))
    if any(item.state not in ENDED for item in result.runs):
        say_plainly("\nStopped. The unfinished runs go on at the next ./awase demo or ./awase up.")
    if not leaves_at_end and not stop.is_set():
        say_plainly("\nAll runs have ended. The dashboard stays open until you press Ctrl-C.")
        await stop.wait()
    return 0 if all(item.state == "completed" for item in result.runs) else 1


def _launch(database: Database) -> tuple[str, str]:
    """Id and name of a demo pilot that runs now. Raises: ApiError."""
    read_pilot = import_module("worker.data.pilot_file").read_pilot  # torch-free, but of the worker's half
    spec, assumptions = read_pilot(PILOT_FILE)
    with database.write() as session:
        who = auth.command_line(session)
        unfinished = _unfinished(session, spec)
        if unfinished is not None:
            return unfinished
        _add_sites(session, who, spec)
        named = _with_free_name(session, spec)
        body = PilotCreate(spec=named, assumptions=Assumptions.model_validate(assumptions))
        pilot = pilots.create(session, who, body)
        launch.launch(session, who, pilot.id, key=f"demo-{pilot.id}")
        return pilot.id, pilot.name


def _unfinished(session: Session, spec: PilotSpec) -> tuple[str, str] | None:
    for name in _names(spec):
        row = pilot_rows.by_name(session, name)
        if row is None:
            return None
        states = pilot_rows.run_states(session, [row.id]).get(row.id, {})
        if any(number and state not in ENDED for state, number in states.items()):
            return row.id, row.name
    return None


def _with_free_name(session: Session, spec: PilotSpec) -> PilotSpec:
    name = next(name for name in _names(spec) if pilot_rows.by_name(session, name) is None)
    return spec.model_copy(update={"name": name})


def _names(spec: PilotSpec) -> Iterator[str]:
    yield spec.name
    yield from (f"{spec.name}-{number}" for number in count(2))


def _add_sites(session: Session, who: Principal, spec: PilotSpec) -> None:
    known = site_rows.by_names(session, spec.site_names)
    for site in spec.sites:
        if site.name not in known:
            sites.create(
                session, who, SiteCreate(name=site.name, display_name=site.display_name, data=site.data)
            )


def _runs_of(database: Database, pilot_id: str) -> list[Run]:
    with database.read() as session:
        return runs.list_of_pilot(session, pilot_id, ListQuery(cursor=None, limit=200)).items


@dataclass
class _Told:
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
                if item.reason is not None and item.state != "completed":
                    reason = say("en", f"reasons.{item.reason.code}", item.reason.params)
                    yield f"{time.monotonic() - self.began:6.1f} s  {item.arm:<16}{item.state}: {reason}"


def _table(result: Result) -> str:
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
    return "\n".join(lines)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def _check_writable(path: Path) -> None:
    """A result of minutes must not be lost because its folder is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}. Choose another file with --json.")


def _write(path: Path, result: Result) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    content: dict[str, Any] = result.model_dump(mode="json")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
