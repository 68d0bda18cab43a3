"""Sites, pilots and measured runs that tests start from."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, MetricRow, RunRow, StepRow, utc_now

PENDIGITS = {"kind": "sample", "dataset": "pendigits"}


def create_sites(client: TestClient, count: int = 3) -> list[str]:
    """Names of new sites site-01, site-02, ..."""
    names = [f"site-{number:02}" for number in range(1, count + 1)]
    for name in names:
        body = {"name": name, "display_name": name.replace("site-", "Plant "), "data": PENDIGITS}
        assert client.post("/api/v1/sites", json=body).status_code == 201
    return names


def spec(names: list[str], **changes: Any) -> dict[str, Any]:
    """A spec with two arms and one seed over these sites."""
    return {
        "name": "first-pilot",
        "rounds": 2,
        "sites": [
            {"name": name, "display_name": name.replace("site-", "Plant "), "data": PENDIGITS}
            for name in names
        ],
        "arms": [{"name": "alone", "method": "local_only"}, {"name": "matched", "method": "dimat"}],
        **changes,
    }


def assumptions(**changes: Any) -> dict[str, Any]:
    return {
        "currency": "EUR",
        "decisions_per_site_per_round": 1000,
        "value_per_correct_decision": {"low": "0.10", "likely": "0.20", "high": "0.40"},
        "cost_per_cpu_hour": "0.05",
        "cost_per_gpu_hour": "2",
        "cost_per_gb": "0.09",
        "one_off_cost": "500",
        "running_cost_per_site_per_round": "1",
        "round_days": "7",
        "value_basis": "own_site",
        **changes,
    }


def create_pilot(client: TestClient, names: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    """A draft over new sites (or the sites `names`)."""
    names = create_sites(client) if names is None else names
    answer = client.post(
        "/api/v1/pilots", json={"spec": spec(names, **changes), "assumptions": assumptions()}
    )
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def launch(client: TestClient, pilot: dict[str, Any], key: str = "k1") -> list[dict[str, Any]]:
    """The runs of a pilot that is launched now."""
    answer = client.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    runs: list[dict[str, Any]] = client.get(f"/api/v1/pilots/{pilot['id']}/runs").json()["items"]
    return runs


def add_step(
    session: Session, run: RunRow, kind: str, round: int, site: int, state: str, **more: Any
) -> StepRow:
    """A step as the coordinator would have written it."""
    shared = kind == "prepare"
    row = StepRow(
        pilot_id=run.pilot_id, run_id=None if shared else run.id, run_key="" if shared else run.id,
        seed=run.seed, round=round, kind=kind, site_index=site, site_name=f"site-{site + 1:02}", state=state,
        started_at=utc_now(), **more,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def measure(session: Session, run: RunRow, rounds_done: int) -> None:
    """Everything a run of the arm `matched` leaves behind up to a finished round."""
    sites = range(run.num_sites)
    for site in sites:
        add_step(session, run, "prepare", 0, site, "completed", artifact_sha256=f"{site}" * 64)
        add_step(session, run, "evaluate", 0, site, "completed")
    for round in range(rounds_done + 1):
        for site in sites:
            own = 0.5 + 0.1 * round + 0.01 * site
            if round:
                merge = add_step(session, run, "merge", round, site, "completed")
                neighbour = (site + 1) % run.num_sites
                session.add(
                    ExchangeRow(
                        run_id=run.id, step_id=merge.id, attempt=1, round=round, from_index=neighbour,
                        to_index=site, purpose="merge", result="accepted", num_bytes=1000, seconds=0.1,
                    )
                )  # fmt: skip
                add_step(
                    session, run, "train", round, site, "completed", artifact_sha256=f"{round}{site}" * 32
                )
                session.add(
                    MetricRow(
                        run_id=run.id,
                        round=round,
                        phase="after_merge",
                        site_index=site,
                        own_site=own - 0.1,
                        all_site=own - 0.2,
                    )
                )
            session.add(
                MetricRow(
                    run_id=run.id,
                    round=round,
                    phase="after_train",
                    site_index=site,
                    own_site=own,
                    all_site=own - 0.1,
                )
            )
    run.state, run.rounds_done, run.started_at = "running", rounds_done, utc_now()
    run.revision += 1
    session.flush()
