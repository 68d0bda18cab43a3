"""Serves the built pages: files of `frontend/dist`, and its index for every address that the pages route
themselves. Never answers below `/api`."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

DIST = Path(__file__).resolve().parents[1] / "frontend" / "dist"
_HASHED = "public, max-age=31536000, immutable"
_FRESH = "no-cache"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Awase</title>
<body style="font-family: sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The pages are not built yet</h1>
<p>The server runs, but <code>frontend/dist</code> is missing. Run <code>./awase setup</code>, then reload.</p>
<p>The API is described at <a href="/api/docs">/api/docs</a>.</p></body></html>"""


class _PageConvertor(Convertor[str]):
    """Any path but those of the API: there an unknown address is a 404 whatever the method, not a 405."""

    regex = "(?!api(?:/|$)).*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("page", _PageConvertor())


def install(app: FastAPI, dist: Path = DIST) -> None:
    """Must come last: its route takes every address that no other took."""

    @app.api_route("/{path:page}", methods=["GET", "HEAD"], include_in_schema=False)
    def pages(path: str) -> Response:
        if not (dist / "index.html").is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return serve(dist, path)


def serve(dist: Path, path: str) -> Response:
    """A file of `dist`, or its index when the pages route `path`; a missing asset is a 404."""
    wanted = _file(dist, path)
    if wanted is not None:
        # Names below assets/ contain a hash of their content.
        return FileResponse(
            wanted, headers={"Cache-Control": _HASHED if path.startswith("assets/") else _FRESH}
        )
    if path.startswith("assets/"):
        raise HTTPException(404)
    return FileResponse(dist / "index.html", headers={"Cache-Control": _FRESH})


def _file(dist: Path, path: str) -> Path | None:
    """The file of `dist` that `path` names, if there is one."""
    if "\x00" in path:
        return None
    try:
        wanted = (dist / path).resolve()
        return wanted if wanted.is_relative_to(dist.resolve()) and wanted.is_file() else None
    except OSError:  # such as a name too long for the file system
        return None
