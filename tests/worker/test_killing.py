"""What a real worker survives: a process that is stuck in a step and is killed when the coordinator asks for it, the loss
of its connections to the broker, and that it no longer hears of what is sent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest
import redis
from kombu import Consumer, Exchange, Queue

from backend.coordinator.broker import CeleryInbox, RedisReports
from backend.coordinator.ports import Execution
from tests.worker.test_execution import prepare
from worker.app import make_app
from worker.messages.reports import Report, StepFinished, StepStarted, WorkerBeat, report

PATIENCE_S = 120


class Worker:
    """One real worker of the site `site-01`, with one process, and what it reported so far."""

    def __init__(
        self, broker_url: str, folder: Path, program: Sequence[str] = ("-m", "worker.main"), **settings: str
    ) -> None:
        environment = {
            **os.environ, "BROKER_URL": broker_url, "AWASE_DATA_DIR": str(folder), "AWASE_SITE": "site-01",
            "AWASE_WORKER_CONCURRENCY": "1", "AWASE_WORKER_ID": "w@here", "AWASE_DEVICE": "cpu", **settings,
        }  # fmt: skip
        self.process = subprocess.Popen([sys.executable, *program], env=environment)
        self.inbox, self._reports = CeleryInbox(broker_url), RedisReports(broker_url)

    def hear(self, wanted: type[Report], step_id: str | None = None) -> Report:
        """The next report of that kind (of that step); others are passed over."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for body in self._reports.take(1, 1.0):
                self._reports.acknowledge()
                heard = report.validate_json(body)
                if isinstance(heard, wanted) and getattr(heard, "step_id", step_id) == step_id:
                    return heard
        raise AssertionError(f"no {wanted.__name__} of {step_id}")


@pytest.fixture
def worker(broker_url: str, tmp_path: Path) -> Iterator[Worker]:
    made = Worker(broker_url, tmp_path)
    yield made
    made.process.kill()
    made.process.wait(30)


def test_a_stuck_step_is_killed_and_the_next_one_is_done(worker: Worker) -> None:
    worker.hear(WorkerBeat)
    worker.inbox.send([prepare("stuck", warmup_epochs=10_000)])
    stuck = worker.hear(StepStarted, "stuck")
    assert isinstance(stuck, StepStarted)
    os.kill(stuck.pid, signal.SIGSTOP)  # it heeds nothing, and no flag
    worker.inbox.send([prepare("next", warmup_epochs=0)])
    worker.inbox.kill([Execution(stuck.worker_id, stuck.execution_id)])
    assert isinstance(worker.hear(StepFinished, "next"), StepFinished)
    assert worker.process.poll() is None


def test_a_worker_that_lost_only_its_subscription_takes_the_next_step(
    worker: Worker, broker_url: str
) -> None:
    worker.hear(WorkerBeat)
    with redis.Redis.from_url(broker_url) as connection:
        for subscription in _subscriptions(connection):
            connection.client_kill_filter(_id=subscription)
        _subscriptions(
            connection
        )  # a step sent before may be lost, as it may be taken in the very moment of the loss
    worker.inbox.send([prepare("next", warmup_epochs=0)])
    assert isinstance(worker.hear(StepFinished, "next"), StepFinished)


DEAF_AT_FIRST = """
import os, sys, time
from kombu.transport.redis import Channel
from worker.main import main

read = Channel._brpop_read

def read_and_stand_still(self, **options):
    read(self, **options)
    time.sleep(10_000)

deaf = os.environ.pop("DEAF", None)
if deaf == "asks for nothing":  # as after a connection that was lost unseen
    Channel._brpop_start = lambda *_, **__: None
if deaf == "stands still":  # its loop, with a step in hand, as in a read of a connection on which nothing comes
    Channel._brpop_read = read_and_stand_still
sys.exit(main())
"""


@pytest.mark.parametrize("deaf", ["asks for nothing", "stands still"])
def test_a_worker_that_no_longer_hears_of_what_is_sent_begins_anew(
    broker_url: str, tmp_path: Path, deaf: str
) -> None:
    worker = Worker(broker_url, tmp_path, program=("-c", DEAF_AT_FIRST), DEAF=deaf, AWASE_WORKER_BEAT_S="0.5")
    try:
        worker.hear(WorkerBeat)
        worker.inbox.send([prepare("first", warmup_epochs=0)])
        while deaf == "stands still" and worker.inbox.waiting({"site-01"})["site-01"]:
            time.sleep(0.1)
        worker.inbox.send([prepare("next", warmup_epochs=0)])
        assert isinstance(worker.hear(StepFinished, "next"), StepFinished)
        assert worker.process.poll() is None
    finally:
        worker.process.kill()
        worker.process.wait(30)


def test_a_subscription_on_which_nothing_is_to_be_read_is_begun_anew_and_not_waited_for(
    broker_url: str,
) -> None:
    """As the library mends a lost one by itself, and then reads on."""
    raised: list[BaseException] = []
    with make_app(broker_url).connection_for_read() as connection:
        channel = connection.channel()
        Consumer(channel, [Queue("commands", Exchange("commands", type="fanout"))]).consume()
        subscription = channel.subclient.connection = channel.subclient.connection_pool.get_connection()
        channel._subscribe()
        while subscription.can_read(timeout=1):
            channel._receive()

        def read() -> None:
            try:
                channel._receive()
            except redis.ConnectionError as error:
                raised.append(error)

        reader = Thread(target=read, daemon=True)
        reader.start()
        reader.join(10)
        assert not reader.is_alive(), "it waits for a message that nobody sends"
    assert raised


def _subscriptions(connection: redis.Redis) -> list[str]:
    """Ids of the connections that are subscribed to something; waits for the first."""
    until = time.monotonic() + PATIENCE_S
    while not (found := [one["id"] for one in connection.client_list() if int(one["psub"]) > 0]):
        assert time.monotonic() < until, "nobody has subscribed"
        time.sleep(0.1)
    return found
