"""Small own definitions of the architectures that people use."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Made = tuple[nn.Module, tuple[Tensor, ...]]
ZOO: dict[str, Callable[[], Made]] = {}


def zoo(make: Callable[[], Made]) -> Callable[[], Made]:
    ZOO[make.__name__] = make
    return make


def images(channels: int = 3, size: int = 16) -> tuple[Tensor, ...]:
    return (torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(0)),)


def tokens(vocabulary: int = 30, length: int = 7) -> tuple[Tensor, ...]:
    return (torch.randint(vocabulary, (2, length), generator=torch.Generator().manual_seed(0)),)


def series(length: int = 12, channels: int = 5) -> tuple[Tensor, ...]:
    return (torch.randn(2, length, channels, generator=torch.Generator().manual_seed(0)),)


@zoo
def mlp() -> Made:
    layers = [nn.Linear(20, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 4)]
    return nn.Sequential(*layers), (torch.randn(2, 20),)


@zoo
def vgg() -> Made:
    def block(i: int, o: int) -> list[nn.Module]:
        return [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]

    layers = [
        *block(3, 8),
        *block(8, 8),
        nn.MaxPool2d(2),
        *block(8, 16),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(2),
    ]
    head = [nn.Flatten(), nn.Linear(64, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 5)]
    return nn.Sequential(*layers, *head), images()


class Residual(nn.Module):
    def __init__(
        self, i: int, o: int, stride: int = 1, norm: Callable[[int], nn.Module] = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), norm(o)
        self.conv2, self.norm2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), norm(o)
        self.skip = (
            nn.Identity()
            if i == o and stride == 1
            else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), norm(o))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.skip(x))


class ResNet(nn.Module):
    def __init__(self, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), norm(8)
        self.layers = nn.Sequential(
            *(Residual(i, o, s, norm) for i, o, s in ((8, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1)))
        )
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(functional.relu(self.norm(self.stem(x))))
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


@zoo
def resnet18() -> Made:
    return ResNet(), images()


class Bottleneck(nn.Module):
    def __init__(self, i: int, mid: int, o: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.a, self.na = nn.Conv2d(i, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.b, self.nb = nn.Conv2d(mid, mid, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(mid)
        self.c, self.nc = nn.Conv2d(mid, o, 1, bias=False), nn.BatchNorm2d(o)
        self.down = (
            nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if i != o else None
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.na(self.a(x)))
        y = self.nc(self.c(self.relu(self.nb(self.b(y)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


def bottlenecks(groups: int) -> nn.Module:
    stem = [nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    body = [
        Bottleneck(8, 8, 16, 1, groups),
        Bottleneck(16, 8, 16, 1, groups),
        Bottleneck(16, 16, 32, 2, groups),
    ]
    return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5))


@zoo
def resnet50() -> Made:
    return bottlenecks(1), images(size=32)


@zoo
def resnext() -> Made:
    return bottlenecks(4), images(size=32)


class OptionA(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, 2, 1)
        self.norm, self.head = nn.BatchNorm2d(16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        x = functional.relu(self.norm(self.conv(x)) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        return self.head(x.mean((2, 3)))


@zoo
def resnet_with_padded_shortcuts() -> Made:
    return OptionA(), images()


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 4 * i) for i in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 3, padding=1, bias=False) for i in range(3))
        self.norm, self.squeeze = nn.BatchNorm2d(20), nn.Conv2d(20, 10, 1)
        self.last, self.head = nn.BatchNorm2d(10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            seen.append(conv(functional.relu(norm(torch.cat(seen, 1)))))
        x = functional.avg_pool2d(self.squeeze(functional.relu(self.norm(torch.cat(seen, 1)))), 2)
        return self.head(functional.relu(self.last(x)).mean((2, 3)))


@zoo
def densenet() -> Made:
    return Dense(), images()


class Inverted(nn.Module):
    def __init__(self, i: int, mid: int, o: int, stride: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(i, mid, 1, bias=False), nn.BatchNorm2d(mid), nn.Hardswish())
        self.depth = nn.Sequential(
            nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.ReLU6()
        )
        self.squeeze, self.excite = nn.Conv2d(mid, 4, 1), nn.Conv2d(4, mid, 1)
        self.project = nn.Sequential(nn.Conv2d(mid, o, 1, bias=False), nn.BatchNorm2d(o))
        self.keeps = i == o and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.depth(self.expand(x))
        gate = functional.hardsigmoid(
            self.excite(functional.silu(self.squeeze(functional.adaptive_avg_pool2d(y, 1))))
        )
        y = self.project(y * gate)
        return x + y if self.keeps else y


@zoo
def mobilenet() -> Made:
    stem = [nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()]
    body = [Inverted(8, 16, 8, 1), Inverted(8, 24, 12, 2), Inverted(12, 24, 12, 1)]
    return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5)), images()


@zoo
def group_norm() -> Made:
    return ResNet(lambda n: nn.GroupNorm(4, n)), images()


@zoo
def layer_norm_on_images() -> Made:
    body = [
        nn.Conv2d(3, 8, 3, padding=1),
        nn.LayerNorm([8, 16, 16]),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3, 2, 1),
        nn.InstanceNorm2d(6, affine=True),
    ]
    return nn.Sequential(
        *body, nn.Flatten(), nn.Linear(384, 10), nn.LayerNorm(10), nn.ReLU(), nn.Linear(10, 5)
    ), images()


@zoo
def grouped_convolutions() -> Made:
    body = [
        nn.Conv2d(3, 12, 3),
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, groups=3),
        nn.ReLU(),
        nn.Conv2d(24, 8, 3, groups=2),
        nn.ReLU(),
    ]
    return nn.Sequential(
        *body, nn.Conv2d(8, 16, 1, groups=8), nn.Flatten(1), nn.Linear(16 * 100, 5)
    ), images()


class Shuffle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branch, self.norm = nn.Conv2d(3, 12, 3), nn.Conv2d(6, 6, 1), nn.BatchNorm2d(12)
        self.deep, self.head = nn.Conv2d(12, 12, 3, groups=12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        left, right = functional.relu(self.stem(x)).chunk(2, dim=1)
        x = torch.cat([left, self.branch(right)], 1)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.head(functional.relu(self.deep(self.norm(x))).amax((2, 3)))


@zoo
def shufflenet() -> Made:
    return Shuffle(), images()


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.mid = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.Conv2d(16, 16, 3, padding=1),
        )
        self.up, self.up1 = nn.ConvTranspose2d(16, 16, 2, 2), nn.Conv2d(32, 8, 3, padding=1)
        self.up2, self.out = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.relu(self.down1(x))
        b = functional.relu(self.down2(functional.max_pool2d(a, 2)))
        c = self.up(functional.relu(self.mid(functional.max_pool2d(b, 2))))
        d = functional.relu(self.up1(torch.cat([c, b], 1)))
        d = functional.interpolate(d, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(functional.relu(self.up2(torch.cat([d, a], 1))))


@zoo
def unet() -> Made:
    return UNet(), images()


class Packed(nn.Module):
    """Attention with one projection for q, k and v."""

    def __init__(self, dim: int, heads: int, manual: bool = False) -> None:
        super().__init__()
        self.heads, self.manual = heads, manual
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.manual:
            y = ((q @ k.transpose(-2, -1)) * (d // self.heads) ** -0.5).softmax(-1) @ v
        else:
            y = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, dim: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2, self.attention = nn.LayerNorm(dim), nn.LayerNorm(dim), attention
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.scale = nn.Parameter(torch.full((dim,), 1e-4))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.scale * self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, manual: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 4, 4)
        self.cls, self.pos = nn.Parameter(torch.randn(1, 1, 24)), nn.Parameter(torch.randn(1, 17, 24))
        self.blocks = nn.ModuleList(Block(24, Packed(24, 3, manual)) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(24), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


@zoo
def vit() -> Made:
    return ViT(False), images()


@zoo
def vit_with_own_attention() -> Made:
    return ViT(True), images()


class Text(nn.Module):
    """`nn.TransformerEncoder` with tied embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.pos = nn.Embedding(30, 16), nn.Embedding(7, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False)
        self.head = nn.Linear(16, 30, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids) + self.pos(torch.arange(ids.shape[1]))
        return self.head(self.encoder(x))


@zoo
def text_transformer() -> Made:
    return Text(), tokens()


class Gpt(nn.Module):
    """Causal, with separate projections and q, k cut from one projection by `split`."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 16)
        self.c_attn, self.c_proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.norm1, self.norm2, self.up, self.down = (
            nn.LayerNorm(16),
            nn.LayerNorm(16),
            nn.Linear(16, 40),
            nn.Linear(20, 16),
        )
        self.register_buffer("mask", torch.tril(torch.ones(7, 7)).view(1, 1, 7, 7))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        b, t, d = x.shape
        q, k, v = self.c_attn(self.norm1(x)).split(d, dim=2)
        q, k, v = (one.view(b, t, 4, d // 4).transpose(1, 2) for one in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) / 2.0
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        y = functional.softmax(scores, dim=-1) @ v
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(b, t, d))
        gate, value = self.up(self.norm2(x)).chunk(2, dim=-1)
        x = x + self.down(functional.silu(gate) * value)
        return x @ self.embed.weight.T


@zoo
def gpt() -> Made:
    return Gpt(), tokens()


class CrossAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 16), nn.Linear(5, 16)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.attention(self.a(x), (k := self.b(x).relu()), k)
        return self.head(y.mean(1))


@zoo
def cross_attention() -> Made:
    return CrossAttention(), series()


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], bidirectional: bool) -> None:
        super().__init__()
        self.rnn = kind(5, 8, 2, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(16 if bidirectional else 8, 3)
        self.both = bidirectional

    def forward(self, x: Tensor) -> Tensor:
        y, h = self.rnn(x)
        h = h[0] if isinstance(h, tuple) else h
        return self.head(y[:, -1] + (torch.cat([h[-2], h[-1]], 1) if self.both else h[-1]))


@zoo
def lstm() -> Made:
    return Recurrent(nn.LSTM, False), series()


@zoo
def gru() -> Made:
    return Recurrent(nn.GRU, False), series()


@zoo
def lstm_both_ways() -> Made:
    return Recurrent(nn.LSTM, True), series()


class ByCells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.gru, self.head = nn.LSTMCell(5, 8), nn.GRUCell(8, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, c, g = torch.zeros(len(x), 8), torch.zeros(len(x), 8), torch.zeros(len(x), 6)
        h, c, g = (state.to(x.dtype) for state in (h, c, g))
        for t in range(3):
            h, c = self.cell(x[:, t], (h, c))
            g = self.gru(h, g)
        return self.head(g)


@zoo
def recurrent_cells() -> Made:
    return ByCells(), series()


@zoo
def cnn1d() -> Made:
    body = [
        nn.Conv1d(5, 8, 5, padding=2),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 12, 3),
        nn.PReLU(12),
    ]
    head = [
        nn.AdaptiveAvgPool1d(2),
        nn.Flatten(),
        nn.Linear(24, 10),
        nn.BatchNorm1d(10),
        nn.SELU(),
        nn.Linear(10, 3),
    ]
    return nn.Sequential(*body, *head), (torch.randn(2, 5, 16),)


class ConvNeXtBlock(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.depth, self.norm = nn.Conv2d(dim, dim, 7, padding=3, groups=dim), nn.LayerNorm(dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(1e-6 * torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.down(functional.gelu(self.up(y)))).permute(0, 3, 1, 2)


class ChannelNorm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt((x - mean).pow(2).mean(1, keepdim=True) + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


@zoo
def convnext() -> Made:
    body = [
        nn.Conv2d(3, 8, 4, 4),
        ChannelNorm(8),
        ConvNeXtBlock(8),
        ChannelNorm(8),
        nn.Conv2d(8, 12, 2, 2),
        ConvNeXtBlock(12),
    ]
    return nn.Sequential(
        *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 5)
    ), images()


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 12, 4, 4), nn.LayerNorm(12)
        self.tokens = nn.Sequential(nn.Linear(16, 20), nn.GELU(), nn.Linear(20, 16))
        self.channels = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.channels(x)).mean(1))


@zoo
def mlp_mixer() -> Made:
    return Mixer(), images()


class Grouped(nn.Module):
    """Rotary positions, fewer heads for k and v, root-mean-square norm, gated units: a small Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(30, 16), nn.RMSNorm(16)
        self.q, self.k, self.v, self.o = (
            nn.Linear(16, 16, False),
            nn.Linear(16, 8, False),
            nn.Linear(16, 8, False),
            nn.Linear(16, 16, False),
        )
        self.gate, self.up, self.down = (
            nn.Linear(16, 40, False),
            nn.Linear(16, 40, False),
            nn.Linear(40, 16, False),
        )
        self.head = nn.Linear(16, 30, False)

    @staticmethod
    def rotate(x: Tensor) -> Tensor:
        angle = torch.arange(x.shape[2], dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1], dtype=x.dtype)
        angle = torch.cat([angle, angle], -1)
        a, b = x[..., :2], x[..., 2:]
        return x * angle.cos() + torch.cat([-b, a], -1) * angle.sin()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        b, t, _ = x.shape
        y = self.norm(x)
        q = self.rotate(self.q(y).view(b, t, 4, 4).transpose(1, 2))
        k = self.rotate(self.k(y).view(b, t, 2, 4).transpose(1, 2)).repeat_interleave(2, dim=1)
        v = self.v(y).view(b, t, 2, 4).transpose(1, 2).repeat_interleave(2, dim=1)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(b, t, 16))
        return self.head(x + self.down(functional.silu(self.gate(x)) * self.up(x)))


@zoo
def llama() -> Made:
    return Grouped(), tokens()


class Causal(nn.Module):
    """Encoder and decoder of torch with masks."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.both = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        # Made by hand: torch's own maker of masks wants to know a dtype.
        mask = torch.triu(torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool), diagonal=1)
        x = self.embed(ids)
        return self.head(self.both(x, x, src_mask=mask, tgt_mask=mask))


@zoo
def transformer_with_masks() -> Made:
    return Causal(), tokens()


class Einsum(nn.Module):
    """Attention by bare parameters, seen by no module."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(5, 12), nn.Linear(12, 3)
        self.q, self.k, self.v = (nn.Parameter(torch.randn(12, 3, 4)) for _ in range(3))
        self.out = nn.Parameter(torch.randn(3, 4, 12))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        q, k = (torch.einsum("bte,ehd->bthd", x, w) for w in (self.q, self.k))
        weights = torch.einsum("bthd,bshd->bhts", q, k).softmax(-1)
        y = torch.einsum("bhts,bshd,hde->bte", weights, torch.einsum("...e,ehd->...hd", x, self.v), self.out)
        return self.head((x + y).mean(1))


@zoo
def attention_by_einsum() -> Made:
    return Einsum(), series()


class TalkingHeads(nn.Module):
    """Heads that are mixed: units may not be reordered in each head by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.qkv, self.out, self.head = (
            nn.Linear(5, 12),
            nn.Linear(12, 36),
            nn.Linear(12, 12),
            nn.Linear(12, 3),
        )
        self.mix, self.mix_values = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        b, t, _ = x.shape
        q, k, v = (one.view(b, t, 3, 4).transpose(1, 2) for one in self.qkv(x).chunk(3, -1))
        scores = self.mix((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = scores.softmax(-1) @ v
        y = y + self.mix_values(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head((x + self.out(y.transpose(1, 2).flatten(2))).mean(1))


@zoo
def talking_heads() -> Made:
    return TalkingHeads(), series()


class Attentive(nn.Module):
    """Convolutional block attention, and convolutions with standardised weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.norm = nn.Parameter(torch.randn(16, 3, 3, 3)), nn.GroupNorm(2, 16)
        self.gate = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
        self.where, self.head = nn.Conv2d(2, 1, 3, padding=1), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        x = functional.relu(
            self.norm(functional.conv2d(x, w / (w.std((1, 2, 3), keepdim=True) + 1e-5), padding=1))
        )
        x = x * torch.sigmoid(self.gate(x.mean((2, 3))) + self.gate(x.amax((2, 3))))[:, :, None, None]
        seen = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return self.head((x * torch.sigmoid(self.where(seen))).flatten(2).mean(-1))


@zoo
def block_attention() -> Made:
    return Attentive(), images()
