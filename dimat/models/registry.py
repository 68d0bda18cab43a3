"""From a model's spec to a network and its first params. A new family = one file and one line here."""

import math

import torch
from torch import nn

from dimat.errors import ModelMismatch
from dimat.models import cnn, mlp, resnet20, vgg16_bn
from dimat.params import Params
from dimat.parts import CnnSpec, MlpSpec, ModelSpec, ResNet20Spec, Vgg16BnSpec


def empty_model(spec: ModelSpec, shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """The architecture with params of no meaning, on the CPU; `load` or `initial_params` give it values.

    Args:
        shape: of one row.

    Raises:
        ModelMismatch: the family cannot take rows of this shape.
    """
    # Built on the meta device: no global random state is used, and no time on values to be replaced.
    with torch.device("meta"):
        match spec:
            case MlpSpec():
                model = mlp.build(spec, shape, num_classes)
            case CnnSpec():
                _needs_images(spec.kind, shape, 4)
                model = cnn.build(spec, shape, num_classes)
            case ResNet20Spec():
                _needs_images(spec.kind, shape, 1)
                model = resnet20.build(spec, shape, num_classes)
            case Vgg16BnSpec():
                _needs_images(spec.kind, shape, 1)
                model = vgg16_bn.build(spec, shape, num_classes)
    return model.to_empty(device="cpu")


def _needs_images(kind: str, shape: tuple[int, ...], smallest: int) -> None:
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise ModelMismatch(
            model=kind,
            needs=f"images (channels, height >= {smallest}, width >= {smallest})",
            dataset="of this site",
            shape=str(shape),
        )


def initial_params(model: nn.Module, rng: torch.Generator) -> Params:
    """Random start values: weights and biases uniform in +-1/sqrt(fan-in), norm layers at identity.

    The distribution is that of torch's own Linear and Conv layers, drawn from `rng`. `model` receives
    the values too.
    """
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                bound = 1.0 / math.sqrt(module.weight[0].numel())
                module.weight.uniform_(-bound, bound, generator=rng)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=rng)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
    return params_of(model)


def load(model: nn.Module, params: Params) -> nn.Module:
    """`model` with the values of `params`, copied."""
    model.load_state_dict(dict(params))
    return model


def params_of(model: nn.Module) -> Params:
    """A copy of the model's params and buffers on the CPU, names sorted."""
    state = model.state_dict()
    return {name: state[name].detach().cpu().clone() for name in sorted(state)}
