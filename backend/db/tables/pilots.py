"""Sites, topologies and pilots: what people define."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, new_id, utc_now


class SiteRow(Base):
    """A location with its own data and worker.

    `placement`: `local` = served by the worker of this server; `remote` = by a worker on its own machine.
    `state`: invited | online | silent | revoked. `data`: dimat.data_spec.SiteData as JSON. `window`: sites.window.Window as JSON;
    None: it takes work at any time.
    """

    __tablename__ = "sites"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column(default="")
    placement: Mapped[str] = mapped_column(default="local")
    data: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="invited")
    last_seen_at: Mapped[datetime | None]
    device: Mapped[str | None]
    worker_id: Mapped[str | None]
    fingerprint: Mapped[str | None]
    num_rows: Mapped[int | None]
    window: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    limits: Mapped[dict[str, Any] | None]
    """`backend.sites.schemas.SiteLimits` as JSON; None: no limit."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    revision: Mapped[int] = mapped_column(default=1)


class TopologyRow(Base):
    """A saved graph over named sites. `spec`: dimat.topology_spec.TopologySpec as JSON; `site_names`: list of str."""

    __tablename__ = "topologies"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    site_names: Mapped[list[Any]]
    spec: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    revision: Mapped[int] = mapped_column(default=1)


class PilotRow(Base):
    """A study. `state`: draft | launched | decided | archived. `spec`: dimat.spec.PilotSpec as JSON,
    frozen at launch. `launch_key`: the Idempotency-Key of the launch."""

    __tablename__ = "pilots"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="draft", index=True)
    spec: Mapped[dict[str, Any]]
    spec_sha256: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    launched_at: Mapped[datetime | None]
    launch_key: Mapped[str | None]
    follows_pilot_id: Mapped[str | None]
    """The pilot of which it is the next stage."""
    revision: Mapped[int] = mapped_column(default=1)


class ArmRow(Base):
    """One treatment of a launched pilot, in the order of the spec."""

    __tablename__ = "arms"
    __table_args__ = (UniqueConstraint("pilot_id", "name"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    name: Mapped[str]
    method: Mapped[str]


class AmendmentRow(Base):
    """A change to a launched pilot from a round on. `patch`: dimat.plan.Patch as JSON.

    `state`: asked | in_force | refused. The API asks; the coordinator, which alone makes steps, decides.
    """

    __tablename__ = "amendments"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"), index=True)
    arm: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="asked")
    asked_round: Mapped[int | None]
    """From which round on it was asked for; None: as soon as possible."""
    from_round: Mapped[int | None]
    """From which round on it counts, once it is in force."""
    patch: Mapped[dict[str, Any]]
    by: Mapped[str]
    why: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    decided_at: Mapped[datetime | None]
    reason: Mapped[dict[str, Any] | None]
    """{"code", "params"} of a refusal."""
    left_out: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of runs that had ended when it came into force, or had no round left, and are as they were."""


class AssumptionsRow(Base):
    """Business assumptions of a pilot, versioned: a change is a new row. `body`: pilots.assumptions.Assumptions as JSON."""

    __tablename__ = "assumptions"
    __table_args__ = (UniqueConstraint("pilot_id", "version"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    body: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)
