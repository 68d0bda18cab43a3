"""Architectures that use what is rarer: packed sequences, parts under `no_grad`, weights made from weights, tables, masks."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, rnn

from tests.dimat.permutation.architectures import Made, images, series, tokens, zoo


class Packed(nn.Module):
    """Texts of different lengths, packed; what is padded gets no attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(30, 8), nn.LSTM(8, 10, 2, batch_first=True, bidirectional=True)
        self.score, self.head = nn.Linear(20, 1), nn.Linear(20, 3)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids != 0).sum(1).clamp(min=1).cpu()
        packed = rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        y, _ = rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=ids.shape[1])
        score = self.score(y).masked_fill((ids == 0)[..., None], -1e9)
        return self.head((score.softmax(1) * y).sum(1))


@zoo
def packed_sequences() -> Made:
    return Packed(), tokens()


class Projected(nn.Module):
    """An LSTM that shows less than it holds, started from a view of the input's features."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 9, 2, batch_first=True, proj_size=6)
        self.start, self.gru, self.head = nn.Linear(6, 16), nn.GRU(6, 8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        start = torch.tanh(self.start(y.mean(1))).view(-1, 2, 8).transpose(0, 1).contiguous()
        return self.head(self.gru(y, start)[0][:, -1])


@zoo
def projected_states() -> Made:
    return Projected(), series()


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        fan_in = self.weight[0].numel()  # leaves an operation in the graph that leads nowhere
        var, mean = torch.var_mean(self.weight, (1, 2, 3), keepdim=True)
        weight = (self.weight - mean) * torch.rsqrt(var * fan_in + 1e-4)
        return functional.conv2d(x, weight, self.bias, padding=self.padding)


@zoo
def weights_made_from_weights() -> Made:
    body = [
        Standardised(3, 8, 3, padding=1),
        nn.GELU(),
        parametrizations.weight_norm(nn.Conv2d(8, 10, 3)),
        nn.ReLU(),
        parametrizations.spectral_norm(nn.Conv2d(10, 8, 3)),
        nn.ReLU(),
    ]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(8 * 144, 4)), images()


class Blur(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        kernel = (line[:, None] * line).expand(8, 1, 3, 3)
        self.register_buffer("kernel", kernel.clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel, padding=1, groups=8)


class Rearranged(nn.Module):
    """Channels shuffled and blurred, space folded into channels, norm groups across the seams of three tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.grouped, self.blur = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 8, 1, groups=2),
            Blur(),
        )
        self.shuffle, self.fold = nn.ChannelShuffle(2), nn.Conv2d(32, 12, 3, padding=1)
        self.side, self.norm = nn.Conv2d(32, 8, 1), nn.GroupNorm(4, 20)
        self.last, self.head = nn.Conv2d(20, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blur(self.shuffle(functional.relu(self.grouped(functional.relu(self.stem(x))))))
        x = functional.pixel_unshuffle(x, 2)
        x = functional.relu(self.norm(torch.cat([self.fold(x), *self.side(x).chunk(2, 1)], 1)))
        return self.head(functional.relu(self.last(x)).mean((2, 3)))


@zoo
def rearranged_channels() -> Made:
    return Rearranged(), images()


class Sentence(nn.Module):
    """Kernels as wide as an embedding, a bag of words beside them, features that are not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.bag, self.frozen = nn.Embedding(30, 8), nn.EmbeddingBag(30, 8), nn.Linear(8, 10)
        self.convs = nn.ModuleList(nn.Conv2d(1, 6, (width, 8)) for width in (2, 3))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mix, self.head = nn.Bilinear(12, 10, 9), nn.Linear(9, 3)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        x = x + self.attention(query=x, key=x, value=x, need_weights=False)[0]
        seen = [functional.relu(conv(x[:, None])).squeeze(3).amax(2) for conv in self.convs]
        with torch.no_grad():
            words = torch.tanh(self.frozen(self.bag(ids)))
        return self.head(functional.relu(self.mix(torch.cat(seen, 1), words)))


@zoo
def sentences() -> Made:
    return Sentence(), tokens()


class Experts(nn.Module):
    """The best two of some experts, prototypes compared by distance, entries overwritten by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate = nn.Linear(20, 24), nn.Linear(24, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(24, 16), nn.GELU(), nn.Linear(16, 24)) for _ in range(3)
        )
        self.prototypes, self.head = nn.Parameter(torch.randn(10, 24)), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        x[x < -0.9] = 0.0
        share, best = self.gate(x).topk(2, -1)
        y = torch.stack([expert(x) for expert in self.experts], 1)
        y = y.gather(1, best[..., None].expand(-1, -1, y.shape[-1]))
        x = x + (share.softmax(-1)[..., None] * y).sum(1)
        return self.head(torch.exp(-torch.cdist(x, self.prototypes) / 8))


@zoo
def experts() -> Made:
    return Experts(), (torch.randn(2, 20),)


class Spectral(nn.Module):
    """A layer that mixes channels frequency by frequency, and rotary positions by complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.short, self.head = nn.Linear(5, 8), nn.Conv1d(8, 8, 1), nn.Linear(8, 3)
        self.weight = nn.Parameter(torch.randn(8, 8, 4, 2))
        self.q, self.k = nn.Linear(8, 12), nn.Linear(8, 12)

    def rotated(self, x: Tensor) -> Tensor:
        angle = torch.arange(x.shape[1], dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1], dtype=x.dtype)
        pairs = torch.view_as_complex(x.reshape(*x.shape[:2], 3, 2, 2))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)[:, None]).flatten(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).transpose(1, 2)
        modes = torch.fft.rfft(x, dim=-1)[..., :4]
        mixed = torch.einsum("bik,iok->bok", modes, torch.view_as_complex(self.weight))
        x = functional.gelu(torch.fft.irfft(mixed, n=x.shape[-1], dim=-1) + self.short(x)).transpose(1, 2)
        scores = torch.einsum("bihd,bjhd->bijh", self.rotated(self.q(x)), self.rotated(self.k(x)))
        return self.head((scores.mean(-1).softmax(-1) @ x).mean(1))


@zoo
def spectral_layers() -> Made:
    return Spectral(), series()


class Maxout(nn.Module):
    """The largest of three pieces, and of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(20, 24), nn.Linear(12, 30), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).view(-1, 12, 2).max(-1).values
        return self.head(self.second(x).view(-1, 3, 10).amax(1))


@zoo
def maxout() -> Made:
    return Maxout(), (torch.randn(2, 20),)


class Latents(nn.Module):
    """Two sets of learned queries that look at the rows: what their projections read is alike for all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.latents = nn.Linear(5, 16), nn.Parameter(torch.randn(3, 16))
        self.query, self.key, self.value = nn.Linear(16, 12), nn.Linear(16, 12), nn.Linear(16, 12)
        self.out, self.wide, self.narrow = nn.Linear(12, 16), nn.Linear(16, 24), nn.Linear(24, 16)
        self.encode, self.asked = nn.Linear(5, 8), nn.Parameter(torch.randn(3, 8))
        self.attention, self.norm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(16)
        self.join, self.head = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        seen, encoded = self.embed(x), self.encode(x)
        z, asked = (one.expand(len(x), -1, -1) for one in (self.latents, self.asked))
        q, k, v = self.query(z), self.key(seen), self.value(seen)
        z = self.norm(z + self.out(functional.scaled_dot_product_attention(q, k, v)))
        z = z + self.narrow(functional.gelu(self.wide(z)))
        return self.head((z + self.join(self.attention(asked, encoded, encoded)[0])).mean(1))


@zoo
def latents() -> Made:
    return Latents(), series()
