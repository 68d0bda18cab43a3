"""What residual networks of any kind of block have in common: shortcuts, and stages behind a 3x3 convolution for small images."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import nn


def shortcut(num_inputs: int, num_outputs: int, stride: int) -> nn.Module:
    """The input as it is, or through a 1x1 convolution and a norm where shapes differ (projection, option B of He et al. 2016)."""
    if num_inputs == num_outputs and stride == 1:
        return nn.Identity()
    conv = nn.Conv2d(num_inputs, num_outputs, 1, stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(num_outputs)))


def staged(
    num_channels: int,
    first: int,
    blocks_of_stages: Sequence[int],
    block_of: Callable[[int, int, int], nn.Module],
    expansion: int,
    num_outputs: int,
) -> nn.Sequential:
    """Stages that halve the image and double the width one after the other, then pooling and a linear head.

    Args:
        num_channels: of an image. first: width of the first stage, and channels before it.
        block_of: from (channels that come in, width, stride) to a block that gives `expansion` times its width.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(num_channels, first, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(first),
        relu=nn.ReLU(),
    )
    channels = first
    for stage, blocks in enumerate(blocks_of_stages):
        for block in range(blocks):
            width, stride = first * 2**stage, 2 if stage and not block else 1
            layers[f"stage{stage + 1}_{block + 1}"] = block_of(channels, width, stride)
            channels = expansion * width
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["head"] = nn.Linear(channels, num_outputs)
    return nn.Sequential(layers)
