"""Signing in and out, users, tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from backend.auth import service
from backend.auth.guard import check_origin, cookie_name, needs, principal_if_any
from backend.auth.principal import Principal
from backend.auth.schemas import (
    Me,
    SignIn,
    SignInLink,
    TokenCreate,
    TokenCreated,
    TokenPage,
    UserCreate,
    UserCreated,
    UserPage,
)
from backend.problems import responses
from backend.web import AppSettings, Id, Paging, ReadSession, WriteSession

router = APIRouter(tags=["people"])
Own = Annotated[Principal, Depends(needs("session.own"))]
OwnTokens = Annotated[Principal, Depends(needs("tokens.own"))]
Manages = Annotated[Principal, Depends(needs("users.manage"))]


@router.post("/session", responses=responses(401, 403, 422), dependencies=[Depends(check_origin)])
def sign_in(body: SignIn, response: Response, session: WriteSession, settings: AppSettings) -> Me:
    """Signs a browser in. Open: the secret in the body is the proof."""
    if body.link_secret is not None:
        signed_in = service.sign_in_by_link(session, body.link_secret, settings)
    else:
        signed_in = service.sign_in_by_token(session, body.token or "", settings)
    response.set_cookie(
        cookie_name(settings),
        signed_in.secret,
        max_age=settings.session_days * 86_400,
        httponly=True,
        samesite="lax",
        secure=settings.origin.startswith("https://"),
        path="/",
    )
    return signed_in.me


@router.get("/session", responses=responses(401))
def get_session(who: Annotated[Principal | None, Depends(principal_if_any)]) -> Me | None:
    """Who is signed in; null when nobody is. Open: it is how a page finds out, and no error of anyone's."""
    return None if who is None else service.me(who)


@router.delete("/session", status_code=204, responses=responses(401, 403))
def sign_out(
    request: Request, response: Response, who: Own, session: WriteSession, settings: AppSettings
) -> None:
    """Ends the browser session; a bearer token has none and stays valid."""
    secret = request.cookies.get(cookie_name(settings))
    if who.kind == "session" and secret is not None:
        service.sign_out(session, secret)
    response.delete_cookie(cookie_name(settings), path="/", secure=settings.origin.startswith("https://"))


@router.post("/users", status_code=201, responses=responses(401, 403, 409, 422))
def create_user(body: UserCreate, who: Manages, session: WriteSession, settings: AppSettings) -> UserCreated:
    """A new user and their first sign-in link."""
    return service.create_user(session, who, body, settings)


@router.get("/users", responses=responses(401, 403, 422))
def list_users(_: Manages, session: ReadSession, paging: Paging) -> UserPage:
    return service.list_users(session, paging)


@router.post("/users/{user_id}/sign-in-link", status_code=201, responses=responses(401, 403, 404, 422))
def create_sign_in_link(
    user_id: Id, who: Manages, session: WriteSession, settings: AppSettings
) -> SignInLink:
    """A fresh one-time link; the user's older unused ones no longer work."""
    return service.fresh_link(session, who, user_id, settings)


@router.post("/tokens", status_code=201, responses=responses(401, 403, 422))
def create_token(body: TokenCreate, who: OwnTokens, session: WriteSession) -> TokenCreated:
    """A token for programs. Its secret is shown only now."""
    return service.create_token(session, who, body)


@router.get("/tokens", responses=responses(401, 403, 422))
def list_tokens(who: OwnTokens, session: ReadSession, paging: Paging) -> TokenPage:
    """The own tokens; all of them for an administrator. A token with another role sees itself and what was made with it."""
    return service.list_tokens(session, who, paging)


@router.delete("/tokens/{token_id}", status_code=204, responses=responses(401, 403, 404, 422))
def revoke_token(token_id: Id, who: OwnTokens, session: WriteSession) -> None:
    """Also revokes all tokens made with it, ends the sessions they began, and voids their unused sign-in links."""
    service.revoke_token(session, who, token_id)
