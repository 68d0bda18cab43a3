"""A backup that is made while a run is on: restored elsewhere, the run ends in the artifacts it would have ended in."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.db.session import Database
from backend.db.tables import RunRow
from dimat.spec import PilotSpec
from tests.services import Postgres
from tests.system import house
from worker.simulate import simulate_spec

PILOT = house.small_pilot(rounds=30, train={"warmup_epochs": 3, "epochs": 2})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_run_goes_on_from_a_backup_made_in_its_middle(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def database() -> dict[str, Any]:
        if kind == "sqlite":
            return {}
        cluster: Postgres = request.getfixturevalue("postgres")
        return {"DATABASE_URL": cluster.url(cluster.create())}

    first, second, file = tmp_path / "first", tmp_path / "second", tmp_path / "awase.backup"
    there, here = database(), database()
    with house.running(first, **there) as up:
        pilot_id = up.launch(PILOT)
        up.wait_for_round(pilot_id, 2)
        made = house.awase("backup", str(file), "--data-dir", str(first), **there)
        assert made.returncode == 0, made.stderr
    restored = house.awase("restore", str(file), "--data-dir", str(second), **here)
    assert restored.returncode == 0, restored.stderr
    assert "running" in states(here.get("DATABASE_URL", f"sqlite:///{second / 'awase.sqlite'}"))
    # Nobody here knows the workers that the backup's steps were with: they are lost once their lease is over.
    with house.running(second, AWASE_LEASE_S="10", **here) as up:
        result = up.wait_for_end(pilot_id, within_s=420)
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(PILOT))))
    found, known = (
        {run["arm"]: (run["state"], run["final_artifacts"]) for run in one["runs"]}
        for one in (result, expected)
    )
    assert found == known


def states(url: str) -> set[str]:
    database = Database(url)
    with database.read() as session:
        found = set(session.scalars(select(RunRow.state)))
    database.close()
    return found
