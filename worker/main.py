"""Starts a worker process: Celery with a prefork pool, and a thread that says that it lives.

The parent imports torch, so that its children are born with it in memory, and never computes.
"""

import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")  # read by Celery at import: SIGTERM stops within seconds

import redis
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from pydantic import ValidationError

from worker import devices, logs, tasks
from worker.app import IDLE_QUEUE, address, make_app
from worker.console import Console
from worker.hearing import Listening, begin_anew
from worker.messages.keys import site_queue
from worker.messages.reports import WorkerBeat, WorkerLost
from worker.predecessor import place
from worker.reporting import Every, RedisReportSender
from worker.settings import WorkerSettings, what_is_wrong

log = logging.getLogger("worker")
QUEUES_POLL_S = 0.5
_REFUSED = {
    "unknown": "no site '{site}' exists at the server, so it gets no work. Stop this worker and start it with the name that the page 'Sites' "
    "shows, or create the site there; then this worker serves it by itself. Is BROKER_URL that of the right server?",
    "revoked": "the site '{site}' was revoked at the server, so it gets no work, and cannot come back. Stop this worker; create a site "
    "of another name on the page 'Sites' and start the worker of that.",
}
"""By what the coordinator says of the site."""


def main() -> int:
    """Runs until a signal; 1: it cannot start. Settings come from the environment."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        print(f"awase: {what_is_wrong(error)}", file=sys.stderr)
        return 1
    try:
        _set_up_log(settings)
    except OSError as error:
        print(
            f"awase: cannot write in {settings.data_dir}: {error.strerror}. Choose another --data-dir.",
            file=sys.stderr,
        )
        return 1
    console = Console(settings)
    try:
        said = broker_problem(settings.broker_url)
    except redis.AuthenticationError:
        console.warn("the broker refuses the password in BROKER_URL. Use that of the server.")
        return 1
    if said is not None:
        console.warn(said)
    if settings.site:
        console.tell(
            f"starting the worker of the site '{settings.site}' (models: {settings.artifacts_url.rsplit('@', 1)[-1]}; what it does: {_told_in(settings)})"
        )
    with place(settings.data_dir, settings.site, settings.worker_id) as before:
        if before is not None:
            # Said before the first beat: what the dead one had begun is begun again as soon as this one can.
            RedisReportSender(settings.broker_url).send(WorkerLost(worker_id=before), until_taken=False)
        listening = Listening(settings.broker_url, settings.worker_concurrency)
        code = _work(settings, listening, console)
    if listening.was_lost and not listening.was_told_to_end:
        begin_anew()
    return code


def broker_problem(url: str) -> str | None:
    """What a person should know of a broker that does not answer, asked once; it may come up later. None: it answers.

    Raises: redis.AuthenticationError, which no waiting mends.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as connection:
            connection.ping()
    except redis.AuthenticationError:
        raise
    except redis.RedisError as error:
        return (
            f"the broker at {address(url)} does not answer ({type(error).__name__}). Trying again until it does; "
            "check BROKER_URL, the network and that the server runs."
        )
    return None


def _work(settings: WorkerSettings, listening: Listening, console: Console) -> int:
    app = make_app(settings.broker_url)
    tasks.register(app, settings)
    queue = site_queue(settings.site) if settings.site else IDLE_QUEUE
    worker: Any = app.Worker(
        hostname=settings.worker_id, queues=[queue], concurrency=settings.worker_concurrency,
        pool_cls="prefork", loglevel="INFO", without_gossip=True, without_mingle=True,
        without_heartbeat=True, optimization="fair", quiet=True,
    )  # fmt: skip
    beats = Every(QUEUES_POLL_S, _Beat(app, settings, listening, console), "worker-beat")
    console.speak_for_celery()

    def on_ready(sender: Any, **_: object) -> None:
        sender.hub.on_tick.add(listening.turn)
        if settings.site:
            console.tell(
                f"waiting for work of the site '{settings.site}'. The page 'Sites' shows it as online within "
                "seconds; if it does not, no site of that name exists there, or BROKER_URL is another server's."
            )
        beats.__enter__()

    def on_stop(**_: object) -> None:  # by a signal: somebody wants it to end
        listening.was_told_to_end = True
        beats.__exit__()

    worker_ready.connect(on_ready)
    worker_shutting_down.connect(on_stop)
    worker.start()
    return int(worker.exitcode or 0)


class _Beat:
    """Says every few seconds, and at once when the queues change, that the worker lives; and looks whether it still hears."""

    def __init__(self, app: Celery, settings: WorkerSettings, listening: Listening, console: Console) -> None:
        self._app, self._settings, self._listening, self._console = app, settings, listening, console
        self._reports = RedisReportSender(settings.broker_url)
        self._refused: str | None = None
        self._device = devices.expected(settings.device)
        self._said: tuple[str, ...] = ()
        self._said_at = -settings.worker_beat_s

    def __call__(self) -> None:
        queues = tuple(sorted(self._app.amqp.queues.consume_from))
        now = time.monotonic()
        if queues == self._said and now - self._said_at < self._settings.worker_beat_s:
            return
        self._said, self._said_at = queues, now
        settings = self._settings
        beat = WorkerBeat(
            worker_id=settings.worker_id,
            placement="site" if settings.site else "local",
            hostname=socket.gethostname(),
            pid=os.getpid(),
            queues=queues,
            device=self._device,
            concurrency=settings.worker_concurrency,
        )
        self._reports.send(beat, until_taken=False)
        self._listening.look(queues)
        if settings.site:
            self._look_whether_refused(settings.site)
            # That of a worker without a site the supervisor rotates.
            logs.rotate(_log_file(settings))

    def _look_whether_refused(self, site: str) -> None:
        """Said once; and again after it was known meanwhile."""
        refused = self._reports.why_refused(site)
        if refused != self._refused and refused in _REFUSED:
            self._console.warn(_REFUSED[refused].format(site=site))
        self._refused = refused


def _log_file(settings: WorkerSettings) -> Path:
    name = f"worker-{settings.site}.log" if settings.site else "worker.log"
    return settings.data_dir / "logs" / name


def _told_in(settings: WorkerSettings) -> str:
    return "standard error" if settings.log == "json" else str(_log_file(settings))


def _set_up_log(settings: WorkerSettings) -> None:
    if settings.log == "json":
        logs.setup("json")
        return
    path = _log_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.FileHandler(path, encoding="utf-8")]
    if sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    logs.setup("text", *handlers)


if __name__ == "__main__":
    sys.exit(main())
