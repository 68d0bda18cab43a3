"""The services of docker-compose.yml, started in their order as processes on a real PostgreSQL and a real Redis."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.services import Missing, Postgres
from tests.system.composed import SERVICES, Composed
from tests.system.house import ENDED, ROOT
from worker.data.pilot_file import read_pilot
from worker.simulate import simulate_spec

DEMO = ROOT / "data" / "pilots" / "demo.toml"
STARTED = ("broker", "migrate", "api", "coordinator", "worker")


@pytest.fixture
def composed(postgres: Postgres, tmp_path: Path) -> Iterator[Composed]:
    """All services, each once those that it depends on are as it wants them."""
    found = Composed(postgres, tmp_path)
    try:
        with ExitStack() as stack:
            for name in STARTED:
                for other, condition in SERVICES[name].get("depends_on", {}).items():
                    assert other == "database" or STARTED.index(other) < STARTED.index(name)
                    if other == "broker" and condition["condition"] == "service_healthy":
                        found.wait_until_healthy("broker")
                if name == "migrate":
                    found.run(name)
                else:
                    stack.enter_context(found.running(name))
            for name in ("api", "coordinator"):
                found.wait_until_healthy(name)
            yield found
    except Missing as error:
        pytest.skip(str(error))


@pytest.mark.timeout(590)
def test_the_demo_pilot_ends_on_them_as_in_simulate(composed: Composed) -> None:
    token = composed.run("api", "awase", "token", "create", "--role", "admin").strip()
    with httpx.Client(
        base_url=f"{composed.origin}/api/v1",
        timeout=30,
        trust_env=False,
        headers={"Authorization": f"Bearer {token}"},
    ) as http:
        spec, _assumptions = read_pilot(DEMO)
        for site in spec.sites:
            _made(http.post("/sites", json={"name": site.name, "data": site.data.model_dump(mode="json")}))
        pilot = _made(http.post("/pilots", json={"spec": spec.model_dump(mode="json")}))
        _made(http.post(f"/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "once"}))
        while any(
            run["state"] not in ENDED for run in http.get(f"/pilots/{pilot['id']}/runs").json()["items"]
        ):
            time.sleep(0.5)
        result = http.get(f"/pilots/{pilot['id']}/result").json()

    expected: list[dict[str, Any]] = json.loads(json.dumps(simulate_spec(spec)))["runs"]
    told = ("state", "rounds", "final_artifacts", "bytes_exchanged")
    assert [{name: run[name] for name in told} for run in result["runs"]] == [
        {"state": "completed"} | {name: run[name] for name in told[1:]} for run in expected
    ]
    lines = (composed.folder / "worker.log").read_text().splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_the_broker_answers_nobody_without_its_password(postgres: Postgres, tmp_path: Path) -> None:
    only = Composed(postgres, tmp_path)
    try:
        with only.running("broker"):
            only.wait_until_healthy("broker")
            with redis.Redis(port=only.broker_port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
    except Missing as error:
        pytest.skip(str(error))


def _made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made
