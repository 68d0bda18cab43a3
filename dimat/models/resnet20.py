"""ResNet-20 for small images: three stages of three blocks, projections where the width changes."""

from torch import Tensor, nn
from torch.nn import functional

from dimat.model_spec import ResNet20Spec
from dimat.models.residual import shortcut, staged

BLOCKS_OF_STAGES = (3, 3, 3)


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
        self.shortcut = shortcut(num_inputs, num_outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, num_inputs, h, w) -> (rows, num_outputs, h / stride, w / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def build(spec: ResNet20Spec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: (channels, height, width) of one row."""
    first = max(1, round(16 * spec.width))
    return staged(shape[0], first, BLOCKS_OF_STAGES, Block, 1, num_outputs)
