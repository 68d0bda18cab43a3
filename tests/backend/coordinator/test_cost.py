"""What a turn costs the database: it is asked as often for many sites as for few, only about more rows each time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, select

from backend.coordinator.ingest import Ingest
from backend.coordinator.memory import Plans
from backend.db.session import Database
from backend.db.tables import ArmRow, HeartbeatRow, PilotRow, RunRow, SiteRow, StepRow
from dimat.spec import PilotSpec, spec_sha256
from worker.messages.keys import site_queue
from worker.messages.refs import ArtifactRef
from worker.messages.reports import Accuracies, ExchangeReport, Report, StepFinished, StepStarted, WorkerBeat

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUM_SITES = 12


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A run with a merge step at each site that has been sent."""
    made = Database(database_url)
    names = [f"s{index:02}" for index in range(NUM_SITES)]
    data = {"kind": "sample", "dataset": "pendigits"}
    spec = PilotSpec.model_validate(
        {
            "name": "p", "rounds": 1, "sites": [{"name": name, "data": data} for name in names],
            "arms": [{"name": "merged", "method": "plain_average"}],
        }
    )  # fmt: skip
    with made.write() as session:
        session.add_all(SiteRow(name=name, data=data) for name in names)
        stored = {"spec": spec.model_dump(mode="json"), "spec_sha256": spec_sha256(spec), "created_by": "t"}
        session.add(PilotRow(id="pilot", name="p", **stored))
        session.flush()
        session.add(ArmRow(id="arm", pilot_id="pilot", position=0, name="merged", method="plain_average"))
        session.flush()
        session.add(
            RunRow(
                id="run", pilot_id="pilot", arm_id="arm", arm="merged", method="plain_average", seed=1, rounds=1,
                num_sites=NUM_SITES, state="running",
            )
        )  # fmt: skip
        session.flush()
        for index, name in enumerate(names):
            session.add(
                StepRow(
                    id=name, pilot_id="pilot", run_id="run", run_key="run", seed=1, round=1, kind="merge",
                    site_index=index, site_name=name, state="dispatched", dispatched_at=NOW,
                )
            )  # fmt: skip
    yield made
    made.close()


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What the database is asked while the block runs."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def take(database: Database, reports: Sequence[Report]) -> int:
    """How many statements it took."""
    with statements(database) as asked, database.write() as session:
        Ingest(Plans(), max_attempts=3).take_all(session, reports, NOW)
    return len(asked)


def reports_of(site: int) -> list[Report]:
    about: dict[str, Any] = {
        "worker_id": "w", "step_id": f"s{site:02}", "attempt": 1, "execution_id": f"e{site}"
    }  # fmt: skip
    exchange = ExchangeReport(
        from_index=(site + 1) % NUM_SITES, to_index=site, purpose="merge", num_bytes=1, seconds=0.1
    )
    return [
        StepStarted(device="cpu", pid=1, seq=0, **about),
        StepFinished(
            artifact=ArtifactRef(sha256=f"{site:064}", num_bytes=90), exchanges=(exchange,), uploaded_bytes=90,
            accuracies=Accuracies(own_site=0.9, all_site=0.8, validation=None), seconds=1, cpu_s=1, device="cpu",
            seq=1, **about,
        ),
    ]  # fmt: skip


def test_steps_of_many_sites_end_with_as_many_statements_as_those_of_two(database: Database) -> None:
    of_two = take(database, [report for site in (0, 1) for report in reports_of(site)])
    of_many = take(database, [report for site in range(2, NUM_SITES) for report in reports_of(site)])
    assert of_many == of_two
    with database.read() as session:
        assert {step.state for step in session.scalars(select(StepRow))} == {"completed"}


def test_workers_that_say_nothing_new_cost_as_many_statements_as_one(database: Database) -> None:
    def beat(site: int) -> WorkerBeat:
        name = f"s{site:02}"
        return WorkerBeat(
            worker_id=f"w-{name}", placement="site", hostname="h", pid=1, queues=(site_queue(name),), device="cpu",
            concurrency=1,
        )  # fmt: skip

    beats = [beat(site) for site in range(NUM_SITES)]
    take(database, beats)
    assert take(database, beats) == take(database, beats[:1])
    with database.read() as session:
        sites = session.scalars(select(SiteRow)).all()
        assert {(site.state, site.worker_id) for site in sites} == {
            ("online", f"w-{site.name}") for site in sites
        }
        assert len(session.scalars(select(HeartbeatRow)).all()) == NUM_SITES
