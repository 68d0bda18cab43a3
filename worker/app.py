"""The Celery application and the names on the broker: all that server and worker share of it.

Published to `backend`, so it must never import torch, nor the tasks. Celery carries steps down, one queue
for each site; nothing comes back through it. Reports go up over one Redis list, because draining a list in
batches costs a hundredth of a Celery task for each report.
"""

from typing import Any
from urllib.parse import urlsplit

import redis
from celery import Celery
from kombu.transport import redis as redis_transport
from redis.backoff import NoBackoff
from redis.retry import Retry

STEP_TASK = "awase.step"
REPORTS_TAKEN = "awase:reports:taken"
"""Reports that the coordinator has taken and not yet committed."""
IDLE_QUEUE = "local.idle"
"""What a local worker consumes until the coordinator adds the queues of the local sites."""
STOP_GRACE_S = 3.0
FAIL_FAST = {"socket_timeout": 8.0, "socket_connect_timeout": 5.0}
"""Seconds in which a broker that stands still is given up: sooner than pages take the coordinator, which waits for it, for silent (after 12, unless set otherwise). Not for a worker's subscription, which waits for messages."""


def address(broker_url: str) -> str:
    """Where the broker is, for people: without user, password and options."""
    parts = urlsplit(broker_url)
    return parts.netloc.rpartition("@")[2] + parts.path


def connect(broker_url: str, again: int = 1) -> redis.Redis:
    """A connection that fails fast: who calls it decides about trying again.

    `again`: how often a command is repeated whose connection was lost, though it may have been done; 0 for those that must not be done
    twice. A broker that took too long would take as long again.
    """
    retry = Retry(NoBackoff(), again, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(broker_url, **FAIL_FAST, retry=retry)


class _Channel(redis_transport.Channel):
    # Putting back what was not yet acknowledged, as kombu does when a connection is lost, needs that very
    # connection; the error ended the worker. The coordinator sends again what no worker began.
    do_restore = False

    def _receive(self) -> bool:
        """Called when something is there to be read from the subscription. Where nothing is, the client has mended it by itself since (when it
        looked after its health, say), and a read would wait for ever, in the thread that takes all steps.

        Raises: redis.ConnectionError. Celery begins its connections anew.
        """
        connection = self.subclient.connection
        if connection is None or not connection.is_connected or not connection.can_read(timeout=0):
            self._in_listen = None
            raise redis.ConnectionError("the subscription to the worker's commands was lost")
        return bool(super()._receive())  # type: ignore[misc]  # unknown to its stubs


class StepTransport(redis_transport.Transport):
    """Redis, where a message that was taken does not come back by itself."""

    Channel = _Channel


def make_app(broker_url: str, **transport_options: Any) -> Celery:
    """A Celery application that acknowledges early and takes no more messages than it has free processes.

    `transport_options`: beside those of all, as kombu's transport for Redis names them. With late acknowledgement
    a short loss of the connection ran a step twice; so durability is the coordinator's, which watches heartbeats
    and makes the next attempt.
    """
    app = Celery("awase", broker=broker_url, set_as_current=False)
    app.conf.update(
        broker_transport=f"{__name__}:{StepTransport.__name__}",
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_create_missing_queues=True,
        task_default_queue=IDLE_QUEUE,
        task_serializer="json",
        accept_content=["json"],
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=120.0,  # a child on a busy machine is slow to begin, not dead
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # what is printed is for who sits there
        worker_soft_shutdown_timeout=STOP_GRACE_S,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_TRANSPORT | transport_options,
    )
    return app


# A step may run for days; early acknowledgement makes the visibility timeout matter only in the moment
# between taking and starting, but a lost worker must not bring messages back behind the coordinator.
# No `retry_on_timeout`: it lets the client mend a lost subscription by itself, in the middle of a read that then waits for
# ever for a message nobody sends; the worker lives and takes no step. An error makes Celery begin its connections anew.
# And messages that go out together must not be sent again by the library: it would not know which of them had arrived.
_TRANSPORT: dict[str, Any] = {
    "visibility_timeout": 30 * 24 * 3600,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
