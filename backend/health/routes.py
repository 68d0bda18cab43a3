"""HTTP of the server's health. Open: it says nothing about sites, pilots or people."""

from fastapi import APIRouter, Request

from backend.errors import NotReady
from backend.health import service
from backend.health.schemas import Health, Ready
from backend.problems import responses
from backend.runs.broker import AppBroker
from backend.web import AppDatabase, AppSettings

router = APIRouter(tags=["server"])


@router.get("/health")
def get_health(request: Request, database: AppDatabase, broker: AppBroker, settings: AppSettings) -> Health:
    """Whether database, broker, coordinator and workers answer."""
    return service.health(database, broker, settings, request.app.state.started_at)


@router.get("/ready", responses=responses(503))
def get_ready(request: Request, database: AppDatabase, broker: AppBroker, settings: AppSettings) -> Ready:
    """Whether pilots can go on: otherwise 503, which names what is away."""
    away = service.away(service.health(database, broker, settings, request.app.state.started_at))
    if away:
        raise NotReady(away)
    return Ready(ready=True)
