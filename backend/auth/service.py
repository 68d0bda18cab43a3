"""Signing in and out, users and tokens. The rules are here; who may call them is the guard's matter."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth import repository
from backend.auth.permissions import ROLES, permissions_of
from backend.auth.principal import Principal
from backend.auth.schemas import (
    Me,
    MeUser,
    SignInLink,
    Token,
    TokenCreate,
    TokenCreated,
    TokenPage,
    User,
    UserCreate,
    UserCreated,
    UserPage,
)
from backend.auth.secrets import digest, new_secret, new_token
from backend.db.paging import Order, page
from backend.db.races import locked, unique_name
from backend.db.tables import RoleBindingRow, SessionRow, SignInLinkRow, TokenRow, UserRow, utc_now
from backend.errors import Forbidden, Invalid, NameTaken, NotFound, SignInNeeded
from backend.settings import Settings
from backend.web import ListQuery

FIRST_ADMIN = "admin"
_RANK = ("viewer", "manager", "admin")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new browser session: the cookie's secret and who it is."""

    secret: str
    expires_at: datetime
    me: Me


def me(who: Principal) -> Me:
    return Me(
        user=MeUser(id=who.user_id, name=who.user_name),
        roles=list(who.roles),
        permissions=sorted(who.permissions),
        csrf_token=who.csrf_token,
    )


def by_token(session: Session, secret: str) -> Principal:
    """Raises: SignInNeeded, when the token is unknown, revoked, expired or its user disabled."""
    row = repository.token_by_digest(session, digest(secret))
    if row is None or row.revoked_at is not None:
        raise SignInNeeded("token_invalid")
    if row.expires_at is not None and row.expires_at <= utc_now():
        raise SignInNeeded("token_expired", {"name": row.name})
    user = _enabled(session, row.user_id)
    # A token never outlives its maker's rights: it acts with its role as far as the user still has it.
    allowed = permissions_of(repository.roles_of(session, [user.id])[user.id])
    return Principal(
        kind="token",
        user_id=user.id,
        user_name=user.name,
        roles=(row.role,),
        permissions=permissions_of([row.role]) & allowed,
        token_id=row.id,
        token_name=row.name,
    )


def by_session(session: Session, secret: str) -> Principal:
    """Raises: SignInNeeded, when the session is unknown or over."""
    row = repository.session_by_digest(session, digest(secret))
    if row is None or row.expires_at <= utc_now():
        raise SignInNeeded("session_over")
    return _session_principal(session, row)


def sign_in_by_link(session: Session, secret: str, settings: Settings) -> SignedIn:
    """A session by a link that a token made for its own user is as if the token had begun it.

    Raises: SignInNeeded, when the link is unknown, used or over.
    """
    used = repository.use_link(session, digest(secret), utc_now())
    if used is None:
        raise SignInNeeded("link_invalid", field="link_secret")
    user_id, token_id = used
    made_with = repository.token_by_id(session, token_id) if token_id is not None else None
    own = made_with is not None and made_with.user_id == user_id
    return _start(session, user_id, settings, token_id if own else None)


def sign_in_by_token(session: Session, secret: str, settings: Settings) -> SignedIn:
    """A browser session of the token's user. Only a token with all of its user's rights, for as long as
    the user has them, may start one: the session would outlive it.

    Raises: SignInNeeded as `by_token`; Forbidden for a token with fewer rights than its user or an end.
    """
    who = by_token(session, secret)
    _must_stand(session, who)
    if _end_of(session, who) is not None:
        raise Forbidden("token_with_end_not_for_sign_in")
    roles = repository.roles_of(session, [who.user_id])[who.user_id]
    if who.permissions != permissions_of(roles):
        raise Forbidden("token_not_for_sign_in", {"role": who.roles[0]})
    if who.token_id is not None:
        repository.note_use(session, who.token_id, utc_now())
    return _start(session, who.user_id, settings, who.token_id)


def sign_out(session: Session, secret: str) -> None:
    repository.delete_session(session, digest(secret))


def create_user(session: Session, who: Principal, body: UserCreate, settings: Settings) -> UserCreated:
    """Raises: NameTaken; Forbidden, as `fresh_link`."""
    _may_make_links(session, who)
    if repository.user_by_name(session, body.name) is not None:
        raise NameTaken("user", body.name)
    user = _add_user(session, body.name, body.role)
    audit.record(session, who, "user_created", "user", user.id, name=body.name, role=body.role)
    link = _new_link(session, user.id, settings, who.token_id)
    return UserCreated(id=user.id, name=user.name, roles=[body.role], sign_in_link=link.sign_in_link)


def fresh_link(session: Session, who: Principal, user_id: str, settings: Settings) -> SignInLink:
    """A new sign-in link; older unused ones of the user no longer work.

    Raises: NotFound; Forbidden, when a token that ends asks: who signs in by the link would outlive it.
    """
    _may_make_links(session, who)
    user = repository.user_by_id(session, user_id)
    if user is None:
        raise NotFound("user", user_id)
    audit.record(session, who, "sign_in_link_created", "user", user_id, name=user.name)
    return _new_link(session, user_id, settings, who.token_id)


def list_users(session: Session, paging: ListQuery) -> UserPage:
    found = page(session, repository.users(), [Order(UserRow.id)], paging.cursor, paging.limit)
    roles = repository.roles_of(session, [user.id for user in found.rows])
    items = [
        User(
            id=user.id, name=user.name, roles=roles[user.id], created_at=user.created_at,
            disabled_at=user.disabled_at,
        )
        for user in found.rows
    ]  # fmt: skip
    return UserPage(items=items, next_cursor=found.next_cursor, total=found.total)


def create_token(session: Session, who: Principal, body: TokenCreate) -> TokenCreated:
    """Raises: Forbidden, when the role exceeds the asker's or a token asks for one that outlives it;
    Invalid, when it expires in the past; SignInNeeded, when the token that asks was revoked meanwhile."""
    if not ROLES[body.role] <= who.permissions:
        raise Forbidden("role_too_high", {"role": body.role}, "role")
    if body.expires_at is not None and body.expires_at <= utc_now():
        raise Invalid("expires_in_the_past", {"value": body.expires_at.isoformat()}, "expires_at")
    end = _end_of(session, who)
    if end is not None and (body.expires_at is None or body.expires_at > end):
        raise Forbidden("token_outlives_maker", {"expires_at": end.isoformat()}, "expires_at")
    _must_stand(session, who)
    secret = new_token()
    row = TokenRow(
        name=body.name, role=body.role, user_id=who.user_id, secret_sha256=digest(secret),
        expires_at=body.expires_at, made_with=who.token_id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(session, who, "token_created", "token", row.id, name=body.name, role=body.role)
    return TokenCreated(**_token(row, who.user_name).model_dump(), secret=secret)


def list_tokens(session: Session, who: Principal, paging: ListQuery) -> TokenPage:
    """The asker's own; all for who may see all; a token without that right sees itself and what was made with it."""
    query = repository.tokens(None if "tokens.all" in who.permissions else who.user_id)
    if who.kind == "token" and who.token_id is not None and "tokens.all" not in who.permissions:
        query = query.where(TokenRow.id.in_(repository.family(who.token_id)))
    found = page(session, query, [Order(TokenRow.id, descending=True)], paging.cursor, paging.limit)
    names = repository.names_of(session, [row.user_id for row in found.rows])
    items = [_token(row, names[row.user_id]) for row in found.rows]
    return TokenPage(items=items, next_cursor=found.next_cursor, total=found.total)


def revoke_token(session: Session, who: Principal, id: str) -> None:
    """With it go the tokens made with it, at any remove, the sessions that one of them began, and their sign-in links
    that nobody has used: who revokes a token that leaked is rid of what it brought into being.

    Raises: NotFound, also for a token that the asker may not see (`list_tokens`).
    """
    row = repository.token_by_id(session, id)
    if row is None or row.revoked_at is not None or not _may_see(session, who, row):
        raise NotFound("token", id)
    at, ids = utc_now(), [id]
    while ids:  # from the top down, so that one being made meanwhile is found or refused
        for revoked in repository.revoke(session, ids, at):
            audit.record(session, who, "token_revoked", "token", revoked.id, name=revoked.name)
        # Links first: one that is being used now is waited for, and its session is there to be ended.
        repository.drop_open_links_of_tokens(session, ids)
        repository.delete_sessions_of(session, ids)
        ids = repository.made_with(session, ids)


def first_admin_link(session: Session, settings: Settings) -> str:
    """A one-time sign-in link for the first administrator, who is created when there is none."""
    user = repository.first_user_with_role(session, "admin")
    if user is None:
        user = _add_user(session, FIRST_ADMIN, "admin")
    audit.record(session, system(user), "sign_in_link_created", "user", user.id, name=user.name)
    return _new_link(session, user.id, settings).sign_in_link


def token_for_command_line(session: Session, name: str, role: str) -> str:
    """A token's secret for someone at the server's own command line; it belongs to the first administrator."""
    body = TokenCreate.model_validate({"name": name, "role": role})
    return create_token(session, command_line(session), body).secret


def command_line(session: Session) -> Principal:
    """The server's own command line, acting for the first administrator (created when there is none)."""
    user = repository.first_user_with_role(session, "admin") or _add_user(session, FIRST_ADMIN, "admin")
    return system(user)


def system(user: UserRow) -> Principal:
    """The command line of the server, acting for `user`."""
    return Principal("system", user.id, user.name, ("admin",), permissions_of(["admin"]))


def _add_user(session: Session, name: str, role: str) -> UserRow:
    user = UserRow(name=name)
    session.add(user)
    with unique_name("user", name):
        session.flush()
    session.add(RoleBindingRow(user_id=user.id, role=role))
    session.flush()
    return user


def _new_link(session: Session, user_id: str, settings: Settings, token_id: str | None = None) -> SignInLink:
    secret = new_secret()
    expires_at = utc_now() + timedelta(minutes=settings.sign_in_link_minutes)
    repository.drop_open_links(session, user_id)
    session.add(
        SignInLinkRow(secret_sha256=digest(secret), user_id=user_id, expires_at=expires_at, token_id=token_id)
    )
    # The secret is the fragment: browsers do not send it, so it is in no server's log.
    return SignInLink(sign_in_link=f"{settings.origin}/sign-in#{secret}", expires_at=expires_at)


def _start(session: Session, user_id: str, settings: Settings, token_id: str | None = None) -> SignedIn:
    _enabled(session, user_id)
    now = utc_now()
    repository.delete_expired_sessions(session, now)
    secret = new_secret()
    row = SessionRow(
        secret_sha256=digest(secret), user_id=user_id, csrf_token=new_secret(),
        token_id=token_id, expires_at=now + timedelta(days=settings.session_days),
    )  # fmt: skip
    session.add(row)
    session.flush()
    who = _session_principal(session, row)
    audit.record(session, who, "signed_in", "user", user_id)
    return SignedIn(secret, row.expires_at, me(who))


def _session_principal(session: Session, row: SessionRow) -> Principal:
    user = _enabled(session, row.user_id)
    roles = repository.roles_of(session, [user.id])[user.id]
    ordered = tuple(sorted(roles, key=lambda role: _RANK.index(role) if role in _RANK else len(_RANK)))
    return Principal(
        "session", user.id, user.name, ordered, permissions_of(roles), row.csrf_token, row.token_id
    )


def _may_see(session: Session, who: Principal, row: TokenRow) -> bool:
    if "tokens.all" in who.permissions:
        return True
    if who.kind == "token" and who.token_id is not None:
        # It may belong to a user with more rights than it has: the user's others are none of its business.
        return repository.is_in_family(session, row.id, who.token_id)
    return row.user_id == who.user_id


def _must_stand(session: Session, who: Principal) -> None:
    """The token by which `who` acts was not revoked, and is not before what it makes is there to be revoked with it."""
    if who.token_id is not None:
        row = locked(session, TokenRow, who.token_id)
        if row is None or row.revoked_at is not None:
            raise SignInNeeded("token_invalid")


def _may_make_links(session: Session, who: Principal) -> None:
    if _end_of(session, who) is not None:
        raise Forbidden("token_with_end_makes_no_links")
    _must_stand(session, who)


def _end_of(session: Session, who: Principal) -> datetime | None:
    """When the asking token expires; None for one that does not, and for other askers."""
    row = repository.token_by_id(session, who.token_id) if who.token_id is not None else None
    return None if row is None else row.expires_at


def _enabled(session: Session, user_id: str) -> UserRow:
    user = repository.user_by_id(session, user_id)
    if user is None or user.disabled_at is not None:
        raise SignInNeeded("user_disabled")
    return user


def _token(row: TokenRow, user_name: str) -> Token:
    return Token(
        id=row.id, name=row.name, role=row.role, user_id=row.user_id, user_name=user_name,
        made_with=row.made_with, created_at=row.created_at, expires_at=row.expires_at, last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )  # fmt: skip
