"""The port through which the API nudges the coordinator, and its implementation on Redis.

A nudge only makes things faster: the coordinator looks at the database every second anyway. So a broker
that does not answer is a warning in the log, never a failed request. Besides, it is asked whether it answers and how much waits.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Annotated, Protocol, cast

import redis
from fastapi import Depends, Request

from worker.messages.keys import REPORTS_LIST, site_queue
from worker.messages.reports import Wake

log = logging.getLogger(__name__)
_TIMEOUT_S = 1.0


class Broker(Protocol):
    def wake(self) -> None:
        """Tells the coordinator that a command was committed. Never raises."""

    def is_up(self) -> bool:
        """Whether the broker answers."""

    def lengths(self, site_names: Collection[str]) -> Mapping[str, int] | None:
        """How many `steps` wait for all these sites together, and how many `reports` for the coordinator. None: it does not
        answer."""


class RedisBroker:
    """Redis or Valkey at `url`."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)

    def wake(self) -> None:
        try:
            self._redis.lpush(REPORTS_LIST, Wake(worker_id="api").model_dump_json())
        except redis.RedisError as error:
            log.warning(
                "broker does not answer, the coordinator will look by itself: %s", type(error).__name__
            )

    def is_up(self) -> bool:
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def lengths(self, site_names: Collection[str]) -> Mapping[str, int] | None:
        try:
            with self._redis.pipeline(transaction=False) as asked:
                for name in (REPORTS_LIST, *map(site_queue, site_names)):
                    asked.llen(name)
                reports, *steps = asked.execute()
        except redis.RedisError:
            return None
        return {"reports": reports, "steps": sum(steps)}

    def close(self) -> None:
        self._redis.close()


class NoBroker:
    """When no broker is configured: nothing to nudge, and health says so."""

    def wake(self) -> None:
        log.warning("no broker is configured, the coordinator will look by itself")

    def is_up(self) -> bool:
        return False

    def lengths(self, site_names: Collection[str]) -> Mapping[str, int] | None:
        return None

    def close(self) -> None:
        pass


def broker(request: Request) -> Broker:
    return cast(Broker, request.app.state.broker)


AppBroker = Annotated[Broker, Depends(broker)]
