"""Turns every failure of a request into problem+json (RFC 9457) in the reader's language.

The last edge before the answer: an error nobody foresaw is logged with its traceback and answered
without a word about the inside.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from backend.errors import ApiError
from backend.text.catalogue import choose_language, find, say
from backend.text.schemas import Params, Schema

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
# The parts of a request in which FastAPI looks; they are no part of a field's name.
_PLACES = ("body", "query", "path", "header", "cookie")


class FieldProblem(Schema):
    """One bad value of several."""

    code: str
    params: Params
    field: str | None
    title: str
    remedy: str | None


class Problem(Schema):
    """What went wrong, to what, and what to do. `errors` lists every bad value of a 422."""

    type: str
    title: str
    status: int
    code: str
    params: Params
    field: str | None
    remedy: str | None
    errors: list[FieldProblem]


def language(request: Request) -> str:
    """The language of an answer: `?lang=`, else Accept-Language."""
    return choose_language(request.query_params.get("lang"), request.headers.get("accept-language"))


def field_problem(lang: str, code: str, params: Params, field: str | None) -> FieldProblem:
    """A code said in a language. A code the catalogue lacks is said as `invalid_value`."""
    params = {
        _sendable(name): _sendable(value) if isinstance(value, str) else value
        for name, value in params.items()
    }
    field = _sendable(field) if field is not None else None
    known = code if find(lang, f"errors.{code}.title") is not None else "invalid_value"
    remedy = f"errors.{known}.remedy"
    said = {"code": code, **params}
    if "thing" in params:  # a thing has a name in every language; `params` keeps the plain one
        said["thing"] = find(lang, f"things.{params['thing']}") or params["thing"]
    return FieldProblem(
        code=code,
        params=params,
        field=field,
        title=say(lang, f"errors.{known}.title", said),
        remedy=say(lang, remedy, said) if find(lang, remedy) is not None else None,
    )


def of_validation(lang: str, errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Pydantic's findings: type -> code, ctx -> params, loc -> dotted field."""
    return [
        field_problem(lang, error["type"], _params(error), _field(error))
        for error in errors
        if not _is_echo(error, errors)
    ]


def answer(
    status: int, problems: Sequence[FieldProblem], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The first problem on top; the others in `errors` when there are several."""
    first = problems[0]
    body = Problem(
        type=f"urn:awase:error:{first.code}",
        status=status,
        errors=list(problems) if status == 422 else [],
        **first.model_dump(),
    )
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Registers the handlers."""

    @app.exception_handler(ApiError)
    def _api_error(request: Request, error: ApiError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        problem = field_problem(language(request), error.code, error.params, error.field)
        return answer(error.status, [problem], headers)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    def _invalid(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        if isinstance(error, ValidationError) and not getattr(error, "awase_request", False):
            return _unknown(request, error)
        return answer(422, of_validation(language(request), error.errors()))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = {
            400: "bad_request", 404: "no_such_page", 405: "method_not_allowed", 413: "body_too_large",
            415: "media_type_unknown",
        }.get(error.status_code, "http_error")  # fmt: skip
        params: Params = {"method": request.method, "path": request.url.path, "status": error.status_code}
        problem = field_problem(language(request), code, params, None)
        return answer(error.status_code, [problem], error.headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(InternalError)
    @app.exception_handler(PoolTimeout)
    def _database_busy(request: Request, error: Exception) -> JSONResponse:
        """Away, full, read-only or busy for too long: nobody's request is wrong, and it may be sent again."""
        log.error("%s %s: the database is not available: %s", request.method, request.url.path, error)
        problem = field_problem(language(request), "database_busy", {}, None)
        return answer(503, [problem], {"Retry-After": "5"})

    @app.exception_handler(Exception)
    def _unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(500, [field_problem(language(request), "internal_error", {}, None)])


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: these statuses answer with a problem."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def _sendable(text: str) -> str:
    """Half of a surrogate pair, which JSON may hold, has no UTF-8: a question mark stands for it."""
    return text.encode("utf-8", "replace").decode()


def _is_echo(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """A list whose entries are wrong is counted without them: what is wrong is the entry, not their number."""
    at = tuple(error.get("loc", ()))
    return error["type"] == "too_short" and any(
        len(other.get("loc", ())) > len(at) and tuple(other["loc"])[: len(at)] == at for other in errors
    )


def _field(error: Mapping[str, Any]) -> str | None:
    if error["type"] == "json_invalid":
        return None  # its place is the number of a byte
    context = error.get("ctx")
    parts = [str(part) for part in error.get("loc", ())]
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    # Of values that were looked at together, the one to blame (`dimat.validation.as_pydantic`).
    if context and "place" in context:
        parts.append(str(context["place"]))
    return ".".join(parts) or None


def _params(error: Mapping[str, Any]) -> Params:
    params: Params = {"message": str(error.get("msg", ""))}
    for name, value in (error.get("ctx") or {}).items():
        if name == "place":
            continue
        if isinstance(value, float) and not math.isfinite(value):
            params[name] = str(value)
        elif value is None or isinstance(value, str | int | float | bool):
            params[name] = value
        else:
            params[name] = str(value)
    given = error.get("input")
    shown = str(given)[:100] if isinstance(given, str | int | float | bool) else type(given).__name__
    params.setdefault("value", shown)
    return params
