"""HTTP of the server's health. Open: it says nothing about sites, pilots or people."""

from fastapi import APIRouter, Request

from backend.health import service
from backend.health.schemas import Health
from backend.runs.broker import AppBroker
from backend.web import AppDatabase, AppSettings

router = APIRouter(tags=["server"])


@router.get("/health")
def get_health(request: Request, database: AppDatabase, broker: AppBroker, settings: AppSettings) -> Health:
    """Whether database, broker, coordinator and workers answer."""
    return service.health(database, broker, settings, request.app.state.started_at)
