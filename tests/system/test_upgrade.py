"""A data directory of an earlier version (data/README.md), opened by this one: nothing is lost, and what was under way goes on."""

import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, MetaData, insert, select, text

from backend.db.migrate import migrate, migration_engine
from tests.services import Postgres
from tests.system import house

KEPT = Path(__file__).with_name("data") / "awase-0011.tar.xz"
REVISION = "0011"
SITES = 3
OF_A_PILOT = ("", "/runs", "/result", "/roi", "/summary", "/amendments", "/figures/accuracy")
OF_A_RUN = ("", "/steps", "/result", "/metrics", "/exchanges", "/matches", "/roi")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The earlier data directory in `tmp_path`; on PostgreSQL its rows are in a database of the same schema."""
    with tarfile.open(KEPT) as kept:
        kept.extractall(tmp_path, filter="data")
    if request.param == "sqlite":
        yield {}
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    url = cluster.url(cluster.create())
    migrate(url, REVISION)
    source = migration_engine(f"sqlite:///{tmp_path / 'awase.sqlite'}")
    target = migration_engine(url)
    with source.connect() as old, target.begin() as new:
        _copy(old, new)
    source.dispose()
    target.dispose()
    (tmp_path / "awase.sqlite").rename(tmp_path / "before.sqlite")
    yield {"DATABASE_URL": url}


@pytest.mark.timeout(590)
def test_an_upgrade_keeps_every_row_and_goes_on(settings: dict[str, str], tmp_path: Path) -> None:
    before = tmp_path / ("before.sqlite" if settings else "awase.sqlite")
    measured = _measured(before)
    assert measured
    with house.running(tmp_path, AWASE_LEASE_S="10", **settings) as up:
        pilots = {pilot["name"]: pilot["id"] for pilot in up.get("/pilots")["items"]}
        ended = {run["arm"]: run for run in up.runs(pilots["weekly"])}
        found = {
            (run["arm"], row["round"], row["phase"], row["site_index"]): (row["own_site"], row["all_site"])
            for run in ended.values()
            for row in up.get(f"/runs/{run['id']}/metrics?limit=200")["items"]
        }
        assert found == measured

        result = up.wait_for_end(pilots["monthly"])
        assert [(run["state"], len(run["rounds"])) for run in result["runs"]] == [("completed", 16)] * 3
        assert all(len(run["final_artifacts"]) == SITES for run in result["runs"])

        again = up.post(
            f"/runs/{ended['basis']['id']}/restart", {"from_round": 4}, **{"Idempotency-Key": "again"}
        )
        up.wait_for_end(pilots["weekly"])
        states = {run["id"]: run["state"] for run in up.runs(pilots["weekly"])}
        assert states[again["id"]] == "completed"
        assert again["parent_run_id"] == ended["basis"]["id"]
        for pilot_id in pilots.values():
            for path in OF_A_PILOT:
                up.get(f"/pilots/{pilot_id}{path}")
            for run in up.runs(pilot_id):
                for path in OF_A_RUN:
                    up.get(f"/runs/{run['id']}{path}")


def _measured(file: Path) -> dict[tuple[str, int, str, int], tuple[float, float]]:
    """Accuracies of the pilot that had ended, as the earlier version wrote them."""
    with sqlite3.connect(file) as connection:
        rows = connection.execute(
            "SELECT arm, round, phase, site_index, own_site, all_site FROM metrics JOIN runs ON runs.id = run_id"
            " JOIN pilots ON pilots.id = runs.pilot_id WHERE pilots.name = 'weekly'"
        ).fetchall()
    return {row[:4]: row[4:] for row in rows}


def _copy(old: Connection, new: Connection) -> None:
    """All rows, by the tables as they are there."""
    of_old, of_new = MetaData(), MetaData()
    of_old.reflect(old)
    of_new.reflect(new)
    for table in of_new.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, JSON):  # an absent value is NULL, not the word null
                column.type = JSON(none_as_null=True)
        rows: list[dict[str, Any]] = [
            dict(row) for row in old.execute(select(of_old.tables[table.name])).mappings()
        ]
        if rows and table.name != "alembic_version":
            new.execute(insert(table), rows)
    for name in ("events", "audit"):
        new.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"))
