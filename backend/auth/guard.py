"""The dependency that every route declares: `needs("pilots.launch")`.

It finds out who asks (cookie or bearer token), checks the permission, and guards cookie requests that write
against foreign pages (SameSite cookie + Origin + header token). It opens sessions of its own and closes
them at once, so that a stream of events holds none.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy.exc import SQLAlchemyError

from backend.auth import repository, service
from backend.auth.principal import Principal
from backend.db.session import Database
from backend.db.tables import utc_now
from backend.errors import Forbidden, SignInNeeded
from backend.settings import Settings
from backend.web import database, settings

log = logging.getLogger(__name__)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_USE_NOTED_EVERY = timedelta(minutes=5)
_bearer = HTTPBearer(auto_error=False, description="An API token: awase_...")
_cookie = APIKeyCookie(name="awase_session", auto_error=False, description="Set by signing in.")


def cookie_name(settings: Settings) -> str:
    """With TLS the prefix `__Host-` keeps other hosts and paths from setting the cookie."""
    return "__Host-awase_session" if settings.origin.startswith("https://") else "awase_session"


def principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    _: Annotated[str | None, Security(_cookie)],
) -> Principal:
    """Who asks. Raises: SignInNeeded, Forbidden (a foreign page, or no CSRF token)."""
    db = database(request)
    if bearer is not None:
        with db.read() as session:
            found = service.by_token(session, bearer.credentials)
            noted = found.token_id and repository.token_by_id(session, found.token_id)
        if noted and (noted.last_used_at is None or utc_now() - noted.last_used_at > _USE_NOTED_EVERY):
            _note_use(db, noted.id)
        return found
    secret = request.cookies.get(cookie_name(settings(request)))
    if secret is None:
        raise SignInNeeded("sign_in_needed")
    with db.read() as session:
        found = service.by_session(session, secret)
    if request.method not in SAFE_METHODS:
        _refuse_foreign_pages(request, found)
    return found


def _note_use(db: Database, token_id: str) -> None:
    try:
        with db.write() as session:
            repository.note_use(session, token_id, utc_now())
    except SQLAlchemyError:
        # The disk is full, say: what is asked for may well be readable, and is answered.
        log.warning("the use of token %s could not be noted", token_id, exc_info=True)


def principal_if_any(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Principal | None:
    """As `principal`, but a browser without a valid session is None. Raises: SignInNeeded for a bad token."""
    try:
        return principal(request, bearer, cookie)
    except SignInNeeded:
        if bearer is not None:
            raise
        return None


class needs:  # noqa: N801 - reads as a word where routes use it
    """`Depends(needs("sites.write"))`: the principal, if it has this permission."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def __call__(self, who: Annotated[Principal, Depends(principal)]) -> Principal:
        if self.permission not in who.permissions:
            raise Forbidden("permission_missing", {"permission": self.permission})
        return who


def still_has(request: Request, permission: str) -> bool:
    """Whether the one who sent `request`, a while ago, would still be let in. For answers that go on.

    A database that cannot be read just now changes nothing: there is no news to keep from anyone either.
    """
    scheme, secret = get_authorization_scheme_param(request.headers.get("authorization"))
    bearer = (
        HTTPAuthorizationCredentials(scheme=scheme, credentials=secret)
        if scheme.lower() == "bearer" and secret
        else None
    )
    try:
        return permission in principal(request, bearer, None).permissions
    except (SignInNeeded, Forbidden):
        return False
    except SQLAlchemyError as error:
        log.warning("a listener cannot be looked up, trying again: %s", type(error).__name__)
        return True


def permission_of(dependency: Callable[..., object] | None) -> str | None:
    """The permission a dependency asks for, or None when it is no guard."""
    return dependency.permission if isinstance(dependency, needs) else None


def check_origin(request: Request) -> None:
    """Raises: Forbidden, when a browser says that another site's page sent the request."""
    origin = request.headers.get("origin")
    allowed = {settings(request).origin, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if origin is not None and origin not in allowed:
        raise Forbidden("origin_foreign", {"origin": origin[:200]})


def _refuse_foreign_pages(request: Request, who: Principal) -> None:
    check_origin(request)
    given = request.headers.get("x-csrf-token", "")
    if who.csrf_token is None or not compare_digest(given.encode(), who.csrf_token.encode()):
        raise Forbidden("csrf_token_wrong")
