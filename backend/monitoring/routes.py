"""`/metrics`: where Prometheus looks by default, with the token of a viewer.

Not open to loopback: behind a reverse proxy everybody comes from there.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.monitoring import service
from backend.runs.broker import AppBroker
from backend.web import AppDatabase, AppSettings

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def get_server_metrics(
    request: Request,
    database: AppDatabase,
    broker: AppBroker,
    settings: AppSettings,
    _who: Annotated[Principal, Depends(needs("runs.read"))],
) -> Response:
    text = service.text(database, broker, settings, request.app.state.counted)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
