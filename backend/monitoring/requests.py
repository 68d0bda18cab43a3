"""Counts requests and how long their answers take to begin: of a stream of events the end says nothing.

Plain ASGI, as `backend.security`. Routes are named by their template below `/api/v1`, so that no id becomes a label.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestCounts:
    """Of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ("method", "route")
        self._requests = Counter(
            "awase_http_requests", "Requests answered.", (*names, "status"), registry=registry
        )
        self._seconds = Histogram(
            "awase_http_answer_seconds",
            "Until the answer to a request began.",
            names,
            registry=registry,
            buckets=_BUCKETS_S,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else _OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class CountRequests:
    """Must be the outermost: what the others refuse is counted, too."""

    def __init__(self, app: ASGIApp, counts: RequestCounts) -> None:
        self._app, self._counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        is_counted = False

        def count(status: int) -> None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                route = getattr(scope.get("route"), "path", _OTHER)
                self._counts.count(scope["method"], route, status, time.monotonic() - began)

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_count)
        except Exception:
            count(500)  # whoever called us answers so
            raise
