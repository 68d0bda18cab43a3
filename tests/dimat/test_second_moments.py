"""Second moments of every kind of layer: each layer's own outputs, fitted with nothing but them, give its own weights back."""

from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from dimat.errors import InputsNotTaken, LayerNotMergeable, NumberTooSmall
from dimat.merging import gram, regmean
from dimat.merging.layers import as_layer, as_matrix
from dimat.merging.mix import MergeInputs, mix
from dimat.merging.seen import linear_layers
from dimat.models.registry import params_of
from dimat.params import Params
from dimat.parts import MergeSpec
from dimat.permutation.discover import discover
from dimat.permutation.spec import PermutationSpec
from dimat.training.seeding import torch_rng


class Cross(nn.Module):
    """Attention whose queries, keys and values differ, given by name."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 8), nn.Linear(3, how.get("kdim", 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **how)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        other = self.second(x).tanh()
        mixed, _ = self.attention(query=self.first(x).relu(), key=other, value=other.square())
        return self.head(mixed.relu().mean(1))  # type: ignore[no-any-return]


class Tokens(nn.Module):
    """An encoder layer, whose fast path calls none of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x).relu()).mean(1))  # type: ignore[no-any-return]


def series(rows: int = 3) -> Tensor:
    return torch.randn(rows, 5, 3, generator=torch_rng(1, "x"))


def conv1d() -> tuple[nn.Module, Tensor]:
    model = nn.Sequential(
        nn.Conv1d(2, 4, 3),
        nn.ReLU(),
        nn.Conv1d(4, 3, 3, stride=2, padding="valid"),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(9, 2),
    )
    return model, torch.randn(30, 2, 9, generator=torch_rng(1, "x"))


def conv2d() -> tuple[nn.Module, Tensor]:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 2, padding="same", padding_mode="circular", bias=False), nn.ReLU(),
        nn.Conv2d(2, 2, (1, 3), dilation=(1, 2), padding=(0, 2)), nn.Flatten(), nn.Linear(32, 2),
    )  # fmt: skip
    return model, torch.randn(30, 1, 6, 6, generator=torch_rng(1, "x"))


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "conv1d": conv1d,
    "conv2d": conv2d,
    "cross attention": lambda: (Cross(), series()),
    "cross attention, keys of another size": lambda: (Cross(kdim=6, vdim=6), series()),
    "cross attention without bias": lambda: (Cross(bias=False), series()),
    "transformer": lambda: (Tokens(), series()),
}


def made(name: str) -> tuple[nn.Module, Tensor, tuple[str, ...]]:
    torch.manual_seed(3)
    model, x = MODELS[name]()
    with torch.no_grad():
        for param in model.parameters():
            param.normal_(0, 0.5)
    return model.eval(), x, gram.layers_of(model, discover(model, (x,)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1d", "2 5"),
        ("conv2d", "2 4 6"),
        *(
            (name, "attention.q_proj attention.k_proj attention.v_proj attention.out_proj head")
            for name in MODELS
            if name.startswith("cross")
        ),
        (
            "transformer",
            " ".join(
                f"encoder.layers.{number}.{layer}"
                for number in range(2)
                for layer in (
                    "self_attn.q_proj",
                    "self_attn.k_proj",
                    "self_attn.v_proj",
                    "self_attn.out_proj",
                    "linear1",
                    "linear2",
                )
            )
            + " head",
        ),
    ],
)
def test_all_linear_layers_that_read_hidden_units_tell_moments(name: str, expected: str) -> None:
    model, x, layers = made(name)
    assert layers == tuple(expected.split())
    found = gram.gram(model, layers, x)
    assert {layer: (tuple(t.shape), t.dtype) for layer, t in found.items()} == gram.layout(model, layers)


@pytest.mark.parametrize("name", MODELS)
def test_a_change_of_a_layer_changes_its_outputs_by_what_its_moments_say(name: str) -> None:
    """|outputs(theta + d) - outputs(theta)|^2, summed over the samples, is n d^T G d: seen at the layer itself, without unfolding."""
    model, x, layers = made(name)
    moments = gram.gram(model.double(), layers, x.double(), positions=1000)
    params = params_of(model)
    for layer in layers:
        theta = as_matrix(params, layer)
        step = torch.randn(theta.shape, generator=torch_rng(2, layer), dtype=torch.float64)
        moved = {**params, **as_layer(params, layer, theta + step)}
        before, after = (outputs(model, layer, one, x.double()) for one in (params, moved))
        told = (step * (moments[layer].double() @ step)).sum()
        samples = before.numel() / step.shape[1]
        torch.testing.assert_close((after - before).square().sum() / samples, told, rtol=1e-4, atol=1e-6)


def outputs(model: nn.Module, layer: str, params: Params, x: Tensor) -> Tensor:
    """What a layer gives, as the model itself computes it with these params; of q, k and v what torch's own function is given."""
    module_name, _ = linear_layers(model)[layer]
    module, caught = model.get_submodule(module_name), []
    start = params_of(model)

    def hook(module: nn.Module, arguments: Any, named: Any, output: Any) -> None:
        # Everything before the layer is the same with both params: only what the layer itself makes of it is caught.
        if isinstance(module, nn.MultiheadAttention):
            arguments = [*arguments, *(named[n] for n in ("query", "key", "value") if n in named)]
            kind = layer.rpartition(".")[2]
            if kind == "out_proj":
                caught.append(output[0])
                return
            which = ("q_proj", "k_proj", "v_proj").index(kind)
            prefix = f"{module_name}."
            packed = params.get(f"{prefix}in_proj_weight")
            weight = params[f"{prefix}{kind}_weight"] if packed is None else packed.chunk(3)[which]
            bias = params.get(f"{prefix}in_proj_bias")
            caught.append(
                functional.linear(arguments[which], weight, None if bias is None else bias.chunk(3)[which])
            )
        else:
            caught.append(output)

    handle = module.register_forward_hook(hook, with_kwargs=True)
    model.load_state_dict(dict(params))
    with torch.no_grad():
        model(x)
    handle.remove()
    model.load_state_dict(dict(start))
    return caught[0]  # type: ignore[no-any-return]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**20), name=st.sampled_from(sorted(MODELS)))
def test_with_equal_moments_it_is_the_weighted_mean_and_of_equal_models_that_model(
    seed: int, name: str
) -> None:
    model, x, layers = made(name)
    own = params_of(model)
    rng = torch_rng(seed, "other")
    other = {key: value + 0.3 * torch.randn(value.shape, generator=rng) for key, value in own.items()}
    moments = gram.gram(model, layers, x)
    stranger = {layer: value + torch.eye(len(value)) for layer, value in moments.items()}

    def merged(models: dict[int, Params], told: dict[int, Params]) -> Params:
        return regmean.METHOD.merge(
            MergeInputs(model, PermutationSpec(()), 0, models, {0: 0.3, 1: 0.7}, x, MergeSpec(), told)
        ).params

    models = {0: own, 1: other}
    for key, value in merged(models, {0: moments, 1: moments}).items():
        torch.testing.assert_close(value, mix(models, {0: 0.3, 1: 0.7}, 0)[key], rtol=1e-3, atol=1e-4)
    for key, value in merged({0: own, 1: own}, {0: moments, 1: stranger}).items():
        torch.testing.assert_close(value, own[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_no_other_weights_answer_all_sites_inputs_better(name: str) -> None:
    """With the factor and the ridge off, the squared error by the moments of all sites rises whichever way a layer moves."""
    model, x, layers = made(name)
    params = {
        j: {k: v + j * torch.randn(v.shape, generator=torch_rng(9, k)) for k, v in params_of(model).items()}
        for j in (0, 1)
    }
    moments = {j: gram.gram(model, layers, x * (1 + j)) for j in (0, 1)}
    how = MergeSpec(off_diagonal=1.0, ridge=1e-9)
    merged = regmean.METHOD.merge(
        MergeInputs(model, PermutationSpec(()), 0, params, {0: 0.5, 1: 0.5}, x, how, moments)
    ).params

    def error(theta: Tensor, layer: str) -> float:
        apart = {j: theta - as_matrix(params[j], layer) for j in params}
        return sum(float((d * (moments[j][layer].double() @ d)).sum()) for j, d in apart.items())

    for layer in layers:
        best = as_matrix(merged, layer)
        step = torch.randn(best.shape, generator=torch_rng(4, layer), dtype=torch.float64)
        assert error(best, layer) <= error(best + step, layer)
        assert error(best, layer) <= error(best - step, layer)
        assert error(best, layer) <= sum(error(as_matrix(params[j], layer), layer) for j in params) / 2 + 1e-9


@pytest.mark.parametrize("groups", [2, 4])
def test_a_convolution_in_groups_is_averaged(groups: int) -> None:
    model = nn.Sequential(
        nn.Conv1d(2, 4, 3),
        nn.ReLU(),
        nn.Conv1d(4, 4, 3, groups=groups),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(20, 2),
    )
    assert gram.layers_of(model, discover(model, (2, 9))) == ("5",)


class BesideRaw(nn.Module):
    """The head reads hidden units and the raw inputs beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(3, 6), nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([self.hidden(x).relu(), x], 1))  # type: ignore[no-any-return]


def test_a_layer_that_reads_raw_inputs_beside_hidden_units_tells_none() -> None:
    model = BesideRaw()
    spec = discover(model, (3,))
    assert [group.name for group in spec.groups] == ["hidden"]
    assert gram.layers_of(model, spec) == ()


def test_a_few_places_of_each_image_tell_what_all_places_do() -> None:
    """Every place has its turn, edges as often as the middle; where rows are few, more places are looked at."""
    conv = nn.Sequential(nn.PReLU(init=1.0), nn.Conv2d(2, 3, 3, padding=1))
    waves = functional.interpolate(
        torch.randn(600, 2, 4, 4, generator=torch_rng(1, "x")), size=(20, 20), mode="bilinear"
    )
    everywhere = gram.gram(conv, ("1",), waves, positions=400)["1"]
    somewhere = gram.gram(conv, ("1",), waves)["1"]
    assert float((somewhere - everywhere).norm() / everywhere.norm()) < 0.05
    ones = gram.gram(conv, ("1",), torch.ones(600, 2, 20, 20))["1"]
    # Of the upper left corner of a kernel 19 x 19 of 20 x 20 places are in the image.
    assert float(ones[0, 0]) == pytest.approx((19 / 20) ** 2, abs=0.01)
    assert gram.enough_places(num_inputs=2304, num_rows=500) == 19
    assert gram.enough_places(num_inputs=145, num_rows=500) == 16
    assert gram.enough_places(num_inputs=145, num_rows=10) == 58


class Between(nn.Module):
    """A linear layer of some kind between two others."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.head = nn.Linear(3, 8), layer, nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.read(self.first(x).relu()).relu())  # type: ignore[no-any-return]

    def read(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


class Past(Between):
    """Reads the weight of a layer that it never calls."""

    def read(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.layer.weight, self.layer.bias)  # type: ignore[arg-type]


class Attentive(Between):
    def read(self, x: Tensor) -> Tensor:
        return self.layer(x[:, None], x[:, None], x[:, None])[0][:, 0]  # type: ignore[no-any-return]


def attention(normed: str) -> nn.Module:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    of = layer if normed == "in_proj_weight" else layer.out_proj
    nn.utils.parametrizations.weight_norm(of, normed)
    return layer


class Squashed(nn.Linear):
    """Its weight is not used as it is stored."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight.tanh(), self.bias)


class Standardised(nn.Conv1d):
    """As if from `torch.nn`, but for the weight that it convolves with."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        weight = weight / weight.norm(dim=(1, 2), keepdim=True)
        return super()._conv_forward(input, weight, bias)


class Convolved(Between):
    def read(self, x: Tensor) -> Tensor:
        return self.layer(x[..., None])[..., 0]  # type: ignore[no-any-return]


class Halved(nn.MultiheadAttention):
    def forward(self, *arguments: Any, **named: Any) -> Any:
        mixed, how = super().forward(*arguments, **named)
        return mixed / 2, how


def patched() -> nn.Module:
    layer = nn.Linear(8, 8)
    layer.forward = MethodType(Squashed.forward, layer)  # type: ignore[method-assign]
    return layer


FROZEN_BEHIND = ("spectral norm", "spectral norm of old", "orthogonal")
COMPUTED: dict[str, Callable[[], nn.Module]] = {
    "weight norm": lambda: Between(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))),
    "weight norm of the bias": lambda: Between(
        nn.utils.parametrizations.weight_norm(nn.Linear(8, 8), "bias")
    ),
    "weight norm of old": lambda: Between(nn.utils.weight_norm(nn.Linear(8, 8))),
    "spectral norm": lambda: Between(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))),
    "spectral norm of old": lambda: Between(nn.utils.spectral_norm(nn.Linear(8, 8))),
    "orthogonal": lambda: Between(nn.utils.parametrizations.orthogonal(nn.Linear(8, 8))),
    "pruned": lambda: Between(prune.identity(nn.Linear(8, 8), "weight")),
    "read past its layer": lambda: Past(nn.Linear(8, 8)),
    "squashed": lambda: Between(Squashed(8, 8)),
    "squashed by a patch": lambda: Between(patched()),
    "standardised": lambda: Convolved(Standardised(8, 8, 1)),
    "attention of its own": lambda: Attentive(Halved(8, 2, batch_first=True)),
    "attention, normed inside": lambda: Attentive(attention("in_proj_weight")),
    "attention, normed at its end": lambda: Attentive(attention("weight")),
}


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("name", COMPUTED)
def test_a_layer_that_is_computed_or_never_called_is_averaged(name: str) -> None:
    torch.manual_seed(3)
    model, x = COMPUTED[name](), torch.randn(30, 3, generator=torch_rng(1, "x"))
    spec = discover(model, (x,))
    layers = gram.layers_of(model, spec)
    assert "layer" not in " ".join(layers)
    assert layers or name in FROZEN_BEHIND
    of = {j: params_of(COMPUTED[name]()) for j in (0, 1)}
    moments = {j: gram.gram(model, layers, x * (1 + j)) for j in (0, 1)}
    inputs = MergeInputs(model, PermutationSpec(()), 0, of, {0: 0.3, 1: 0.7}, x, MergeSpec(), moments)
    merged = regmean.METHOD.merge(inputs).params
    averaged = mix(of, {0: 0.3, 1: 0.7}, 0)
    for key in of[0]:
        if key.startswith("layer."):
            torch.testing.assert_close(merged[key], averaged[key])


def test_a_layer_of_another_class_that_computes_as_its_own_does_tells_moments() -> None:
    class Named(nn.Linear):
        """Knows what it is for."""

    model = Between(Named(8, 8))
    assert gram.layers_of(model, discover(model, (3,))) == ("layer", "head")


class Idle(Between):
    """Has a layer that it never calls."""

    def read(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("model", "layer"),
    [(Between(nn.Linear(8, 8)), "first"), (Idle(nn.Linear(8, 8)), "layer"), (Attentive(nn.MultiheadAttention(8, 2)), "first")],
)  # fmt: skip
def test_what_reads_raw_inputs_or_nothing_is_refused_by_name(model: nn.Module, layer: str) -> None:
    """No second moments of raw data leave a site, whoever asks for them."""
    with pytest.raises(LayerNotMergeable) as refused:
        gram.gram(model, (layer,), torch.randn(9, 3))
    assert refused.value.params["layer"] == layer
    assert layer not in str(refused.value.params["known"]).split(", ")
    assert "head" in str(refused.value.params["known"])


def test_an_attention_that_reads_raw_inputs_tells_of_what_it_mixed() -> None:
    class Raw(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.attention(x, key=x, value=x)[0].mean(1))  # type: ignore[no-any-return]

    rows = torch.randn(20, 5, 8)
    for inside in ("q_proj", "k_proj", "v_proj"):
        with pytest.raises(LayerNotMergeable, match=r"these have: attention\.out_proj, head\)"):
            gram.gram(Raw(), (f"attention.{inside}",), rows)
    assert set(gram.gram(Raw(), ("attention.out_proj", "head"), rows)) == {"attention.out_proj", "head"}


def test_rows_of_other_numbers_make_no_moments() -> None:
    model = Between(nn.Linear(8, 8))
    with pytest.raises(InputsNotTaken):
        gram.gram(model, ("head",), torch.randn(9, 3, dtype=torch.float64))
    with pytest.raises(NumberTooSmall, match="positions"):
        gram.gram(model, ("head",), torch.randn(9, 3), positions=0)
