"""All tables, so that `Base.metadata` is complete. A *table* is a database row class, never a neural network."""

from backend.db.tables.base import Base, new_id, utc_now
from backend.db.tables.people import AuditRow, RoleBindingRow, SessionRow, SignInLinkRow, TokenRow, UserRow
from backend.db.tables.pilots import AmendmentRow, ArmRow, AssumptionsRow, PilotRow, SiteRow, TopologyRow
from backend.db.tables.runs import (
    AbsenceRow,
    ArtifactRow,
    BreakRow,
    EventRow,
    ExchangeRow,
    HeartbeatRow,
    MetricRow,
    RoundRow,
    RoundTimerRow,
    RunRow,
    StepLogRow,
    StepRow,
    StoreRow,
)

__all__ = [
    "AbsenceRow",
    "AmendmentRow", "ArmRow", "ArtifactRow", "AssumptionsRow", "AuditRow", "Base", "BreakRow", "EventRow",
    "ExchangeRow", "HeartbeatRow", "MetricRow", "PilotRow", "RoleBindingRow", "RoundRow", "RoundTimerRow", "RunRow",
    "SessionRow", "SignInLinkRow", "SiteRow", "StepLogRow", "StepRow", "StoreRow", "TokenRow", "TopologyRow", "UserRow", "new_id", "utc_now",
]  # fmt: skip
