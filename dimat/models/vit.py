"""Small vision transformer: patches as tokens, blocks of attention and two linear layers, the mean of the tokens to the head.

Legend: B = rows, T = tokens (patches), D = features of a token, H = heads, E = features of a head.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from dimat.model_spec import VitSpec

WIDENING = 2
"""Of the two linear layers. The published networks have 4; twice is enough for small images and half the bytes."""
POSITION_DEVIATION = 0.02


class Patches(nn.Module):
    """Each patch as a token, by one convolution whose steps are as long as its kernel."""

    def __init__(self, channels: int, patch: int, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, height, width) -> (B, T, D)."""
        tokens_BDT = self.conv(x).flatten(2)
        return tokens_BDT.transpose(1, 2)  # type: ignore[no-any-return]


class Positions(nn.Module):
    """Adds to each token what is learned of its place."""

    def __init__(self, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_tokens, dim))

    def start(self, rng: torch.Generator) -> None:
        """Start values: normal with deviation 0.02."""
        self.weight.normal_(0.0, POSITION_DEVIATION, generator=rng)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        return tokens_BTD + self.weight


class Attention(nn.Module):
    """Every token looks at all; softmax written out, as that gives the same bits again on every device."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        rows, num_tokens, dim = tokens_BTD.shape
        packed = self.qkv(tokens_BTD).reshape(rows, num_tokens, 3, self.heads, dim // self.heads)
        q_BHTE, k_BHTE, v_BHTE = packed.permute(2, 0, 3, 1, 4).unbind(0)
        alike_BHTT = q_BHTE @ k_BHTE.transpose(-2, -1) / (dim // self.heads) ** 0.5
        seen_BHTE = alike_BHTT.softmax(dim=-1) @ v_BHTE
        out: Tensor = self.out(seen_BHTE.transpose(1, 2).reshape(rows, num_tokens, dim))
        return out


class Block(nn.Module):
    """Attention and two linear layers, each added to what they read, behind a LayerNorm of their own."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, WIDENING * dim)
        self.act = nn.GELU()
        self.narrow = nn.Linear(WIDENING * dim, dim)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        between_BTD: Tensor = tokens_BTD + self.attention(self.norm1(tokens_BTD))
        added_BTD: Tensor = self.narrow(self.act(self.widen(self.norm2(between_BTD))))
        return between_BTD + added_BTD


class Mean(nn.Module):
    """(B, T, D) -> (B, D): the mean over tokens."""

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        return tokens_BTD.mean(dim=1)


def build(spec: VitSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """No token stands for the class: the head reads the mean of all.

    Args:
        shape: (channels, height, width) of one row, height and width multiples of `spec.patch`.
    Reference: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"; the mean in place of a class token is that of Beyer et
        al. 2022, "Better plain ViT baselines for ImageNet-1k".
    """
    channels, height, width = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        patches=Patches(channels, spec.patch, spec.dim),
        positions=Positions(height // spec.patch * (width // spec.patch), spec.dim),
    )
    for number in range(1, spec.depth + 1):
        layers[f"block{number}"] = Block(spec.dim, spec.heads)
    layers["norm"] = nn.LayerNorm(spec.dim)
    layers["pool"] = Mean()
    layers["head"] = nn.Linear(spec.dim, num_outputs)
    return nn.Sequential(layers)
