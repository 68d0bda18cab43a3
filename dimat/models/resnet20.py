"""ResNet-20 for small images: three stages of three blocks, projections where the width changes."""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from dimat.model_spec import ResNet20Spec

BLOCKS_OF_A_STAGE = 3


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Reference: He et al. 2016, "Deep Residual Learning for Image Recognition", sec. 4.2, with projections (option B).
    """

    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_inputs, num_outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(num_outputs)
        self.conv2 = nn.Conv2d(num_outputs, num_outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(num_outputs)
        self.shortcut: nn.Module = nn.Identity()
        if num_inputs != num_outputs or stride != 1:
            conv = nn.Conv2d(num_inputs, num_outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(num_outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """(rows, num_inputs, h, w) -> (rows, num_outputs, h / stride, w / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def build(spec: ResNet20Spec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: (channels, height, width) of one row."""
    first = max(1, round(16 * spec.width))
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(shape[0], first, 3, padding=1, bias=False), norm=nn.BatchNorm2d(first), relu=nn.ReLU()
    )
    width = first
    for stage in range(3):
        for block in range(BLOCKS_OF_A_STAGE):
            stride = 2 if stage and not block else 1
            layers[f"stage{stage + 1}_{block + 1}"] = Block(width, first * 2**stage, stride)
            width = first * 2**stage
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["head"] = nn.Linear(width, num_outputs)
    return nn.Sequential(layers)
