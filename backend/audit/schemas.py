"""HTTP bodies of the audit."""

from datetime import datetime

from backend.text.schemas import Params, Schema
from backend.web import Page


class AuditEntry(Schema):
    id: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    thing_kind: str
    thing_id: str
    params: Params


class AuditPage(Page[AuditEntry]):
    pass
