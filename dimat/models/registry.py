"""From a model's spec to a network and its first params. A new family = one file and one line here."""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dimat.errors import UnknownLayer
from dimat.fit import check_fits
from dimat.model_spec import (
    Cnn1dSpec,
    CnnSpec,
    MlpSpec,
    ModelSpec,
    ResNet20Spec,
    ResNet50Spec,
    Vgg16BnSpec,
    VitSpec,
)
from dimat.models import cnn, cnn1d, mlp, resnet20, resnet50, vgg16_bn, vit
from dimat.params import Params

BY_FAN_IN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
AT_IDENTITY = (_BatchNorm, nn.LayerNorm)


@runtime_checkable
class Starting(Protocol):
    """A layer that knows its start values."""

    def start(self, rng: torch.Generator) -> None:
        """Sets all tensors of its own, drawn from `rng`."""


def empty_model(spec: ModelSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Module:
    """The architecture with params of no meaning, on the CPU; `load` or `initial_params` give it values.

    Args:
        shape: of one row.

    Raises:
        ModelMismatch: the family cannot take rows of this shape.
    """
    check_fits(spec, shape)
    # Built on the meta device: no global random state is used, and no time on values to be replaced.
    with torch.device("meta"):
        match spec:
            case MlpSpec():
                model = mlp.build(spec, shape, num_outputs)
            case CnnSpec():
                model = cnn.build(spec, shape, num_outputs)
            case Cnn1dSpec():
                model = cnn1d.build(spec, shape, num_outputs)
            case ResNet20Spec():
                model = resnet20.build(spec, shape, num_outputs)
            case ResNet50Spec():
                model = resnet50.build(spec, shape, num_outputs)
            case Vgg16BnSpec():
                model = vgg16_bn.build(spec, shape, num_outputs)
            case VitSpec():
                model = vit.build(spec, shape, num_outputs)
    return model.to_empty(device="cpu")


def initial_params(model: nn.Module, rng: torch.Generator) -> Params:
    """Random start values: weights and biases uniform in +-1/sqrt(fan-in), norm layers at identity, others as they say.

    The distribution is that of torch's own Linear and Conv layers, drawn from `rng`. `model` receives
    the values too.

    Raises:
        UnknownLayer: naming a layer with tensors of its own whose start values are not known: memory that nobody wrote to
            must not pass for a model.
    """
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, BY_FAN_IN):
                bound = 1.0 / math.sqrt(module.weight[0].numel())
                module.weight.uniform_(-bound, bound, generator=rng)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=rng)
            elif isinstance(module, AT_IDENTITY):
                module.reset_parameters()
            elif isinstance(module, Starting):
                module.start(rng)
            elif _has_own_tensors(module):
                raise UnknownLayer(layer=name, kind=type(module).__name__)
    return params_of(model)


def _has_own_tensors(module: nn.Module) -> bool:
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return len(own) > 0


def load(model: nn.Module, params: Params) -> nn.Module:
    """`model` with the values of `params`, copied."""
    model.load_state_dict(dict(params))
    return model


def params_of(model: nn.Module) -> Params:
    """A copy of the model's params and buffers on the CPU, names sorted."""
    state = model.state_dict()
    return {name: state[name].detach().cpu().clone() for name in sorted(state)}
