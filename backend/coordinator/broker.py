"""The ports over one shared broker: Celery queues down, a Redis list up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]  # of an older version
from uuid_utils import uuid7

from backend.coordinator.ports import Execution, PortUnavailable
from backend.db.parts import in_parts
from worker.app import FAIL_FAST, REPORTS_TAKEN, STEP_TASK, connect, make_app
from worker.messages.keys import REPORTS_LIST, refused_key, site_queue
from worker.messages.steps import StepMessage

CANCEL_FLAG_S = 24 * 3600
REFUSED_S = 60
LEAST_WAIT_S = 0.01
"""To Redis 0 says: without end."""
# Hundreds of reports at once; as single commands they cost more time than reading them.
_TAKE = """
local taken = {}
for i = 1, tonumber(ARGV[1]) do
  local report = redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
  if not report then break end
  taken[i] = report
end
return taken
"""
_ACKNOWLEDGE = """
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OperationalError, BatchPublishError, OSError) as error:
        raise PortUnavailable(f"{type(error).__name__}: {error}".rstrip(". ")) from error


class CeleryInbox:
    """One Celery queue a site."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = make_app(broker_url, **FAIL_FAST)
        self._redis = connect(broker_url)

    def send(self, messages: Sequence[StepMessage]) -> None:
        # Put straight into the queue, together: Celery's `send_task` asks first which queue that is and declares it anew for
        # every message, which costs more than sending. A worker declares its own.
        with _translated(), self._app.producer_or_acquire() as producer, producer.batch():
            for message in messages:
                task = self._app.amqp.as_task_v2(
                    str(uuid7()), STEP_TASK, args=(message.model_dump_json(),), argsrepr="", kwargsrepr="",
                    ignore_result=True,
                )  # fmt: skip
                queue = site_queue(message.context.site.name)
                producer.publish(
                    task.body, exchange="", routing_key=queue, serializer="json", headers=task.headers,
                    retry=False, **task.properties,
                )  # fmt: skip

    def waiting(self, site_names: Collection[str]) -> dict[str, int]:
        names = sorted(site_names)
        with _translated(), self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.llen(site_queue(name))
            return {name: int(length) for name, length in zip(names, pipe.execute(), strict=True)}

    def serve(self, site_name: str, worker_id: str) -> None:
        with _translated():
            self._app.control.add_consumer(site_queue(site_name), destination=[worker_id], reply=False)

    def cancel(self, flags: Sequence[str]) -> None:
        with _translated():
            for flag in flags:
                self._redis.set(flag, "1", ex=CANCEL_FLAG_S)

    def allow(self, flags: Collection[str]) -> None:
        with _translated():
            for some in in_parts(flags):
                self._redis.delete(*some)

    def refuse(self, sites: Mapping[str, str]) -> None:
        with _translated(), self._redis.pipeline(transaction=False) as pipe:
            for name, why in sites.items():
                pipe.set(refused_key(name), why, ex=REFUSED_S)
            pipe.execute()

    def kill(self, executions: Collection[Execution]) -> None:
        with _translated():
            for worker_id, id in executions:  # an execution's id is its Celery task's
                self._app.control.revoke(
                    id, terminate=True, signal="KILL", destination=[worker_id], reply=False
                )


class RedisReports:
    """Reports move from one list to another when taken, and leave that one when committed."""

    def __init__(self, broker_url: str) -> None:
        # A command that takes, and whose answer was lost, has taken: done again, it would take the next ones.
        self._redis = connect(broker_url, again=0)
        self._take: Any = self._redis.register_script(_TAKE)
        self._acknowledge: Any = self._redis.register_script(_ACKNOWLEDGE)
        self._num_handed_over = 0
        self._is_new = True
        """What was taken before, and not acknowledged, comes first: by a process before this one, or over a connection that was lost."""

    def take(self, limit: int, wait_s: float) -> list[bytes]:
        with _translated():
            try:
                taken = self._taken(limit, wait_s)
            except redis.ConnectionError:
                self._is_new = True
                taken = self._taken(limit, wait_s)
        self._num_handed_over = len(taken)
        return taken

    def _taken(self, limit: int, wait_s: float) -> list[bytes]:
        if self._is_new and (left_over := self._redis.lrange(REPORTS_TAKEN, 0, -1)):
            return _as_bytes(left_over[::-1])
        self._is_new = False
        pause_s = max(wait_s, LEAST_WAIT_S)
        first = self._redis.blmove(REPORTS_LIST, REPORTS_TAKEN, pause_s, "RIGHT", "LEFT")  # type: ignore[arg-type]  # takes fractions of a second
        if first is None:
            return []
        return _as_bytes([first, *self._take(keys=[REPORTS_LIST, REPORTS_TAKEN], args=[limit - 1])])

    def acknowledge(self) -> None:
        with _translated():
            # Of a connection that broke on this side alone the broker may have taken yet: all come again, and count once.
            self._is_new = not self._acknowledge(keys=[REPORTS_TAKEN], args=[self._num_handed_over])


def _as_bytes(bodies: Sequence[bytes | str | None]) -> list[bytes]:
    return [body.encode() if isinstance(body, str) else body for body in bodies if body is not None]
