"""Health: open to all, honest about each part, silent about sites and people."""

from datetime import timedelta

from backend.db.tables import HeartbeatRow, utc_now
from backend.runs.broker import RedisBroker
from tests.backend.building import create_sites
from tests.backend.conftest import Api

WORKER = {"placement": "local", "device": "cpu", "hostname": "host", "queues": ["site.a"], "concurrency": 2}


def _beats(api: Api, age_s: float) -> None:
    at = utc_now() - timedelta(seconds=age_s)
    with api.database.write() as session:
        session.merge(HeartbeatRow(part="coordinator", at=at, params={}))
        session.merge(HeartbeatRow(part="worker:w1", at=at, params=WORKER))


def test_all_parts_alive_is_ok(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)
    _beats(api, 0)
    health = api.anonymous.get("/api/v1/health").json()
    assert health["status"] == "ok"
    assert health["database"]["ok"]
    assert health["broker"] == {"ok": True}
    assert health["coordinator"]["ok"]
    assert (health["workers"][0]["worker_id"], health["workers"][0]["queues"]) == ("w1", ["site.a"])
    api.app.state.broker.close()


def test_silent_parts_degrade_and_are_named(api: Api) -> None:
    _beats(api, 60)
    answer = api.anonymous.get("/api/v1/health")
    health = answer.json()
    assert answer.status_code == 200
    assert health["status"] == "degraded"
    assert (health["broker"]["ok"], health["coordinator"]["ok"], health["workers"][0]["ok"]) == (
        False,
        False,
        False,
    )


def test_health_tells_nothing_of_sites(api: Api) -> None:
    create_sites(api.manager, 1)
    assert "site-01" not in api.anonymous.get("/api/v1/health").text
