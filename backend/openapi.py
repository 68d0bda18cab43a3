"""The description of the API: `python -m backend.openapi` prints it. Pages generate their client from it,
and `tests/contracts/openapi.json` is the copy that a change must update on purpose."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from backend.problems import Problem

PATH = "/api/openapi.json"


def install(app: FastAPI) -> None:
    """Serves the description, with the schema of problems that every route refers to."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]  # FastAPI's documented way

    @app.get(PATH, include_in_schema=False)
    def get_openapi_json() -> JSONResponse:
        return JSONResponse(app.openapi())


def describe(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    described["components"]["schemas"] = dict(sorted(schemas.items()))
    return described


def as_text(described: dict[str, Any]) -> str:
    """In the form of the golden file: stable and readable in a diff."""
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from backend.main import create_app

    print(as_text(create_app().openapi()), end="")
