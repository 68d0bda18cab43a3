"""Names, shapes and dtypes of what steps make: what `wire.codec.decode` checks against."""

from dimat.merging import sums, warm_start
from dimat.methods import WARM_METHODS, Method
from dimat.model_spec import ModelSpec
from dimat.models.registry import empty_model
from dimat.models.symmetries import symmetries
from dimat.params import Layout, layout_of
from dimat.rows import SiteRows


def layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of a model's params."""
    return layout_of(empty_model(model, rows.shape, rows.num_outputs).state_dict())


def momentum_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what an optimiser remembers: one tensor for each trained parameter."""
    return layout_of(dict(empty_model(model, rows.shape, rows.num_outputs).named_parameters()))


def remembered_layout(model: ModelSpec, rows: SiteRows, method: Method, num_sites: int) -> Layout:
    """Of what a merge by this method leaves at its site for the next one (`ArmPlan.remembers`)."""
    if method in WARM_METHODS:
        return warm_start.layout(symmetries(model, rows.shape, rows.num_outputs), num_sites)
    net = empty_model(model, rows.shape, rows.num_outputs)
    return layout_of(dict(net.named_parameters(remove_duplicate=False)))


def sums_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what `gather` sums up."""
    return sums.layout(layout(model, rows))


def mean_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Of what all sites' models come to."""
    return sums.mean_layout(layout(model, rows))
