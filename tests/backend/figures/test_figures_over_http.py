"""Rows of a real database become ROI, figures and summary over HTTP, with permission and ETag."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from measured_pilots import assumptions
from sqlalchemy import select

from backend.auth import service as auth
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.db.tables import ArmRow, AssumptionsRow, ExchangeRow, MetricRow, PilotRow, RunRow, StepRow
from backend.main import create_app
from backend.settings import Settings
from dimat.spec import PilotSpec, spec_sha256

SITES = ("site-a", "site-b")
ROUNDS = 2
# Own-site and all-site accuracy after training.
ACCURACY = {"local_only": (0.8, 0.6), "dimat": (0.7, 0.9)}


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'awase.sqlite'}"
    migrate(url)
    return url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def pilot_id(database: Database) -> str:
    spec = PilotSpec.model_validate(
        {
            "name": "small",
            "rounds": ROUNDS,
            "sites": [{"name": name, "data": {"kind": "sample", "dataset": "pendigits"}} for name in SITES],
            "arms": [{"name": arm, "method": arm} for arm in ACCURACY],
        }
    )
    with database.write() as session:
        pilot = PilotRow(
            name="small", state="launched", spec=spec.model_dump(mode="json"), spec_sha256=spec_sha256(spec),
            created_by="someone",
        )  # fmt: skip
        session.add(pilot)
        session.flush()
        body = assumptions(cost_per_gb="1000", cost_per_cpu_hour="3600").model_dump(mode="json")
        session.add(AssumptionsRow(pilot_id=pilot.id, version=1, body=body, by="someone"))
        for position, arm in enumerate(ACCURACY):
            session.add(ArmRow(id=f"arm-{arm}", pilot_id=pilot.id, position=position, name=arm, method=arm))
        session.flush()
        for arm in ACCURACY:
            _add_run(session, pilot.id, arm)
    return pilot.id


def _add_run(session: Any, pilot_id: str, arm: str) -> None:
    run = RunRow(
        id=f"run-{arm}", pilot_id=pilot_id, arm_id=f"arm-{arm}", arm=arm, method=arm, seed=1, rounds=ROUNDS,
        num_sites=2, state="completed", rounds_done=ROUNDS,
    )  # fmt: skip
    session.add(run)
    session.flush()
    own, rest = ACCURACY[arm]
    for round in range(ROUNDS + 1):
        for site, name in enumerate(SITES):
            step = StepRow(
                pilot_id=pilot_id, run_id=run.id, run_key=run.id, seed=1, round=round, kind="train",
                site_index=site, site_name=name, state="completed", device="cuda:0" if arm == "dimat" else "cpu",
                seconds=2.0, cpu_s=3.0 if arm == "dimat" else 1.0,
            )  # fmt: skip
            session.add(step)
            session.flush()
            session.add(
                MetricRow(
                    run_id=run.id,
                    round=round,
                    phase="after_train",
                    site_index=site,
                    own_site=own,
                    all_site=rest,
                )
            )
            if arm == "dimat" and round > 0:
                for result in ("accepted", "wasted"):
                    session.add(
                        ExchangeRow(
                            run_id=run.id,
                            step_id=step.id,
                            attempt=1,
                            round=round,
                            from_index=1 - site,
                            to_index=site,
                            purpose="merge",
                            result=result,
                            num_bytes=10**9,
                            seconds=0.1,
                        )
                    )


class Reader:
    """Someone who reads over HTTP with a token."""

    def __init__(self, app: FastAPI, secret: str) -> None:
        self.app = app
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        async def ask() -> Response:
            transport = ASGITransport(self.app)
            async with AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                return await http.get(path, params=params, headers={**self.headers, **(headers or {})})

        return asyncio.run(ask())


@pytest.fixture
def client(url: str, database: Database) -> Iterator[Reader]:
    with database.write() as session:
        secret = auth.token_for_command_line(session, "reader", "viewer")
    app = create_app(Settings(DATABASE_URL=url))  # type: ignore[call-arg]
    yield Reader(app, secret)
    app.state.database.close()


def test_roi_counts_measured_gain_hours_and_bytes(client: Reader, pilot_id: str) -> None:
    found = client.get(f"/api/v1/pilots/{pilot_id}/roi").json()
    own, rest = (base["arms"][0] for base in found["bases"])
    # 2 more CPU seconds in each of 3 rounds and 2 sites at 1 a second; 4 accepted and 4 wasted models of 1 GB at 1000.
    hours_and_bytes = 2 * 3 * 2 + (4 + 4) * 1000
    gained_own, gained_rest = -0.1 * 1000 * 20 * 2 * 2, 0.3 * 1000 * 20 * 2 * 2
    assert float(own["cost_so_far"]) == hours_and_bytes == 8012
    assert float(own["net_at_end"]["likely"]) == pytest.approx(gained_own - hours_and_bytes)
    assert float(rest["net_at_end"]["likely"]) == pytest.approx(gained_rest - hours_and_bytes)
    assert own["wasted"] == {"num_bytes": 4 * 10**9, "cpu_s": 0, "gpu_s": 0, "attempts_unmeasured": 0}
    assert [note["code"] for note in found["cost_notes"]] == ["cost_covers"]
    assert found["disagree"] is True
    assert found["verdict"] == "not_enough_evidence"


def test_seconds_on_a_gpu_are_counted_from_the_steps(
    client: Reader, pilot_id: str, database: Database
) -> None:
    body = assumptions(cost_per_gpu_hour="3600").model_dump(mode="json")
    with database.write() as session:
        session.add(AssumptionsRow(pilot_id=pilot_id, version=2, body=body, by="someone"))
    found = client.get("/api/v1/runs/run-dimat/roi").json()
    assert found["assumptions_version"] == 2
    assert found["bases"][0]["arms"][0]["cost_so_far"] == "12.00"


def test_attempts_that_came_to_nothing_cost_and_what_is_not_known_of_them_is_said(
    client: Reader, pilot_id: str, database: Database
) -> None:
    before = client.get("/api/v1/runs/run-dimat/roi").json()["bases"][0]["arms"][0]["cost_so_far"]
    with database.write() as session:
        step = session.scalars(
            select(StepRow).where(StepRow.run_id == "run-dimat", StepRow.round == 1)
        ).first()
        assert step is not None
        step.wasted_cpu_s, step.wasted_gpu_s, step.unmeasured_attempts = 7.5, 2.0, 1
    found = client.get("/api/v1/runs/run-dimat/roi").json()
    arm = found["bases"][0]["arms"][0]
    assert float(arm["cost_so_far"]) - float(before) == 7.5  # at 1 a second; GPU hours cost nothing here
    assert arm["wasted"] == {"num_bytes": 4 * 10**9, "cpu_s": 7.5, "gpu_s": 2.0, "attempts_unmeasured": 1}
    assert found["cost_notes"][1] == {"code": "cost_unmeasured", "params": {"attempts": 1}}


def test_another_basis_can_be_asked_for(client: Reader, pilot_id: str) -> None:
    found = client.get(f"/api/v1/pilots/{pilot_id}/roi", params={"value_basis": "blend:0.5"}).json()
    assert found["value_basis"] == {"blend": "0.5"}
    assert [base["basis"] for base in found["bases"]] == ["own_site", "all_site", "blend"]
    wrong = client.get(f"/api/v1/pilots/{pilot_id}/roi", params={"value_basis": "blend:2"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "value_basis")


def test_the_summary_names_gain_and_loss(client: Reader, pilot_id: str) -> None:
    found = client.get(f"/api/v1/pilots/{pilot_id}/summary").json()
    assert found["sentence"]["code"] == "all_up_own_down"
    assert [arm["arm"] for arm in found["arms"]] == ["local_only", "dimat"]


@pytest.mark.parametrize("name", ["accuracy", "communication", "roi"])
def test_a_figure_is_sent_once_per_revision_language_and_theme(
    client: Reader, pilot_id: str, database: Database, name: str
) -> None:
    address = f"/api/v1/runs/run-dimat/figures/{name}"
    first = client.get(address, params={"lang": "en", "theme": "light"})
    tag = first.headers["ETag"]
    assert first.json()["data"]
    again = client.get(address, params={"lang": "en", "theme": "light"}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    japanese = client.get(address, params={"lang": "ja"}, headers={"If-None-Match": tag})
    dark = client.get(address, params={"lang": "en", "theme": "dark"}, headers={"If-None-Match": tag})
    assert japanese.json()["summary"] != first.json()["summary"]
    assert dark.json()["layout"]["font"] != first.json()["layout"]["font"]
    with database.write() as session:
        run = session.get(RunRow, "run-dimat")
        assert run is not None
        run.revision += 1
    changed = client.get(address, params={"lang": "en", "theme": "light"}, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["revision"] > first.json()["revision"]


def test_a_pilot_figure_changes_with_its_assumptions(
    client: Reader, pilot_id: str, database: Database
) -> None:
    address = f"/api/v1/pilots/{pilot_id}/figures/roi"
    first = client.get(address)
    body = assumptions(currency="EUR").model_dump(mode="json")
    with database.write() as session:
        session.add(AssumptionsRow(pilot_id=pilot_id, version=2, body=body, by="someone"))
    second = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert "€" in second.json()["summary"]


@pytest.mark.parametrize(
    "path",
    [
        "pilots/none/roi",
        "pilots/none/summary",
        "pilots/none/figures/roi",
        "runs/none/roi",
        "runs/none/figures/accuracy",
    ],
)
def test_what_does_not_exist_is_not_found(client: Reader, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_nobody_reads_figures_without_signing_in(client: Reader, pilot_id: str) -> None:
    del client.headers["Authorization"]
    assert client.get(f"/api/v1/pilots/{pilot_id}/figures/roi").status_code == 401
