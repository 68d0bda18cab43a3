"""ResNet-50 for small images: four stages of bottleneck blocks behind a 3x3 convolution."""

from torch import Tensor, nn
from torch.nn import functional

from dimat.model_spec import ResNet50Spec
from dimat.models.residual import shortcut, staged

BLOCKS_OF_STAGES = (3, 4, 6, 3)
EXPANSION = 4


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut; the last makes four times the channels of the others.

    Reference: He et al. 2016, "Deep Residual Learning for Image Recognition", fig. 5, with projections (option B). The stride
        is that of the 3x3 convolution, as in later implementations.
    """

    def __init__(self, num_inputs: int, width: int, stride: int) -> None:
        super().__init__()
        num_outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(num_inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, num_outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(num_outputs)
        self.shortcut = shortcut(num_inputs, num_outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, num_inputs, h, w) -> (rows, 4 * width, h / stride, w / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        return functional.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


def build(spec: ResNet50Spec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: (channels, height, width) of one row."""
    first = max(1, round(64 * spec.width))
    return staged(shape[0], first, BLOCKS_OF_STAGES, Bottleneck, EXPANSION, num_outputs)
