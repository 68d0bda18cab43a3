"""The API's reference as one plain page, made on the server from the OpenAPI description.

The usual viewers load scripts from elsewhere; here nothing is loaded from anywhere and no script runs.
"""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, select_autoescape

_templates = Environment(loader=PackageLoader("backend", "templates"), autoescape=select_autoescape())


def install(app: FastAPI) -> None:
    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render(app.openapi()))


def render(described: dict[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    tags = list(dict.fromkeys(tag for operation in operations for tag in operation.get("tags", ["other"])))
    return _templates.get_template("docs.html").render(
        info=described["info"],
        tags=tags,
        operations=operations,
        schemas=described["components"]["schemas"],
        kind=kind,
        example=example,
    )


def example(schema: dict[str, Any]) -> str | None:
    """The first example of a schema as JSON text."""
    found = schema.get("examples")
    return json.dumps(found[0], indent=2, ensure_ascii=False) if found else None


def kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, such as `list of Site` or `string | null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(kind(one) for one in schema[key]))
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " | ".join(repr(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {kind(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "any")
