"""Small image network: two convolutions with BatchNorm, ReLU and pooling, and a linear head."""

from collections import OrderedDict

from torch import nn

from dimat.model_spec import CnnSpec


def build(spec: CnnSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: (channels, height, width) of one row, height and width >= 4."""
    channels, height, width = shape
    first, second = spec.width, 2 * spec.width
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 3, padding=1),
            norm1=nn.BatchNorm2d(first),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(first, second, 3, padding=1),
            norm2=nn.BatchNorm2d(second),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            head=nn.Linear(second * (height // 4) * (width // 4), num_outputs),
        )
    )
