"""Groups hold in training mode, too: what feeds a part that only the training pass uses stays."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.permutation import PermutationSpec, discover, permute
from dimat.training.seeding import torch_rng


class Net(nn.Module):
    """Two hidden layers; the first one also feeds what a model adds in training."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 8), nn.Linear(8, 6), nn.Linear(6, 3)
        self.add_parts()

    def add_parts(self) -> None:
        pass

    def forward(self, x: Tensor) -> object:
        h = torch.tanh(self.first(x))
        found = self.last(torch.tanh(self.second(h)))
        return self.in_training(h, found) if self.training else found

    def in_training(self, h: Tensor, found: Tensor) -> object:
        return found


class Auxiliary(Net):
    """A second head, as in Inception."""

    def add_parts(self) -> None:
        self.aux = nn.Linear(8, 3)

    def in_training(self, h: Tensor, found: Tensor) -> object:
        return found, {"aux": self.aux(h)}


class Masked(Net):
    """A mask that lets everything pass at the beginning."""

    dtype, is_kept = torch.float32, True

    def add_parts(self) -> None:
        self.register_buffer("mask", torch.ones(8, dtype=self.dtype), persistent=self.is_kept)

    def in_training(self, h: Tensor, found: Tensor) -> object:
        return self.last(torch.tanh(self.second(h * self.mask)))


class MaskedByTruth(Masked):
    dtype = torch.bool


class MaskedByNumbers(Masked):
    dtype = torch.int64


class MaskedInPassing(Masked):
    is_kept = False


class Peeking(Net):
    """No tensor of its own tells of it."""

    def in_training(self, h: Tensor, found: Tensor) -> object:
        return found + h[:, :3]


@pytest.mark.parametrize(
    "kind", [Auxiliary, Masked, MaskedByTruth, MaskedByNumbers, MaskedInPassing, Peeking]
)
def test_units_that_feed_what_only_training_uses_stay_and_the_others_do_not(kind: type[Net]) -> None:
    torch.manual_seed(1)
    spec = discover(kind(), torch.randn(4, 5))
    assert [group.name for group in spec.groups] == ["second"]
    reasons = {one.reason for one in spec.frozen if (one.param, one.axis) == ("second.weight", 1)}
    assert any("wrong: outputs in training mode change" in reason for reason in reasons)


class Skipping(nn.Module):
    """Stochastic depth: a block is left out in some rows, or in whole passes."""

    def __init__(self, by_row: bool) -> None:
        super().__init__()
        self.block, self.by_row = nn.Linear(8, 8), by_row

    def forward(self, x: Tensor) -> Tensor:
        more = torch.tanh(self.block(x))
        if not self.training:
            return x + more
        if self.by_row:
            kept = x.new_empty(len(x), 1).bernoulli_(0.6) / 0.6
            return x + more * kept
        return x if random.random() < 0.4 else x + more


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) * (torch.rand_like(x) < 0.9) if self.training else x


class Dropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = functional.dropout(x, 0.5, self.training)
        return x * torch.bernoulli(torch.full_like(x, 0.9)) if self.training else x


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, 0.3, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(x[:, None].repeat(1, 3, 1))
        return found.mean(1)


class Reading(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 8, 2, dropout=0.3, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.rnn(x[:, None].repeat(1, 3, 1))[0]
        return found.mean(1)


BY_CHANCE: dict[str, Callable[[], nn.Module]] = {
    "dropout": lambda: nn.Dropout(0.5),
    "alpha dropout": lambda: nn.AlphaDropout(0.5),
    "dropout of its own": Dropping,
    "random slopes": nn.RReLU,
    "dropout of attention": Attending,
    "dropout between recurrent layers": Reading,
    "stochastic depth by row": lambda: Skipping(True),
    "stochastic depth by pass": lambda: Skipping(False),
    "noise": Noisy,
    "batch norm": lambda: nn.BatchNorm1d(8),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_CHANCE)
def test_what_is_drawn_for_all_units_alike_holds_none_of_them(name: str) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), BY_CHANCE[name](), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
    )
    luck, more = torch.get_rng_state(), random.getstate()
    assert discover(model, torch.randn(4, 5, generator=torch_rng(1, "x"))).coverage > 0.9
    assert torch.equal(luck, torch.get_rng_state())
    assert more == random.getstate()


class Demanding(Net):
    def in_training(self, h: Tensor, found: Tensor) -> object:
        raise ValueError("targets are missing")


def test_a_model_that_cannot_be_trained_on_such_inputs_has_no_groups_and_says_why() -> None:
    spec = discover(Demanding(), torch.randn(4, 5))
    assert spec.groups == ()
    assert any("could not run in training mode: targets are missing" in one.reason for one in spec.frozen)


class Counting(Net):
    """Takes longer steps from pass to pass, and keeps a queue that grows."""

    def add_parts(self) -> None:
        self.passes = 0
        self.register_buffer("queue", torch.zeros(1, 3))

    def in_training(self, h: Tensor, found: Tensor) -> object:
        self.passes += 1
        self.queue = torch.cat([self.queue, found])
        return found * self.passes + self.queue.mean()


def test_each_training_pass_of_the_self_test_starts_from_the_same_model() -> None:
    model = Counting()
    assert [group.name for group in discover(model, torch.randn(4, 5)).groups] == ["first", "second"]
    assert (model.passes, len(model.queue)) == (0, 1)


def test_permuting_leaves_the_training_outputs_of_a_model_with_an_auxiliary_head() -> None:
    torch.manual_seed(1)
    model, x = Auxiliary().double(), torch.randn(4, 5, dtype=torch.float64)
    spec: PermutationSpec = discover(model, x.float())
    found, more = model(x)
    model.load_state_dict(permute(model.state_dict(), spec, spec.random(torch_rng(2, "p"))))
    again, aux = model(x)
    torch.testing.assert_close((again, aux["aux"]), (found, more["aux"]))


class InOrder(nn.Module):
    """The training pass adds up groups of channels one after the other: their order counts, that of the channels in each does not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 1, groups=4)
        self.last = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        if self.training:
            h = h.unflatten(1, (4, 4)).cumsum(1).flatten(1, 2)
        found: Tensor = self.last(torch.tanh(self.grouped(h)).mean((2, 3)))
        return found


def test_units_inside_of_blocks_that_stay_stand_alone_and_are_matched() -> None:
    torch.manual_seed(0)
    model, x = InOrder(), torch.randn(50, 3, 4, 4)
    spec = discover(model, (3, 4, 4))
    assert spec.groups
    assert any("in training mode" in one.reason for one in spec.frozen)
    names = {group.name for group in spec.groups}
    assert all(names.issuperset(group.under) for group in spec.groups)
    own = model.state_dict()
    moved = permute(own, spec, spec.random(torch.Generator().manual_seed(1)))
    assert any(not torch.equal(moved[name], own[name]) for name in own)
    found = match(compare(model, spec, own, {1: moved}, x)[1], spec)
    for one in (found, match_weights(own, moved, spec)):
        back = permute(moved, spec, one.permutations)
        assert all(torch.equal(back[name], own[name]) for name in own)
    assert {one.group for one in found.quality} == {group.name for group in spec.groups if group.tap}


class OfTwoSizes(nn.Module):
    """A large output, and a small one whose training pass sees an order of units."""

    def __init__(self, places: list[float]) -> None:
        super().__init__()
        self.first, self.large, self.small = nn.Linear(6, 12), nn.Linear(12, 3), nn.Linear(12, 2)
        self.places = places

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.first(x))
        small = self.small(h * h.new_tensor(self.places)) if self.training else self.small(h)
        return 1e7 * self.large(h), small


@pytest.mark.parametrize("is_right", [True, False])
def test_a_small_output_counts_beside_a_large_one(is_right: bool) -> None:
    places = [2.0] * 12 if is_right else [float(place) for place in range(12)]
    spec = discover(OfTwoSizes(places), (6,))
    assert [group.name for group in spec.groups] == (["first"] if is_right else [])


class NothingBesides(nn.Module):
    """Outputs that are zero but for rounding, as a loss beside that is nought, tell of nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = torch.relu(self.first(x))
        return self.last(h), h.softmax(1).sum(1) - 1, h.sum() * 0


def test_outputs_that_are_nothing_but_rounding_freeze_no_group() -> None:
    assert [group.name for group in discover(NothingBesides(), (6,)).groups] == ["first"]
