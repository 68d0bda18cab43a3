"""SQL of users, role bindings, tokens, sessions and sign-in links."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from backend.db.tables import RoleBindingRow, SessionRow, SignInLinkRow, TokenRow, UserRow


def user_by_id(session: Session, id: str) -> UserRow | None:
    return session.get(UserRow, id)


def user_by_name(session: Session, name: str) -> UserRow | None:
    return session.scalar(select(UserRow).where(UserRow.name == name))


def users() -> Select[UserRow]:
    return select(UserRow)


def first_user_with_role(session: Session, role: str) -> UserRow | None:
    """The oldest enabled user who has `role` everywhere."""
    return session.scalar(
        select(UserRow)
        .join(RoleBindingRow, RoleBindingRow.user_id == UserRow.id)
        .where(RoleBindingRow.role == role, RoleBindingRow.scope_kind == "all", UserRow.disabled_at.is_(None))
        .order_by(UserRow.id)
        .limit(1)
    )


def roles_of(session: Session, user_ids: list[str]) -> dict[str, list[str]]:
    """Roles in the scope `all`, by user, sorted."""
    found: dict[str, list[str]] = {id: [] for id in user_ids}
    rows = session.execute(
        select(RoleBindingRow.user_id, RoleBindingRow.role)
        .where(RoleBindingRow.user_id.in_(user_ids), RoleBindingRow.scope_kind == "all")
        .order_by(RoleBindingRow.role)
    )
    for user_id, role in rows:
        found[user_id].append(role)
    return found


def token_by_digest(session: Session, digest: bytes) -> TokenRow | None:
    return session.scalar(select(TokenRow).where(TokenRow.secret_sha256 == digest))


def token_by_id(session: Session, id: str) -> TokenRow | None:
    return session.get(TokenRow, id)


def tokens(user_id: str | None) -> Select[TokenRow]:
    """Tokens that were not revoked, of one user or of all."""
    query = select(TokenRow).where(TokenRow.revoked_at.is_(None))
    return query if user_id is None else query.where(TokenRow.user_id == user_id)


def family(token_id: str) -> Select[str]:
    """Ids of a token and of all that were made with it, at any remove."""
    tree = select(TokenRow.id).where(TokenRow.id == token_id).cte("family", recursive=True)
    tree = tree.union(select(TokenRow.id).join(tree, TokenRow.made_with == tree.c.id))
    return select(tree.c.id)


def is_in_family(session: Session, id: str, token_id: str) -> bool:
    return (
        session.scalar(select(TokenRow.id).where(TokenRow.id == id, TokenRow.id.in_(family(token_id))))
        is not None
    )


def revoke(session: Session, ids: Sequence[str], at: datetime) -> list[TokenRow]:
    """Revokes tokens that are not: those that were. Nobody makes another with one of them before this
    transaction ends, or after it (`service.create_token`)."""
    rows = session.scalars(
        update(TokenRow)
        .where(TokenRow.id.in_(ids), TokenRow.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(TokenRow)
    )
    return sorted(rows, key=lambda row: row.id)


def made_with(session: Session, token_ids: Sequence[str]) -> list[str]:
    return list(session.scalars(select(TokenRow.id).where(TokenRow.made_with.in_(token_ids))))


def names_of(session: Session, user_ids: list[str]) -> dict[str, str]:
    rows = session.execute(select(UserRow.id, UserRow.name).where(UserRow.id.in_(user_ids)))
    return {row.id: row.name for row in rows}


def note_use(session: Session, token_id: str, at: datetime) -> None:
    session.execute(update(TokenRow).where(TokenRow.id == token_id).values(last_used_at=at))


def session_by_digest(session: Session, digest: bytes) -> SessionRow | None:
    return session.get(SessionRow, digest)


def delete_session(session: Session, digest: bytes) -> None:
    session.execute(delete(SessionRow).where(SessionRow.secret_sha256 == digest))


def delete_sessions_of(session: Session, token_ids: Sequence[str]) -> None:
    session.execute(delete(SessionRow).where(SessionRow.token_id.in_(token_ids)))


def delete_expired_sessions(session: Session, before: datetime) -> None:
    session.execute(delete(SessionRow).where(SessionRow.expires_at < before))


def use_link(session: Session, digest: bytes, at: datetime) -> tuple[str, str | None] | None:
    """Marks a valid link as used, in one statement so that two requests cannot both win: its user and the token with
    which it was made, or None."""
    found = session.execute(
        update(SignInLinkRow)
        .where(
            SignInLinkRow.secret_sha256 == digest,
            SignInLinkRow.used_at.is_(None),
            SignInLinkRow.expires_at > at,
        )
        .values(used_at=at)
        .returning(SignInLinkRow.user_id, SignInLinkRow.token_id)
    ).one_or_none()
    return None if found is None else (found.user_id, found.token_id)


def drop_open_links_of_tokens(session: Session, token_ids: Sequence[str]) -> None:
    session.execute(
        delete(SignInLinkRow).where(SignInLinkRow.token_id.in_(token_ids), SignInLinkRow.used_at.is_(None))
    )


def drop_open_links(session: Session, user_id: str) -> None:
    """A fresh link makes the older ones of its user useless."""
    session.execute(
        delete(SignInLinkRow).where(SignInLinkRow.user_id == user_id, SignInLinkRow.used_at.is_(None))
    )
