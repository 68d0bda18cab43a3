"""Body of a figure: what Plotly draws, the same in one sentence, and the same as a table."""

from typing import Any, Literal

from backend.text.schemas import Schema

Theme = Literal["light", "dark"]
FigureName = Literal["accuracy", "communication", "roi"]


class Table(Schema):
    """The figure's numbers as text in the reader's language; every row has one cell per column."""

    columns: list[str]
    rows: list[list[str]]


class Figure(Schema):
    """`data` and `layout` go to Plotly unchanged; `notes`: amendments, one sentence each; `revision` grows with every change of what is shown."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    summary: str
    notes: list[str]
    table: Table
    revision: int
