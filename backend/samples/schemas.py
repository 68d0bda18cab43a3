"""HTTP bodies of the sample data sets."""

from backend.text.schemas import Schema


class Sample(Schema):
    """`shape` of one row: [features] or [channels, height, width]."""

    name: str
    shape: list[int]
    num_classes: int
    num_rows: int
    origin: str
    licence: str
