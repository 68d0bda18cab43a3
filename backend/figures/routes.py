"""Figures of runs and pilots, with an ETag per (revision, language, theme)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from backend.auth.guard import needs
from backend.figures import service
from backend.figures.schemas import Figure, FigureName, Theme
from backend.problems import responses
from backend.web import Id, LangQuery, Language, ReadSession

router = APIRouter(tags=["figures"])
ThemeQuery = Annotated[Theme, Query(description="Colours for a light or a dark page.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie, Authorization"}


@router.get(
    "/runs/{run_id}/figures/{name}",
    dependencies=[Depends(needs("runs.read"))],
    response_model=Figure,
    responses={304: {"description": "Not Modified"}, **responses(401, 403, 404, 422)},
)
def run_figure(
    run_id: Id,
    name: FigureName,
    session: ReadSession,
    language: Language,
    lang: LangQuery = None,
    theme: ThemeQuery = "light",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A chart of one run."""
    revision = service.run_revision(session, run_id, name)
    return _answer(
        if_none_match,
        service.Wanted("run", run_id, name, language, theme, revision),
        lambda: service.run_figure(session, run_id, name, language, theme),
    )


@router.get(
    "/pilots/{pilot_id}/figures/{name}",
    dependencies=[Depends(needs("pilots.read"))],
    response_model=Figure,
    responses={304: {"description": "Not Modified"}, **responses(401, 403, 404, 422)},
)
def pilot_figure(
    pilot_id: Id,
    name: FigureName,
    session: ReadSession,
    language: Language,
    lang: LangQuery = None,
    theme: ThemeQuery = "light",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A chart that compares the arms of a pilot."""
    revision = service.pilot_revision(session, pilot_id)
    return _answer(
        if_none_match,
        service.Wanted("pilot", pilot_id, name, language, theme, revision),
        lambda: service.pilot_figure(session, pilot_id, name, language, theme),
    )


def _answer(if_none_match: str | None, wanted: service.Wanted, build: service.Build) -> Response:
    headers = {**_HEADERS, "ETag": wanted.etag}
    known = [part.strip() for part in (if_none_match or "").split(",")]
    if wanted.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(service.cached(wanted, build), headers=headers, media_type="application/json")
