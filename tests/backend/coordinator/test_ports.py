"""What every Inbox and every pair of report ports must do: Celery and Redis, and the one of our own tests."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import redis

from backend.coordinator.broker import CeleryInbox, RedisReports
from backend.coordinator.ports import Execution, Inbox, PortUnavailable, Reports
from dimat.data_spec import DataSpec, SampleData
from dimat.model_spec import MlpSpec
from dimat.parts import EvaluationSpec, TrainSpec
from dimat.spec import SiteSpec
from tests.backend.coordinator.stage import Post
from worker.app import FAIL_FAST, REPORTS_TAKEN
from worker.messages.keys import REPORTS_LIST, cancel_key, recall_key, superfluous_key
from worker.messages.reports import Report, Wake
from worker.messages.steps import PrepareMessage, SiteContext
from worker.reporting import RedisReportSender


def message(run_id: str | None = None) -> PrepareMessage:
    site = SiteSpec(name="site-a", data=SampleData(dataset="pendigits"))
    context = SiteContext(
        site=site, index=0, num_sites=2, site_names=("site-a", "site-b"), seed=1, data=DataSpec(),
        evaluation=EvaluationSpec(),
    )  # fmt: skip
    return PrepareMessage(
        step_id="s",
        attempt=1,
        pilot_id="p",
        run_id=run_id,
        context=context,
        model=MlpSpec(),
        train=TrainSpec(),
    )


def wake(number: int) -> Wake:
    return Wake(worker_id=f"w{number}")


@dataclass
class Ways:
    """An implementation: `reports()` is what a new process gets; `send` is the worker's side."""

    inbox: Inbox
    reports: Callable[[], Reports]
    send: Callable[[Report], None]


@pytest.fixture(params=["broker", "memory"])
def ways(request: pytest.FixtureRequest) -> Ways:
    if request.param == "broker":
        url: str = request.getfixturevalue("broker_url")
        return Ways(CeleryInbox(url), lambda: RedisReports(url), RedisReportSender(url).send)
    post = Post()

    def to_a_new_process() -> Post:
        post.to_a_new_process()
        return post

    return Ways(post, to_a_new_process, post.report)


def test_a_sent_step_waits_in_the_queue_of_its_site(ways: Ways) -> None:
    ways.inbox.send([message()])
    assert ways.inbox.waiting(["site-a", "site-b"]) == {"site-a": 1, "site-b": 0}


def test_a_worker_is_told_why_its_site_gets_no_work(broker_url: str) -> None:
    sender = RedisReportSender(broker_url)
    assert sender.why_refused("nobody") is None
    CeleryInbox(broker_url).refuse({"nobody": "unknown", "gone": "revoked"})
    assert (sender.why_refused("nobody"), sender.why_refused("gone")) == ("unknown", "revoked")
    assert RedisReportSender("redis://127.0.0.1:1/0").why_refused("nobody") is None


def test_a_cancel_flag_reaches_the_steps_it_is_meant_for(broker_url: str) -> None:
    sender = RedisReportSender(broker_url)
    CeleryInbox(broker_url).cancel([cancel_key("r1")])
    assert sender.is_cancelled(message("r1"), "e1")
    assert not sender.is_cancelled(message("r2"), "e1")
    assert not sender.is_cancelled(message(None), "e1")


def test_a_step_that_was_taken_back_is_told_so_and_its_next_attempt_is_not(broker_url: str) -> None:
    sender = RedisReportSender(broker_url)
    CeleryInbox(broker_url).cancel([recall_key("s", 1)])
    taken_back = message("r3")
    assert sender.is_cancelled(taken_back, "e1")
    assert not sender.is_cancelled(taken_back.model_copy(update={"attempt": 2}), "e1")


def test_of_two_executions_of_an_attempt_only_the_one_that_does_not_count_is_told_to_stop(
    broker_url: str,
) -> None:
    sender = RedisReportSender(broker_url)
    CeleryInbox(broker_url).cancel([superfluous_key("e9")])
    assert sender.is_cancelled(message("r5"), "e9")
    assert not sender.is_cancelled(message("r5"), "e1")


def test_a_flag_that_is_taken_back_stops_nobody(broker_url: str) -> None:
    sender, inbox = RedisReportSender(broker_url), CeleryInbox(broker_url)
    inbox.cancel([cancel_key("r4"), recall_key("s", 7)])
    inbox.allow([cancel_key("r4"), recall_key("s", 7), cancel_key("never-raised")])
    assert not sender.is_cancelled(message("r4").model_copy(update={"attempt": 7}), "e1")


def test_reports_come_oldest_first_and_at_most_as_many_as_asked_for(ways: Ways) -> None:
    reports = ways.reports()
    for number in range(5):
        ways.send(wake(number))
    first = reports.take(3, 1)
    reports.acknowledge()
    rest = reports.take(3, 1)
    names = [Wake.model_validate_json(body).worker_id for body in first + rest]
    assert names == ["w0", "w1", "w2", "w3", "w4"]
    assert len(first) == 3


def test_what_was_not_acknowledged_comes_again_to_the_next_process(ways: Ways) -> None:
    for number in range(3):
        ways.send(wake(number))
    taken = ways.reports().take(2, 1)
    after_crash = ways.reports()
    assert after_crash.take(10, 1) == taken
    after_crash.acknowledge()
    assert len(after_crash.take(10, 1)) == 1


def test_what_was_taken_over_a_connection_that_was_lost_is_handed_over_all_the_same(broker_url: str) -> None:
    """The broker had moved the report and could not say so; the command done again would have taken the next one only."""
    broker, reports = redis.Redis.from_url(broker_url), RedisReports(broker_url)
    reports.take(1, 0.05)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(reports.take, 10, 1.0)
        while not (waiting := [c["id"] for c in broker.client_list() if c["cmd"] == "blmove"]):
            time.sleep(0.01)
        with broker.pipeline(transaction=False) as at_once:
            at_once.lpush(REPORTS_LIST, wake(1).model_dump_json())
            at_once.client_kill_filter(_id=waiting[0])
            at_once.execute()
        found = taken.result(20)
    reports.acknowledge()
    RedisReportSender(broker_url).send(wake(2))
    found += reports.take(10, 1.0)
    assert [Wake.model_validate_json(body).worker_id for body in found] == ["w1", "w2"]


def test_what_the_broker_takes_late_for_a_connection_that_is_gone_comes_all_the_same(broker_url: str) -> None:
    """Its client had given it up, and its command had not: what it moved was deleted with what had been handed over."""
    broker, reports = redis.Redis.from_url(broker_url), RedisReports(broker_url)
    for number in range(3):
        broker.lpush(REPORTS_LIST, wake(number).model_dump_json())
    names = {Wake.model_validate_json(body).worker_id for body in reports.take(2, 1)}
    broker.lmove(REPORTS_LIST, REPORTS_TAKEN, "RIGHT", "LEFT")
    reports.acknowledge()
    names |= {Wake.model_validate_json(body).worker_id for body in reports.take(10, 1)}
    assert names == {"w0", "w1", "w2"}
    reports.acknowledge()
    assert not reports.take(10, 0.05)


def test_taking_from_an_empty_list_gives_nothing(ways: Ways) -> None:
    assert ways.reports().take(10, 0.1) == []


def test_who_does_not_want_to_wait_gets_what_is_there_at_once(ways: Ways) -> None:
    reports = ways.reports()
    assert reports.take(10, 0.0) == []
    ways.send(wake(1))
    assert len(reports.take(10, 0.0)) == 1


def test_a_broker_that_is_not_there_is_said_to_be_unavailable() -> None:
    nowhere = "redis://127.0.0.1:1/0"
    with pytest.raises(PortUnavailable):
        RedisReports(nowhere).take(1, 0.1)
    with pytest.raises(PortUnavailable):
        CeleryInbox(nowhere).send([message()])


def test_a_broker_that_takes_connections_and_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that stands still does; a send without end had held the coordinator, which pages then named as silent."""
    monkeypatch.setitem(FAIL_FAST, "socket_timeout", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as stands_still:
        url = f"redis://127.0.0.1:{stands_still.getsockname()[1]}/0"
        inbox, reports = CeleryInbox(url), RedisReports(url)
        calls: list[Callable[[], object]] = [
            lambda: inbox.send([message()]),
            lambda: inbox.serve("site-a", "w0"),
            lambda: inbox.kill([Execution("w0", "e0")]),
            lambda: inbox.cancel([cancel_key("r1")]),
            lambda: reports.take(1, 0.1),
        ]
        pool = ThreadPoolExecutor(len(calls))
        try:
            for ended in [pool.submit(call) for call in calls]:
                with pytest.raises(PortUnavailable):
                    ended.result(20)
        finally:
            stands_still.close()
            pool.shutdown()
