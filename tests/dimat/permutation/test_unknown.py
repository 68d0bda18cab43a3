"""What is not known stays as it is: nothing is ever permuted on a guess."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread
from time import sleep

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.errors import InputsNotTaken, ModelNotSized
from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.permutation import Axis, Group, PermutationSpec, discover, permute
from dimat.permutation.collect import collect
from dimat.permutation.selftest import TOLERANCE, output_change, verified
from dimat.permutation.trace import trace
from dimat.training.seeding import torch_rng
from tests.dimat.permutation.architectures import Recurrent, images, series

UNKNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "fft": lambda x: torch.fft.rfft(x, dim=1).abs(),
    "places in order of size": lambda x: x * x.sort(dim=1).indices,
    "in order of size, and from where": lambda x: sum(x.sort(dim=1)),
    "summed up": lambda x: x.cumsum(dim=1),
    "rolled": lambda x: x.roll(1, dims=1),
    "places of the best": lambda x: x.gather(1, x.topk(3, dim=1).indices),
    "the best in any order": lambda x: x.topk(3, dim=1, sorted=False).values,
    "place of the third": lambda x: x * x.kthvalue(3, dim=1, keepdim=True).indices,
    "place of the middle": lambda x: x * x.median(dim=1, keepdim=True).indices,
    "two quantiles": lambda x: x - x.quantile(torch.tensor([0.2, 0.7], dtype=x.dtype), dim=1).sum(0)[:, None],
    "most frequent": lambda x: x - x.mode(dim=1, keepdim=True).values,
    "counted": lambda x: x * torch.arange(x.shape[1]),
    "every third": lambda x: x[:, ::3],
    "one of": lambda x: (x[:, 3] + x[:, 5])[:, None],
    "looked up": lambda x: x[:, torch.tensor([3, 1, 2])],
    "place of the best": lambda x: x.max(1, keepdim=True).indices * x.max(1, keepdim=True).values,
    "unfolded": lambda x: x.unfold(1, 3, 1).flatten(1),
    "scattered": lambda x: torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0),
    "convolved": lambda x: nn.functional.conv1d(x[:, None], torch.ones(1, 1, 3)).flatten(1),
    "pooled": lambda x: nn.functional.avg_pool1d(x[:, None], 2).flatten(1),
    "triangle": lambda x: torch.triu(x[:, :, None] * x[:, None]).flatten(1),
    "outer product with itself": lambda x: torch.einsum("bi,bi->b", x, x.flip(1))[:, None],
    "normalised by neighbours": lambda x: nn.functional.local_response_norm(x[:, :, None], 3).flatten(1),
    "written in place": lambda x: x.clone().index_fill_(1, torch.tensor([2]), 0.5),
    "a part overwritten": lambda x: torch.cat([x, x], 1).index_copy(1, torch.tensor([0]), x[:, :1]),
    "exponential of a matrix": lambda x: torch.linalg.matrix_exp(x[:, :, None] * x[:, None] / 8).flatten(1),
}  # fmt: skip


class Around(nn.Module):
    """A net with something in its middle."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.middle = nn.Linear(5, 8), nn.Linear(8, 8), middle
        num = middle(torch.randn(2, 8)).shape[1]
        self.third, self.last = nn.Linear(num, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(torch.tanh(self.second(torch.tanh(self.first(x)))))
        return self.last(torch.tanh(self.third(x)))


@pytest.mark.parametrize("name", UNKNOWN)
def test_units_that_meet_an_unknown_operation_stay_and_the_others_do_not(name: str) -> None:
    torch.manual_seed(1)
    model = Around(UNKNOWN[name])
    x = torch.randn(4, 5, generator=torch_rng(1, "x"))
    spec = discover(model, (x,))
    assert {group.name for group in spec.groups} == {"first", "third"}
    assert max(output_change(model, spec, x, torch_rng(2, "p")).values()) < TOLERANCE
    assert any(one.param == "second.weight" and one.axis == 0 and one.reason for one in spec.frozen)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(h if h.sum() > 0 else -h)


SYMMETRIC: dict[str, Callable[[Tensor], Tensor]] = {
    "in order of size": lambda x: x.sort(dim=1).values,
    "in order of size, the largest first": lambda x: torch.sort(x, dim=1, descending=True, stable=True)[0],
    "the best": lambda x: x.topk(3, dim=-1).values,
    "the least": lambda x: torch.topk(x, 3, 1, largest=False)[0],
    "above the third": lambda x: x * (x > x.kthvalue(3, dim=1, keepdim=True).values),
    "the third": lambda x: x.kthvalue(3, dim=1).values[:, None],
    "around the middle": lambda x: x - x.median(-1, keepdim=True).values,
    "around the middle of numbers": lambda x: x - x.nanmedian(-1, keepdim=True).values,
    "around the middle of all": lambda x: x - x.median(),
    "above a quantile": lambda x: x * (x > x.quantile(0.7, dim=1, keepdim=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", SYMMETRIC)
def test_units_of_which_only_the_sizes_count_may_be_reordered(name: str) -> None:
    torch.manual_seed(1)
    model = Around(SYMMETRIC[name])
    x = torch.randn(4, 5, generator=torch_rng(1, "x"))
    spec = discover(model, (x,))
    assert {group.name for group in spec.groups} == {"first", "second", "third"}
    assert max(output_change(model, spec, x, torch_rng(2, "p")).values()) < TOLERANCE
    reads = ("third.weight", 1)
    own = {(axis.param, axis.axis) for axis in spec.group("second").axes}
    assert (reads in own) == ("above" in name or "around" in name)
    state, planted = model.state_dict(), spec.random(torch_rng(3, "p"))
    other = permute(state, spec, planted)
    probe = torch.randn(50, 5, generator=torch_rng(4, "x"))
    for found in (
        match_weights(state, other, spec),
        match(compare(model, spec, state, {1: other}, probe)[1], spec),
    ):
        again = permute(other, spec, found.permutations)
        assert all(torch.equal(again[key], state[key]) for key in state)


class InHeads(nn.Module):
    """Sorts the units of each head, or for each unit the heads."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.first, self.last, self.axis = nn.Linear(5, 12), nn.Linear(axis + 2, 3), axis

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x)).view(-1, 3, 4).sort(self.axis).values
        return self.last(x.square().mean(3 - self.axis))


@pytest.mark.parametrize("axis", [1, 2])
def test_sizes_are_compared_over_one_axis_alone(axis: int) -> None:
    """The groups as they are before the self-test, which would catch a wrong one."""
    torch.manual_seed(1)
    model, x = InHeads(axis), torch.randn(4, 5)
    spec = PermutationSpec(collect(trace(model, (x,))).groups)
    assert spec.groups
    assert max(output_change(model, spec, x, torch_rng(2, "p")).values()) < TOLERANCE


class LargestInHeads(nn.Module):
    """Reads of each head the two largest units, or their mean: on the layer that reads them there are only heads."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.second = nn.Linear(5, 12), nn.Linear(6 if how == "topk" else 3, 6)
        self.last = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x)).view(-1, 3, 4)
        x = x.topk(2, -1).values.flatten(1) if self.how == "topk" else x.mean(-1)
        found: Tensor = self.last(torch.tanh(self.second(x)))
        return found


@pytest.mark.parametrize("how", ["topk", "mean"])
def test_heads_that_are_seen_on_one_axis_alone_move_with_their_units(how: str) -> None:
    """As they are before the self-test, which would hold what units of all heads of the model have of their own."""
    torch.manual_seed(1)
    model, x = LargestInHeads(how), torch.randn(4, 5)
    spec = PermutationSpec(collect(trace(model, (x,))).groups)
    assert [(group.size, group.blocks) for group in spec.groups if group.link] == [(12, (3,)), (3, (3,))]
    assert max(output_change(model, spec, x, torch_rng(2, "p")).values()) < TOLERANCE


def test_a_model_without_a_graph_has_no_groups_and_says_why() -> None:
    spec = discover(Branches(), (torch.randn(2, 5),))
    assert (spec.groups, spec.coverage) == ((), 0.0)
    assert "no graph" in spec.frozen[0].reason


class Positions(nn.Module):
    """Reads the beginning of a table that is made for longer texts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.table = nn.Embedding(30, 8), nn.Parameter(torch.randn(1, 50, 8))
        self.register_buffer("ids", torch.arange(50)[None])
        self.more, self.head = nn.Embedding(50, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x) + self.table[:, : x.shape[1]] + self.more(self.ids[:, : x.shape[1]])
        return self.head(x.mean(1))


@dataclass
class Labelled:
    logits: Tensor
    note: str = ""


class Kept(nn.Module):
    """Keeps a tensor computed from its params, as weight norm of old does; gives a structure of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)
        self.kept = self.first.weight * 2

    def forward(self, x: Tensor) -> Labelled:
        self.kept = self.first.weight * 2
        return Labelled(self.last(torch.tanh(functional.linear(x, self.kept, self.first.bias))))


def test_structures_of_any_kind_and_kept_tensors_do_not_stop_it() -> None:
    assert discover(Kept(), torch.randn(2, 5)).coverage > 0.9


class Filled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)
        self.register_buffer("later", torch.zeros(8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x)) + self.later)


def test_a_buffer_that_may_yet_be_filled_holds_its_units() -> None:
    assert discover(Filled(), (torch.randn(2, 5),)).groups == ()


def test_rows_of_a_table_that_the_example_does_not_reach_stay() -> None:
    spec = discover(Positions(), (torch.randint(30, (2, 7)),))
    assert [group.name for group in spec.groups] == ["embed"]
    assert {(axis.param, axis.axis) for axis in spec.groups[0].axes} == {
        ("embed.weight", 1), ("table", 2), ("more.weight", 1), ("head.weight", 1),
    }  # fmt: skip


def test_parameters_without_a_use_stay() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3))
    model.register_parameter("idle", nn.Parameter(torch.zeros(8, 8)))
    spec = discover(model, (torch.randn(2, 5),))
    assert "not used by the forward pass" in {one.reason for one in spec.frozen if one.param == "idle"}


def test_non_persistent_buffers_hold_their_units() -> None:
    """They are not in the state dict, so nothing could follow."""
    model = nn.Sequential(nn.Linear(5, 8), Shift(), nn.Linear(8, 3))
    assert discover(model, (torch.randn(2, 5),)).groups == ()


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("by", torch.arange(8.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x + self.by)


def test_a_group_that_fails_the_self_test_is_frozen_with_that_reason() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
    right = Group("2", 6, "4", (Axis("2.weight", 0), Axis("2.bias", 0), Axis("4.weight", 1)))
    wrong = Group("0", 8, "2", (Axis("0.weight", 0), Axis("2.weight", 1)))
    spec = verified(model, (torch.randn(3, 5),), lambda _: PermutationSpec((wrong, right)), torch_rng(1, "p"))
    assert spec.groups == (right,)
    assert {(one.param, one.axis) for one in spec.frozen} == {("0.weight", 0), ("2.weight", 1)}
    assert all("self-test found it wrong" in one.reason for one in spec.frozen)


def test_heads_that_fail_with_units_of_their_own_are_tried_with_units_in_common() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    axes = (Axis("0.weight", 0), Axis("0.bias", 0), Axis("2.weight", 1))
    linked = Group("0", 8, "2", axes[:2], blocks=(2,), link="heads")
    whole = Group("0", 8, "2", axes)
    spec = verified(
        model,
        (torch.randn(3, 5),),
        lambda own: PermutationSpec((linked if own else whole,)),
        torch_rng(1, "p"),
    )
    assert spec.groups == (whole,)


def test_self_test_sees_into_recurrent_layers() -> None:
    model = Recurrent(nn.LSTM, False)
    spec = discover(model, series())
    group = spec.groups[0]
    kept = tuple(axis for axis in group.axes if axis.param != "rnn.weight_hh_l0")
    wrong = PermutationSpec((Group(group.name, group.size, group.tap, kept), *spec.groups[1:]))
    change = output_change(model, wrong, series(), torch_rng(2, "p"))
    assert change[group.name] > 1e-4
    assert change[spec.groups[1].name] < TOLERANCE


def test_a_model_that_insists_on_float32_is_tested_in_float32() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.tanh(self.first(x)) @ torch.eye(8, dtype=torch.float32) * 1.0)

    assert discover(Single(), (torch.randn(2, 5),)).groups == ()  # the identity matrix is a constant: frozen
    model = nn.Sequential(nn.Linear(5, 8), ToSingle(), nn.Linear(8, 3))
    assert [group.name for group in discover(model, (torch.randn(2, 5),)).groups] == ["0"]


class ToSingle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x).float()


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    model.train()
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    discover(model, images())
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


class Packed(nn.Module):
    """An LSTM over packed sequences; while it is exported, it lets `meanwhile` happen."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.rnn, self.last, self.meanwhile = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2), [meanwhile]

    def forward(self, x: Tensor) -> Tensor:
        self.meanwhile[0]()
        return self.last(last_state(self.rnn, x))


def last_state(rnn: nn.Module, x: Tensor) -> Tensor:
    lengths = torch.tensor([x.shape[1], *(2 for _ in x[1:])])
    found: Tensor = rnn(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))[1][0]
    return found[-1]


def test_packed_sequences_of_other_threads_are_read_as_ever_meanwhile() -> None:
    rnn, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 6, 3)
    before = nn.LSTM.forward
    replaced: list[bool] = []
    found: list[Tensor] = []

    def elsewhere() -> None:
        with torch.no_grad():
            found.append(last_state(rnn, x))

    def meanwhile() -> None:
        replaced.append(nn.LSTM.forward is not before)
        thread = Thread(target=elsewhere)
        thread.start()
        thread.join()

    assert discover(Packed(meanwhile), torch.randn(2, 5, 3)).coverage > 0.9
    assert any(replaced)
    expected = last_state(rnn, x)
    assert all(torch.equal(one, expected) for one in found)
    assert nn.LSTM.forward is before


def test_several_threads_find_the_same_and_leave_torch_as_it_was() -> None:
    before = (nn.LSTM.forward, torch._VF._pack_padded_sequence)
    x = torch.randn(2, 5, 3)
    with ThreadPoolExecutor(3) as pool:
        specs = list(pool.map(lambda _: discover(Packed(lambda: sleep(0.01)), x), range(3)))
    assert specs[0].groups
    assert specs[1:] == specs[:1] * 2
    assert (nn.LSTM.forward, torch._VF._pack_padded_sequence) == before
    assert torch.get_default_dtype() == torch.float32


class Awkward(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.hidden, self.out, self.how = nn.Linear(6, 8), nn.Linear(8, 3), how
        self.empty = nn.Parameter(torch.zeros(0, 4))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(x).relu()
        if self.how == "cond":
            hidden = torch.cond(hidden.sum() > 0, lambda h: h + 1, lambda h: h - 1, (hidden,))
        found: Tensor = self.out(hidden)
        if self.how == "masked":
            return found[x[:, 0] > -100]
        if self.how == "nonzero":
            return found[(x[:, 0] > -100).nonzero()[:, 0]]
        return found + self.empty.sum()


@pytest.mark.filterwarnings("ignore")  # of the compiler behind torch.cond
@pytest.mark.parametrize("how", ["masked", "nonzero", "cond"])
def test_a_model_of_which_no_graph_tells_the_sizes_has_no_groups(how: str) -> None:
    model, x = Awkward(how), torch.randn(4, 6)
    spec = discover(model, (x,))
    assert (spec.groups, spec.coverage) == ((), 0)
    assert all(frozen.reason for frozen in spec.frozen)
    model(x)  # as before


def test_a_parameter_without_entries_hinders_nothing() -> None:
    assert [group.name for group in discover(Awkward("plain"), (6,)).groups] == ["hidden"]


def test_lazy_layers_are_refused_until_they_have_seen_rows() -> None:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2))
    with pytest.raises(ModelNotSized, match=r"'0\.weight'.*Send some rows"):
        discover(model, (6,))
    model(torch.zeros(2, 6))
    assert discover(model, (6,)).groups


def test_nothing_is_logged_of_inputs_that_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputsNotTaken):
        discover(Awkward("plain"), (torch.zeros(2, 7),))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_the_self_test_fills_lists_and_dicts_of_inputs() -> None:
    """With examples of zeros it would see nothing, and with float32 it would see little."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, given: dict[str, list[Tensor]]) -> Tensor:
            x = given["rows"][0]
            seen.append(x)
            found: Tensor = self.out(self.hidden(x).relu())
            return found

    seen: list[Tensor] = []
    assert discover(Net(), ({"rows": [torch.zeros(2, 6)]},)).groups
    assert any(type(x) is Tensor and x.dtype == torch.float64 and x.any() for x in seen)
