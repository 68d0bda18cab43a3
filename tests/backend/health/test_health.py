"""Health: open to all, honest about each part, silent about sites and people."""

from datetime import datetime, timedelta

from backend.db.session import Database
from backend.db.tables import HeartbeatRow, utc_now
from backend.runs.broker import NoBroker, RedisBroker
from tests.backend.building import create_sites
from tests.backend.conftest import Api

WORKER = {"placement": "local", "device": "cpu", "hostname": "host", "queues": ["site.a"], "concurrency": 2}


def _beats(api: Api, age_s: float) -> None:
    at = utc_now() - timedelta(seconds=age_s)
    with api.database.write() as session:
        session.merge(HeartbeatRow(part="coordinator", at=at, params={}))
        session.merge(HeartbeatRow(part="store", at=at, params={}))
        session.merge(HeartbeatRow(part="worker:w1", at=at, params=WORKER))


def test_all_parts_alive_is_ok(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)
    _beats(api, 0)
    health = api.anonymous.get("/api/v1/health").json()
    assert health["status"] == "ok"
    assert health["database"]["ok"]
    assert health["broker"] == health["store"] == {"ok": True, "away_since": None}
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
        None,
    )


def test_workers_that_nobody_can_hear_are_unknown_and_those_that_were_silent_before_are_not(
    api: Api, broker_url: str
) -> None:
    api.app.state.broker = RedisBroker(broker_url)

    def workers(**ages: float) -> dict[str, bool | None]:
        with api.database.write() as session:
            for worker, age_s in ages.items():
                at = utc_now() - timedelta(seconds=age_s)
                session.merge(HeartbeatRow(part=f"worker:{worker}", at=at, params=WORKER))
        found = api.anonymous.get("/api/v1/health").json()["workers"]
        return {worker["worker_id"]: worker["ok"] for worker in found}

    _beats(api, 300)  # the coordinator stands still since then
    assert workers(w1=302, w2=3000) == {"w1": None, "w2": False}
    _beats(api, 0)
    assert workers(w1=302) == {"w1": False, "w2": False}
    assert workers(w1=0) == {"w1": True, "w2": False}
    about = {"since": (utc_now() - timedelta(seconds=300)).isoformat()}
    with api.database.write() as session:  # it lives, but its broker is away
        session.merge(HeartbeatRow(part="coordinator:without_broker", at=utc_now(), params=about))
    assert workers(w1=302) == {"w1": None, "w2": False}
    api.app.state.broker.close()


def test_what_was_not_seen_since_the_start_is_awaited_for_a_minute(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)

    def health(uptime_s: float) -> tuple[str, bool]:
        api.app.state.started_at = utc_now() - timedelta(seconds=uptime_s)
        found = api.anonymous.get("/api/v1/health").json()
        return found["status"], found["starting"]

    assert health(5) == ("degraded", True)
    assert health(61) == ("degraded", False)
    _beats(api, 600)  # those of the last time
    assert health(5) == ("degraded", True)
    _beats(api, 30)  # seen since a start 40 s ago, then silent: that part has ended
    assert health(40) == ("degraded", False)
    _beats(api, 0)
    assert health(5) == ("ok", False)
    api.app.state.broker.close()


def test_a_server_without_a_broker_is_not_called_starting(api: Api) -> None:
    assert api.anonymous.get("/api/v1/health").json()["starting"] is False


def test_a_coordinator_without_its_broker_lives_and_the_broker_is_named(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)  # it answers here, and not there
    _beats(api, 60)
    since = utc_now() - timedelta(seconds=55)
    with api.database.write() as session:
        about = {"since": since.isoformat()}
        session.merge(HeartbeatRow(part="coordinator:without_broker", at=utc_now(), params=about))
    health = api.anonymous.get("/api/v1/health").json()
    assert (health["broker"]["ok"], health["coordinator"]["ok"]) == (False, True)
    assert datetime.fromisoformat(health["broker"]["away_since"]) == since
    assert api.anonymous.get("/api/v1/ready").json()["params"]["away"] == "broker"
    api.app.state.broker.close()


def test_a_store_that_is_away_is_named_as_long_as_somebody_says_so(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)
    _beats(api, 0)
    since = utc_now() - timedelta(seconds=90)

    def told(age_s: float) -> dict[str, object]:
        about = {"since": since.isoformat()}
        at = utc_now() - timedelta(seconds=age_s)
        with api.database.write() as session:
            session.merge(HeartbeatRow(part="store", at=at, params=about))
        found: dict[str, object] = api.anonymous.get("/api/v1/health").json()
        return found

    health = told(0)
    assert (health["status"], health["starting"]) == ("degraded", False)
    assert health["store"] == {"ok": False, "away_since": since.isoformat().replace("+00:00", "Z")}
    assert api.anonymous.get("/api/v1/ready").json() == {"ready": True}  # `awase up` waits for no more
    nobody_knows = {"ok": None, "away_since": None}
    health = told(300)  # it hangs, and whoever asks it with it
    assert (health["status"], health["store"]) == ("degraded", nobody_knows)
    _beats(api, 300)
    assert told(0)["store"] == nobody_knows
    api.app.state.broker.close()


def test_health_tells_nothing_of_sites(api: Api) -> None:
    create_sites(api.manager, 1)
    assert "site-01" not in api.anonymous.get("/api/v1/health").text


def test_it_is_ready_when_database_broker_and_coordinator_answer_and_says_else_what_is_away(
    api: Api, broker_url: str
) -> None:
    def ready() -> tuple[int, str | None]:
        answer = api.anonymous.get("/api/v1/ready")
        body = answer.json()
        return answer.status_code, None if body.get("ready") else body["params"]["away"]

    assert ready() == (503, "broker, coordinator")
    _beats(api, 0)
    api.app.state.broker = RedisBroker(broker_url)
    assert ready() == (200, None)
    _beats(api, 60)
    assert ready() == (503, "coordinator")
    api.app.state.broker.close()
    api.app.state.broker = NoBroker()
    api.app.state.database.close()
    api.app.state.database = Database("sqlite:////nowhere/at/all.sqlite")
    assert ready() == (503, "database, broker, coordinator")
