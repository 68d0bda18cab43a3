"""Names, shapes and dtypes of what steps make: what `wire.codec.decode` checks against."""

from dimat.merging import sums
from dimat.models.registry import empty_model
from dimat.params import Layout, layout_of
from dimat.parts import ModelSpec
from dimat.rows import SiteRows


def layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of a model's params."""
    return layout_of(empty_model(model, rows.shape, rows.num_classes).state_dict())


def momentum_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what an optimiser remembers: one tensor for each trained parameter."""
    return layout_of(dict(empty_model(model, rows.shape, rows.num_classes).named_parameters()))


def sums_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what `gather` sums up."""
    return sums.layout(layout(model, rows))


def mean_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what all sites' models come to."""
    return sums.mean_layout(layout(model, rows))
