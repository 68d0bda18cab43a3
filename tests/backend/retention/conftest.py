"""A house with runs whose models are kept, or no longer."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.db.tables import ArtifactRow, RunRow, StepLogRow, StepRow, utc_now
from backend.retention import service
from backend.retention.service import Freed
from tests.backend.building import add_step, create_pilot, launch
from tests.backend.conftest import Api
from worker.artifacts import DirectoryStore
from worker.messages.refs import ArtifactRef

SITES, ROUNDS = 3, 2
LONG_AGO = timedelta(days=40)


class Place:
    """A pilot with two arms that ended long ago, all models of both in the store; and what a test does to it."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.store = DirectoryStore(folder / "artifacts")
        self.settings = api.settings.model_copy(
            update={"keep_artifacts_days": 30.0, "keep_events_days": 30.0}
        )
        self.now = utc_now()
        pilot = create_pilot(api.manager)
        self.pilot: str = pilot["id"]
        self.runs = [run["id"] for run in launch(api.manager, pilot)]
        for run in self.runs:
            self.fill(run)
            self.end(run, LONG_AGO)

    def fill(self, run_id: str) -> None:
        """What `measure` does, with models that are there; those of the start are shared by both runs."""
        with self.api.database.write() as session:
            run = session.get_one(RunRow, run_id)
            for site in range(SITES):
                if run_id == self.runs[0]:
                    self.made(session, run, "prepare", 0, site, "shared")
                for round in range(1, ROUNDS + 1):
                    self.made(session, run, "merge", round, site, run_id)
                    self.made(session, run, "train", round, site, run_id)
            run.rounds_done = ROUNDS

    def made(self, session: Any, run: RunRow, kind: str, round: int, site: int, of: str) -> None:
        model = self.put(f"model {of} {kind} {round} {site}")
        momentum = self.put(f"momentum {of} {kind} {round} {site}")
        step = add_step(
            session, run, kind, round, site, "completed", artifact_sha256=model.sha256,
            artifact_bytes=model.num_bytes, extras={"momentum": momentum.model_dump()},
        )  # fmt: skip
        for ref in (model, momentum):
            session.add(ArtifactRow(**ref.model_dump(), step_id=step.id, site_name=step.site_name))

    def put(self, text: str, age: timedelta = LONG_AGO) -> ArtifactRef:
        ref = self.store.put(text.encode() * 10)
        self.age(ref.sha256, age)
        return ref

    def age(self, name: str, age: timedelta) -> None:
        at = time.time() - age.total_seconds()
        os.utime(self.store.root / name[:2] / name, (at, at))

    def end(self, run_id: str, ago: timedelta | None, state: str = "completed") -> None:
        with self.api.database.write() as session:
            run = session.get_one(RunRow, run_id)
            run.state, run.finished_at = state, None if ago is None else self.now - ago

    def log(self) -> None:
        """Each step logged in two attempts."""
        with self.api.database.write() as session:
            for step in session.scalars(select(StepRow)):
                for attempt in (1, 2):
                    session.add(StepLogRow(step_id=step.id, attempt=attempt, body={}))

    def logged(self, **which: Any) -> int:
        with self.api.database.read() as session:
            logs = select(StepLogRow).join(StepRow, StepRow.id == StepLogRow.step_id).filter_by(**which)
            return len(session.scalars(logs).all())

    def clean(self, dry: bool = False) -> Freed:
        return service.clean(self.api.database, self.store, self.settings, self.now, dry)

    def files(self) -> set[str]:
        return {
            path.name for path in self.store.root.rglob("*") if path.is_file() and path.name != "identity"
        }

    def names(self, **which: Any) -> set[str]:
        """All that the steps left."""
        with self.api.database.read() as session:
            found = set()
            for step in session.scalars(select(StepRow).filter_by(**which)):
                if step.artifact_sha256 is not None:
                    found |= {step.artifact_sha256, *(ref["sha256"] for ref in (step.extras or {}).values())}
            return found

    def finals(self) -> set[str]:
        with self.api.database.read() as session:
            last = select(StepRow.artifact_sha256).where(StepRow.kind == "train", StepRow.round == ROUNDS)
            return {name for name in session.scalars(last) if name is not None}

    def restart(self, run: str) -> Any:
        path = f"/api/v1/runs/{run}/restart"
        return self.api.manager.post(path, json={"from_round": 1}, headers={"Idempotency-Key": "k"})


@pytest.fixture
def place(api: Api, tmp_path: Path) -> Place:
    return Place(api, tmp_path)
