"""Small network for series (signals of sensors): three convolutions along time, and a linear head on their means."""

from collections import OrderedDict

from torch import nn

from dimat.model_spec import Cnn1dSpec

KERNEL = 5


def build(spec: Cnn1dSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: (channels, length) of one row, length >= 4. The head reads means over time: any length has the same tensors."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = shape[0]
    for number, wide in enumerate((spec.width, 2 * spec.width, 2 * spec.width), start=1):
        layers[f"conv{number}"] = nn.Conv1d(channels, wide, KERNEL, padding=KERNEL // 2)
        layers[f"norm{number}"] = nn.BatchNorm1d(wide)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"pool{number}"] = nn.MaxPool1d(2) if number < 3 else nn.AdaptiveAvgPool1d(1)
        channels = wide
    layers["flatten"] = nn.Flatten()
    layers["head"] = nn.Linear(channels, num_outputs)
    return nn.Sequential(layers)
