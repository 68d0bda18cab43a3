"""The stream of events: nothing lost, nothing twice, ended when the server stops."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, text, update

from backend.db.session import Database
from backend.db.tables import EventRow, SessionRow, UserRow, utc_now
from backend.events import service
from backend.events.hub import EventHub
from tests.backend.building import create_pilot
from tests.backend.conftest import Api
from tests.services import free_port


def _write(database: Database, *codes: str, run: str | None = None, pilot: str | None = None) -> None:
    with database.write() as session:
        for code in codes:
            service.record(session, code, run_id=run, pilot_id=pilot)
            session.flush()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


async def _codes(
    hub: EventHub, count: int, after: int | None, run: str | None = None, pilot: str | None = None
) -> list[str]:
    codes: list[str] = []
    async for event in hub.listen(after, run, pilot, ping_s=5):
        assert event is not None
        codes.append(event.code)
        if len(codes) == count:
            break
    return codes


def test_replay_and_live_events_meet_without_gap_or_repetition(database: Database) -> None:
    async def scene() -> list[str]:
        hub = EventHub(database, poll_s=0.01)
        _write(database, "a", "b")
        listening = asyncio.create_task(_codes(hub, 53, after=0))
        for number in range(50):
            await asyncio.to_thread(_write, database, f"n{number}")
        await asyncio.to_thread(_write, database, "end")
        codes = await asyncio.wait_for(listening, 20)
        hub.close()
        return codes

    assert asyncio.run(scene()) == ["a", "b", *(f"n{number}" for number in range(50)), "end"]


def test_a_database_that_was_restored_from_a_copy_goes_on_with_its_own_ids(database: Database) -> None:
    """An open stream ends, so that its listener comes back, and one with an id of the lost future gets what is new."""

    def restore() -> None:
        with database.write() as session:
            session.execute(delete(EventRow).where(EventRow.id > 1))
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("SELECT setval(pg_get_serial_sequence('events', 'id'), 1)"))

    async def scene() -> tuple[list[str], list[str]]:
        hub = EventHub(database, poll_s=0.01)
        _write(database, "a", "b", "c")
        open_stream = hub.listen(3, None, None, ping_s=0.05)
        assert await anext(open_stream) is None  # silence: it has seen all there is
        await asyncio.to_thread(restore)
        before = [event async for event in open_stream if event is not None]
        late = asyncio.create_task(_codes(hub, 1, after=3))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(_write, database, "new")
        after = await asyncio.wait_for(late, 10)
        hub.close()
        return [event.code for event in before], after

    assert asyncio.run(scene()) == ([], ["new"])


def test_replay_begins_after_the_id_that_was_seen_and_new_listeners_get_only_new_events(
    database: Database,
) -> None:
    async def scene() -> tuple[list[str], list[str]]:
        hub = EventHub(database, poll_s=0.01)
        _write(database, "a", "b", "c")
        replayed = await _codes(hub, 2, after=1)
        fresh = asyncio.create_task(_codes(hub, 1, after=None))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(_write, database, "new")
        live = await asyncio.wait_for(fresh, 10)
        hub.close()
        return replayed, live

    assert asyncio.run(scene()) == (["b", "c"], ["new"])


def test_listener_of_one_run_hears_only_of_it(database: Database) -> None:
    async def scene() -> list[str]:
        hub = EventHub(database, poll_s=0.01)
        _write(database, "other", run="r2")
        _write(database, "mine", run="r1", pilot="p")
        listening = asyncio.create_task(_codes(hub, 2, after=0, run="r1"))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(_write, database, "other again", run="r2")
        await asyncio.to_thread(_write, database, "mine again", run="r1")
        codes = await asyncio.wait_for(listening, 10)
        hub.close()
        return codes

    assert asyncio.run(scene()) == ["mine", "mine again"]


def test_silence_is_filled_with_pings_and_close_ends_every_listener(database: Database) -> None:
    async def scene() -> list[object]:
        hub = EventHub(database, poll_s=0.01)
        heard: list[object] = []

        async def listen() -> None:
            async for event in hub.listen(None, None, None, ping_s=0.02):
                heard.append(event)
                if len(heard) == 2:
                    hub.close()

        await asyncio.wait_for(listen(), 10)
        return heard

    assert asyncio.run(scene()) == [None, None]


@contextmanager
def _served(
    api: Api, tmp_path: Path, ping_s: float = 15.0
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The server as a process of its own, started as the supervisor starts it."""
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "--factory", "backend.main:create_app", "--port", str(port),
            "--log-level", "error", "--timeout-graceful-shutdown", "3",
        ],
        env={
            **os.environ, "DATABASE_URL": api.settings.database_url, "BROKER_URL": "redis://127.0.0.1:1/0",
            "AWASE_DATA_DIR": str(tmp_path), "AWASE_STREAM_PING_S": str(ping_s),
        },
        stderr=subprocess.PIPE,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.get(f"{url}/api/openapi.json", timeout=10)
                break
            except httpx.ConnectError:
                assert server.poll() is None
                time.sleep(0.05)
        yield url, server
    finally:
        server.kill()
        server.communicate()


def test_stream_replays_after_last_event_id_and_ends_with_the_server(api: Api, tmp_path: Path) -> None:
    pilot_id = create_pilot(api.manager)["id"]
    _write(api.database, "first", "second", pilot=pilot_id)
    # A browser that comes back repeats its first address: what it saw last counts more.
    headers = {"Authorization": api.viewer.headers["Authorization"], "Last-Event-ID": "1"}
    with (
        _served(api, tmp_path) as (url, server),
        httpx.stream(
            "GET", f"{url}/api/v1/events?pilot={pilot_id}&after=0", headers=headers, timeout=20
        ) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        lines = answer.iter_lines()
        read = [next(lines) for _ in range(4)]
        assert read[0].startswith("retry:")
        assert read[2] == "id: 2"
        assert '"code":"second"' in read[3]
        server.terminate()
        assert [line for line in lines if line] == []
        assert server.stderr is not None
        # No word of a stream that had to be cut off after the grace period.
        assert server.stderr.read() == b""
        assert server.wait(10) in (0, -signal.SIGTERM)


@contextmanager
def _stream(url: str, headers: dict[str, str]) -> Iterator[Iterator[str]]:
    """The lines of a stream that has begun; a line must come within 20 s."""
    with httpx.stream("GET", f"{url}/api/v1/events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        while next(lines) != ": ping":
            pass
        yield lines


def _user(api: Api, name: str) -> tuple[str, TestClient, dict[str, str]]:
    """A new user: id, browser that is signed in, headers with which it writes."""
    made = api.admin.post("/api/v1/users", json={"name": name, "role": "viewer"}).json()
    browser = api.caller()
    secret = made["sign_in_link"].partition("#")[2]
    me = browser.post("/api/v1/session", json={"link_secret": secret}).json()
    return made["id"], browser, {"X-CSRF-Token": me["csrf_token"]}


def test_stream_ends_with_the_right_to_hear_it(api: Api, tmp_path: Path) -> None:
    token = api.admin.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    _, leaver, csrf = _user(api, "Leaver")
    late_id, late, _ = _user(api, "Late")
    barred_id, barred, _ = _user(api, "Barred")
    by_cookie = [
        {"Cookie": f"awase_session={one.cookies['awase_session']}"} for one in (leaver, late, barred)
    ]
    with _served(api, tmp_path, ping_s=0.1) as (url, _), ExitStack() as open_streams:
        revoked, signed_out, expired, disabled, lasting = [
            open_streams.enter_context(_stream(url, headers))
            for headers in (
                {"Authorization": f"Bearer {token['secret']}"},
                *by_cookie,
                {"Authorization": api.viewer.headers["Authorization"]},
            )
        ]
        assert api.admin.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
        assert leaver.delete("/api/v1/session", headers=csrf).status_code == 204
        with api.database.write() as session:
            now = utc_now()
            session.execute(update(SessionRow).where(SessionRow.user_id == late_id).values(expires_at=now))
            session.execute(update(UserRow).where(UserRow.id == barred_id).values(disabled_at=now))
        for ended in (revoked, signed_out, expired, disabled):
            assert set(ended) <= {": ping", ""}
        _write(api.database, "afterwards")
        assert any('"code":"afterwards"' in line for line in lasting)


def test_stream_that_is_never_silent_ends_with_the_token_too(api: Api, tmp_path: Path) -> None:
    token = api.admin.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    headers = {"Authorization": f"Bearer {token['secret']}"}
    ended = threading.Event()

    def write_on() -> None:
        while not ended.wait(0.05):
            _write(api.database, "more")

    with _served(api, tmp_path, ping_s=1.0) as (url, _), _stream(url, headers) as lines:
        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            assert any('"code":"more"' in line for line in lines)
            assert api.admin.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
            # Without an end of its own the stream would go on for as long as events are written.
            rest = list(islice(lines, 3000))
        finally:
            ended.set()
            writer.join()
    assert ": ping" not in rest
    assert len(rest) < 3000


@pytest.mark.parametrize("given", ["abc", "-1", "1.5", "9999999999"])
def test_an_id_that_no_event_can_have_is_refused_instead_of_losing_what_was_missed(
    api: Api, given: str
) -> None:
    answer = api.viewer.get("/api/v1/events", headers={"Last-Event-ID": given})
    assert (answer.status_code, answer.json()["field"]) == (422, "last-event-id")
    assert given in answer.json()["title"]
    assert answer.json()["remedy"]


def test_an_id_that_is_sent_empty_says_that_none_was_seen(api: Api, tmp_path: Path) -> None:
    _write(api.database, "before")
    headers = {"Authorization": api.viewer.headers["Authorization"], "Last-Event-ID": ""}
    with _served(api, tmp_path, ping_s=0.1) as (url, _), _stream(url, headers) as lines:
        _write(api.database, "afterwards")
        assert '"code":"afterwards"' in next(line for line in lines if line.startswith("data:"))


def test_an_event_that_is_no_longer_there_is_told_before_anything_else(api: Api, tmp_path: Path) -> None:
    """After a restore other events may have had its id, and those of the listener's run be past it."""
    _write(api.database, "old")
    with api.database.read() as session:
        seen = service.event(session.scalars(select(EventRow)).one()).model_dump(mode="json")
    headers = {"Authorization": api.viewer.headers["Authorization"]}

    def first_lines(url: str) -> list[str]:
        params = {"after": seen["id"], "at": seen["at"]}
        with httpx.stream(
            "GET", f"{url}/api/v1/events", headers=headers, params=params, timeout=20
        ) as answer:
            return list(islice(filter(None, answer.iter_lines()), 2))

    with _served(api, tmp_path, ping_s=0.1) as (url, _):
        _write(api.database, "next")
        assert first_lines(url) == ["retry: 1000", f"id: {seen['id'] + 1}"]
        with api.database.write() as session:
            session.execute(update(EventRow).where(EventRow.id == seen["id"]).values(at=utc_now()))
        assert first_lines(url) == ["retry: 1000", "event: restored"]
    assert api.viewer.get("/api/v1/events?after=1&at=yesterday").status_code == 422


def test_stream_needs_a_signed_in_listener(api: Api) -> None:
    assert api.anonymous.get("/api/v1/events").status_code == 401
    assert api.viewer.get("/api/v1/events?after=-1").status_code == 422
