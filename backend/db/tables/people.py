"""Who may do what, and who did it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, new_id, utc_now


class UserRow(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    disabled_at: Mapped[datetime | None]


class RoleBindingRow(Base):
    """A role of a user in a scope; scope_kind `all` (scope_id empty) is everything."""

    __tablename__ = "role_bindings"
    __table_args__ = (UniqueConstraint("user_id", "role", "scope_kind", "scope_id"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    scope_kind: Mapped[str] = mapped_column(default="all")
    scope_id: Mapped[str] = mapped_column(default="")


class TokenRow(Base):
    """A bearer token of the API; only its sha256 is kept. Acts with `role`, at most that of its maker."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    role: Mapped[str]
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    made_with: Mapped[str | None] = mapped_column(index=True)
    """The token with which it was made, also by way of a browser session; revoked with it. None: by its user, or at the
    command line."""
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SessionRow(Base):
    """A signed-in browser; the cookie holds the secret, the row its sha256."""

    __tablename__ = "sessions"
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str]
    token_id: Mapped[str | None]
    """With which it was begun, or the link to its own user made; it ends when that is revoked. None: by another link."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


class SignInLinkRow(Base):
    """A link that signs its user in once. `token_id`: with which it was made; unused, it goes with it."""

    __tablename__ = "sign_in_links"
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    token_id: Mapped[str | None]


class AuditRow(Base):
    """Append-only: who did what to which thing."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_thing", "thing_kind", "thing_id"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    actor_name: Mapped[str]
    action: Mapped[str]
    thing_kind: Mapped[str]
    thing_id: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
