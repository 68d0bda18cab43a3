"""VGG-16 with BatchNorm for small images: thirteen 3x3 convolutions and one linear head."""

from collections import OrderedDict

from torch import nn

from dimat.model_spec import Vgg16BnSpec

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build(spec: Vgg16BnSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Pools by 2 behind each stage as long as there is more than one pixel.

    Args:
        shape: (channels, height, width) of one row.
    Reference: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", configuration D; the head is that in use
        for small images.
    """
    channels, height, width = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, stage in enumerate(STAGES, start=1):
        for place, base in enumerate(stage, start=1):
            wide = max(1, round(base * spec.width))
            layers[f"conv{number}_{place}"] = nn.Conv2d(channels, wide, 3, padding=1)
            layers[f"norm{number}_{place}"] = nn.BatchNorm2d(wide)
            layers[f"relu{number}_{place}"] = nn.ReLU()
            channels = wide
        if min(height, width) >= 2:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
            height, width = height // 2, width // 2
    layers["flatten"] = nn.Flatten()
    layers["head"] = nn.Linear(channels * height * width, num_outputs)
    return nn.Sequential(layers)
