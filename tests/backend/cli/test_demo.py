"""Which demo pilot `awase demo` takes up, and what it tells of it."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from backend.cli.demo import Told, launch_or_continue, patiently, table
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.db.tables import PilotRow, RunRow
from backend.runs import results
from backend.runs import service as runs
from backend.runs.schemas import Run
from backend.web import ListQuery
from tests import services


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def set_runs(database: Database, pilot_id: str, **values: object) -> None:
    with database.write() as session:
        session.execute(update(RunRow).where(RunRow.pilot_id == pilot_id).values(**values))


def runs_of(database: Database, pilot_id: str) -> list[Run]:
    with database.read() as session:
        return runs.list_of_pilot(session, pilot_id, ListQuery(cursor=None, limit=200)).items


def test_the_first_demo_is_new(database: Database) -> None:
    assert launch_or_continue(database).sentence == "A new demo pilot 'demo' is launched."


def test_an_interrupted_demo_is_continued_and_says_from_which_round(database: Database) -> None:
    first = launch_or_continue(database)
    again = launch_or_continue(database)
    assert again.pilot_id == first.pilot_id
    assert again.sentence == "Continuing the demo pilot 'demo', which was interrupted before round 0."
    set_runs(database, first.pilot_id, state="running", rounds_done=3)
    again = launch_or_continue(database)
    assert again.pilot_id == first.pilot_id
    assert again.sentence == "Continuing the demo pilot 'demo', which was interrupted at round 3 of 8."


@pytest.mark.parametrize(("least", "begun"), [(1, "round 1"), (-1, "the start")])
def test_runs_that_are_not_equally_far_are_told_as_a_range(
    database: Database, least: int, begun: str
) -> None:
    pilot_id = launch_or_continue(database).pilot_id
    set_runs(database, pilot_id, state="running", rounds_done=least)
    with database.write() as session:
        session.execute(update(RunRow).where(RunRow.arm == "local_only").values(rounds_done=6))
    said = launch_or_continue(database).sentence
    assert said.endswith(f"which was interrupted when its runs were between {begun} and round 6 of 8.")


def test_after_a_finished_demo_a_new_one_has_name_and_title_of_its_own(database: Database) -> None:
    for _ in range(3):
        launched = launch_or_continue(database)
        set_runs(database, launched.pilot_id, state="completed", rounds_done=8)
    assert launched.sentence == "A new demo pilot 'demo-3' is launched; the earlier one, 'demo-2', is kept."
    with database.read() as session:
        rows = session.scalars(select(PilotRow)).all()
        listed = {row.name: row.title for row in rows}
        assert all(row.spec["title"] == row.title for row in rows)
    plain = listed.pop("demo")
    assert listed == {"demo-2": f"{plain} (2)", "demo-3": f"{plain} (3)"}


def test_runs_that_failed_or_were_cancelled_say_so_once_and_below_the_table(database: Database) -> None:
    pilot_id = launch_or_continue(database).pilot_id
    failed, cancelled, *others = (run.id for run in runs_of(database, pilot_id))
    params = {"site": "Osaka plant", "tensor": "fc0.weight", "round": 1, "kind": "train"}
    reasons = {failed: ("failed", "non_finite_params", params), cancelled: ("cancelled", "cancelled", {})}
    with database.write() as session:
        for id, (state, code, about) in reasons.items():
            row = session.get_one(RunRow, id)
            row.state, row.reason = state, {"code": code, "params": about}
        for id in others:
            session.get_one(RunRow, id).state = "completed"
    told = Told()
    news = [re.sub(r"^ *[\d.]+ s  ", "", line) for line in told.news(runs_of(database, pilot_id))]
    ended = [line for line in news if " round " not in line]
    assert ended[0].startswith("local_only      failed: The model of site 'Osaka plant' diverged")
    assert ended[1].startswith("plain_average   cancelled: ")
    assert len(ended) == 2
    assert list(told.news(runs_of(database, pilot_id))) == []
    with database.read() as session:
        last = table(results.of_pilot(session, pilot_id)).splitlines()[-2:]
    assert last[0].startswith("local_only failed: The model of site 'Osaka plant' diverged")
    assert last[1].startswith("plain_average cancelled: ")


def test_a_database_that_goes_away_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with services.postgres() as cluster:
        url = cluster.url(cluster.create())
        migrate(url)
        database = Database(url)

        def count() -> int:
            with database.read() as session:
                return session.scalar(select(func.count()).select_from(PilotRow)) or 0

        async def scene() -> tuple[int | None, int | None]:
            stop = asyncio.Event()
            cluster.stop()
            waiting = asyncio.create_task(patiently(count, stop))
            while "The database does not answer" not in capsys.readouterr().out:
                await asyncio.sleep(0.05)
            await asyncio.to_thread(cluster.start)
            found = await waiting
            cluster.stop()
            waiting = asyncio.create_task(patiently(count, stop))
            stop.set()
            given_up = await waiting
            cluster.start()
            return found, given_up

        assert asyncio.run(scene()) == (0, None)
        database.close()
