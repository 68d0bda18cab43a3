"""HTTP bodies of the sample data sets."""

from backend.text.schemas import Schema


class SampleColumn(Schema):
    """A column by whose values sites can be divided (partition `column`)."""

    name: str
    num_values: int


class Sample(Schema):
    """`shape` of one row: [features], [channels, length] or [channels, height, width]."""

    name: str
    shape: list[int]
    num_classes: int
    num_rows: int
    origin: str
    licence: str
    columns: list[SampleColumn]
