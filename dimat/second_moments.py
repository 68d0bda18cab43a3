"""What a site tells of its rows beside its model, for methods that merge by it (`parts.MOMENTS_OF`)."""

from dimat.merging import fisher, gram, ridge_head
from dimat.merging.head import head_of
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
    spec = symmetries(model, rows.shape, rows.num_outputs)
    if kind == "head":
        numbers_SK = here.targets.as_numbers(here.train_y)
        head = head_of(net, spec, here.train_x)
        return ridge_head.moments(net, head, here.train_x, numbers_SK, here.targets.sums_name)
    return gram.gram(net, gram.layers_of(net, spec), here.train_x)


def layout(kind: Moments, model: ModelSpec, rows: SiteRows) -> Layout:
    """Names, shapes and dtypes of what `made` makes."""
    net = empty_model(model, rows.shape, rows.num_outputs)
    if kind == "fisher":
        return fisher.layout(net)
    spec = symmetries(model, rows.shape, rows.num_outputs)
    if kind == "head":
        return ridge_head.layout(net, head_of(net, spec, rows.train_x), rows.targets.sums_name)
    return gram.layout(net, gram.layers_of(net, spec))
