"""What a site tells of its rows beside its model, for methods that merge by it (`parts.MOMENTS_OF`)."""

from torch import nn

from dimat.merging import fisher, gram, ridge_head
from dimat.methods import Moments
from dimat.model_spec import ModelSpec
from dimat.models.registry import empty_model, load
from dimat.models.symmetries import symmetries
from dimat.params import Layout, Params
from dimat.rows import SiteRows


def made(kind: Moments, model: ModelSpec, rows: SiteRows, params: Params, device: str = "cpu") -> Params:
    """Those of the site's training rows under its model `params`; see `merging.gram`, `merging.fisher` and `merging.ridge_head`."""
    net = load(empty_model(model, rows.shape, rows.num_outputs), params).to(device)
    here = rows.on(device)
    if kind == "fisher":
        return fisher.fisher(net, here.train_x, here.train_y, here.targets.log_likelihoods())
    layers = _hidden_readers(net, model, rows)
    if kind == "head":
        numbers_SK = here.targets.as_numbers(here.train_y)
        return ridge_head.moments(net, layers, here.train_x, numbers_SK, here.targets.sums_name)
    return gram.gram(net, layers, here.train_x)


def layout(kind: Moments, model: ModelSpec, rows: SiteRows) -> Layout:
    """Names, shapes and dtypes of what `made` makes."""
    net = empty_model(model, rows.shape, rows.num_outputs)
    if kind == "fisher":
        return fisher.layout(net)
    layers = _hidden_readers(net, model, rows)
    grams = gram.layout(net, layers)
    if kind == "head":
        return ridge_head.layout(grams, layers, rows.num_outputs, rows.targets.sums_name)
    return grams


def _hidden_readers(net: nn.Module, model: ModelSpec, rows: SiteRows) -> tuple[str, ...]:
    return gram.layers_of(net, symmetries(model, rows.shape, rows.num_outputs))
