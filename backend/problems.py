"""Turns every failure of a request into problem+json (RFC 9457) in the reader's language.

The last edge before the answer: an error nobody foresaw is logged with its traceback and answered
without a word about the inside.
"""

import logging
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
from backend.text.catalogue import choose_language
from backend.text.findings import FieldProblem, field_problem, of_validation
from backend.text.schemas import Params, Schema

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


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
        body = getattr(error, "body", None)
        return answer(422, of_validation(language(request), error.errors(), body))

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
