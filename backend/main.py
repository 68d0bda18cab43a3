"""Puts the server together: `create_app(settings)`. Starts no process and changes no database schema."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from prometheus_client import CollectorRegistry

from backend import __version__, docs, openapi, pages, problems
from backend.audit.routes import router as audit
from backend.auth.routes import router as auth
from backend.db.session import Database
from backend.db.tables import utc_now
from backend.events.hub import EventHub
from backend.events.routes import router as events
from backend.exchanges.routes import pilot_router as pilot_exchanges
from backend.exchanges.routes import router as exchanges
from backend.explain.routes import router as explain
from backend.figures.routes import router as figures
from backend.health.routes import router as health
from backend.metrics.routes import router as metrics
from backend.monitoring.requests import CountRequests, RequestCounts
from backend.monitoring.routes import router as monitoring
from backend.pilots.routes import router as pilots
from backend.roi.routes import router as roi
from backend.runs.broker import NoBroker, RedisBroker
from backend.runs.pilot_routes import router as pilot_runs
from backend.runs.routes import router as runs
from backend.samples.routes import router as samples
from backend.security import BodyLimit, SecurityHeaders
from backend.settings import Settings
from backend.sites.routes import router as sites
from backend.summary.routes import router as summary
from backend.timetables.routes import router as timetables
from backend.topologies.routes import router as topologies
from backend.web import known_query
from worker import logs

ROUTERS = (
    health, auth, audit, samples, sites, topologies, timetables, pilots, pilot_runs, runs, explain, metrics, exchanges,
    pilot_exchanges, roi, figures, summary, events,
)  # fmt: skip


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Database and broker are opened lazily, at the first request that needs them."""
    settings = settings or Settings()
    app = FastAPI(
        title="Awase",
        version=__version__,
        description="Find out, with a small pilot, whether sites should train their models together.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan(),
        redirect_slashes=False,
    )
    if settings.log == "json":
        logs.setup("json")
    app.state.started_at = utc_now()
    app.state.settings = settings
    app.state.database = Database(settings.database_url)
    app.state.broker = RedisBroker(settings.broker_url) if settings.broker_url else NoBroker()
    app.state.events = EventHub(app.state.database)
    app.state.counted = CollectorRegistry()
    app.add_middleware(BodyLimit)
    app.add_middleware(GZipMiddleware, compresslevel=5)  # leaves streams of events alone
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CountRequests, counts=RequestCounts(app.state.counted))
    problems.install(app)
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(known_query)])
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    app.include_router(monitoring)
    openapi.install(app)
    docs.install(app)
    pages.install(app)
    return app


def _lifespan() -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if app.state.settings.log == "json":
            logs.setup("json")  # again: uvicorn may have put its own in place meanwhile
        restore = _end_streams_on_signal(app.state.events)
        try:
            yield
        finally:
            restore()
            app.state.events.close()
            app.state.broker.close()
            app.state.database.close()

    return lifespan


def _end_streams_on_signal(hub: EventHub) -> Callable[[], None]:
    """The server waits for open answers before it ends the lifespan, and a stream of events never ends by
    itself: so the signal that stops the server ends the streams first, then does what it did before."""
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.close)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous = signal.getsignal(number)
        if not callable(previous):
            continue
        before[number] = previous
        try:
            signal.signal(number, on_signal)
        except ValueError:  # not the main thread, as in tests: nothing to chain
            before.clear()
            break

    def restore() -> None:
        for number, previous in before.items():
            if signal.getsignal(number) is on_signal:
                signal.signal(number, previous)

    return restore
