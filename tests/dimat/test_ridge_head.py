"""The head in closed form: what pooled rows would give, whoever holds which classes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from dimat import errors, taps, told
from dimat.merging import ridge_head
from dimat.merging.head import head_of
from dimat.merging.sums import add
from dimat.model_spec import MlpSpec
from dimat.models.registry import empty_model, initial_params
from dimat.parts import MergePatch, MergeSpec
from dimat.permutation import discover
from dimat.plan import effective_spec
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.schedule import Schedule, StepKey
from dimat.second_moments import layout, made
from dimat.simulate import RowsOf, simulate
from dimat.spec import PilotSpec
from dimat.training.seeding import torch_rng

MakeSpec = Callable[..., PilotSpec]
MODEL = MlpSpec(hidden=(12, 10))


def rows_of(table: Table, spec: PilotSpec) -> RowsOf:
    shares = all_site_rows(table, spec.data, spec.site_names, 1)
    return lambda _, site: shares[site]


def moments_told(rows: SiteRows, params: Any) -> Any:
    moments = made("head", MODEL, rows, params)
    expected = layout("head", MODEL, rows)
    assert {name: (tuple(t.shape), t.dtype) for name, t in moments.items()} == dict(expected)
    return moments


def first_rows(rows: SiteRows, num: int) -> SiteRows:
    return replace(rows, train_x=rows.train_x[:num], train_y=rows.train_y[:num])


@pytest.mark.parametrize("of_each", [(60, 60, 60, 60), (60, 3, 30, 1)], ids=["as many", "few and many"])
def test_sites_that_share_features_get_the_head_of_the_pooled_rows(
    make_spec: MakeSpec, table: Table, of_each: tuple[int, ...]
) -> None:
    """However many rows each of them has."""
    spec = make_spec(model=MODEL.model_dump(), data={"rows_per_site": 60, "partition": {"kind": "shards"}})
    of = rows_of(table, spec)
    sites = [first_rows(of(1, site), num) for site, num in enumerate(of_each)]
    net = empty_model(MODEL, sites[0].shape, sites[0].num_outputs)
    shared = initial_params(net, torch_rng(1, "init", "common"))
    total = add(
        (1 / len(sites), ridge_head.METHOD.of_site(shared, moments_told(rows, shared), MergeSpec()))
        for rows in sites
    )
    merged = ridge_head.METHOD.params_of(total, shared)
    below = [name for name in shared if not name.startswith("head.")]
    for name in below:
        torch.testing.assert_close(merged[name], shared[name])

    x = torch.cat([rows.train_x for rows in sites])
    y = torch.cat([rows.train_y for rows in sites])
    seen: list[torch.Tensor] = []
    net.get_submodule("head").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net.load_state_dict(dict(shared))
    with torch.no_grad():
        net(x)
    H = functional.pad(seen[0].double(), (0, 1), value=1.0)
    G = H.T @ H / len(x)
    ridge = ridge_head.RIDGE * G.diagonal().mean() * torch.eye(len(G), dtype=torch.float64)
    pooled = torch.linalg.solve(
        G + ridge, H.T @ functional.one_hot(y, sites[0].num_outputs).double() / len(x)
    )
    found = torch.cat([merged["head.weight"].double().T, merged["head.bias"].double()[None]])
    torch.testing.assert_close(found, ridge_head.LOGITS_PER_CLASS * pooled, rtol=1e-3, atol=1e-3)


def test_the_last_two_rounds_only_merge_the_models_and_then_the_head(make_spec: MakeSpec) -> None:
    spec = make_spec(
        rounds=5,
        train={"class_weights": "balanced"},
        merge={"merge_every": 2},
        arms=[
            {"name": "control", "method": "local_only"},
            {"name": "head", "method": "regmean", "merge": {"ridge_head": True, "over": "tree"}},
            {"name": "server", "method": "federated_average", "merge": {"ridge_head": True}},
        ],
    )
    plans = [effective_spec(spec, "head", (), round) for round in range(1, 6)]
    assert [plan.method for plan in plans] == ["regmean"] * 4 + ["ridge_head"]
    assert [plan.train.epochs for plan in plans[2:]] == [spec.train.epochs, 0, 0]
    assert [plan.merges_in(round) for round, plan in enumerate(plans, 1)] == [False, True, False, True, True]
    assert [effective_spec(spec, "server", (), round).over for round in (4, 5)] == ["star", "tree"]
    assert effective_spec(spec, "control", (), 5).train.epochs == spec.train.epochs
    schedule = Schedule.of(spec, "head")
    assert schedule.plan_of(3) == plans[2]
    assert schedule.plan_of(4) == plans[3]
    for kind in ("merge", "train"):
        assert told.last_loss(schedule, StepKey(5, kind, 0)) == "balanced_softmax"
    assert told.last_loss(schedule, StepKey(4, "train", 0)) == "cross_entropy"


@pytest.mark.parametrize(("over", "every"), [("tree", 1), ("neighbours", 1), ("neighbours", 3)])
def test_a_site_that_never_saw_a_class_knows_it_in_the_end(
    make_spec: MakeSpec, table: Table, over: str, every: int
) -> None:
    merge = {"over": over, "merge_every": every}
    arms = [
        {"name": "alone", "method": "local_only"},
        {"name": "head", "method": "regmean", "merge": merge | {"ridge_head": True}},
    ]
    spec = make_spec(
        rounds=4,
        arms=arms,
        topology={"kind": "full"},
        data={"rows_per_site": 60, "partition": {"kind": "shards"}},
    )
    alone, head = simulate(spec, rows_of(table, spec), lambda: 0.0).runs
    assert head.state == "completed"
    lone, known = (run.rounds[-1].after_train for run in (alone, head))
    assert min(one.all_site or 0 for one in known) > max(one.all_site or 0 for one in lone)
    before, after = head.rounds[-1].after_merge, head.rounds[-1].after_train
    assert before == after, "nothing is trained after the head was made"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"arms": [{"name": "x", "method": "dimat"}]}, "ridge_head_needs_basis", "merge.ridge_head"),
        (
            {"arms": [{"name": "x", "method": "dimat", "merge": MergePatch(guard=0.1).model_dump()}]},
            "ridge_head_needs_basis",
            "arms.0.merge.ridge_head",
        ),
        ({"rounds": 1}, "ridge_head_needs_rounds", "merge.ridge_head"),
    ],
)
def test_a_head_that_cannot_be_made_is_refused(
    make_spec: MakeSpec, changes: dict[str, Any], code: str, field: str
) -> None:
    arms = [{"name": "basis", "method": "common_basis"}]
    with pytest.raises(ValidationError) as refused:
        make_spec(**{"arms": arms, "merge": {"ridge_head": True}, **changes})
    (error,) = refused.value.errors()
    assert error["type"] == code
    assert error["ctx"]["place"] == field


def test_a_head_for_every_arm_leaves_the_control_arm_alone(make_spec: MakeSpec) -> None:
    arms = [{"name": "alone", "method": "local_only"}, {"name": "basis", "method": "common_basis"}]
    spec = make_spec(rounds=1 + 1, arms=arms, merge={"ridge_head": True})
    assert effective_spec(spec, "alone", (), 2).method == "local_only"


def test_a_head_that_reads_one_unit_is_solved_and_not_the_layer_below(make_spec: MakeSpec) -> None:
    """One number from one hidden unit: the layer below has as many outputs as the head."""
    rng, sites = torch.Generator().manual_seed(3), []
    slopes = torch.tensor([[1.0], [2.0], [0.0], [-1.0], [0.5]])
    for _ in range(2):
        x = torch.randn(240, 5, generator=rng)
        y = x @ slopes
        sites.append(SiteRows(x[:160], y[:160], x[160:200], y[160:200], x[200:], y[200:]))
    spec = make_spec(
        sites=[{"name": name, "data": {"kind": "given"}} for name in "ab"],
        model={"kind": "mlp", "hidden": [8, 1]},
        rounds=4,
        train={"loss": "mse", "warmup_epochs": 8},
        arms=[{"name": "head", "method": "regmean", "merge": {"ridge_head": True, "over": "tree"}}],
    )
    (run,) = simulate(spec, lambda _, site: sites[site], lambda: 0.0).runs
    merged, solved = ([one.all_site or 0.0 for one in run.rounds[at].after_train] for at in (3, 4))
    assert min(solved) > min(merged) - 0.05


class Named(nn.Module):
    """Calls its head by keyword, and has an attention and a layer that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.norm, self.head = nn.Linear(3, 6), nn.LayerNorm(6), nn.Linear(6, 2)
        self.mixing, self.idle = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.hidden(x).relu())[:, None]
        return self.head(input=self.mixing(tokens, tokens, tokens)[0][:, 0])  # type: ignore[no-any-return]


ROWS, ANSWERS = torch.randn(600, 3, generator=torch_rng(1, "x")), torch.eye(2).repeat(300, 1)


def test_a_head_that_is_called_by_keyword_is_solved() -> None:
    model = Named().eval()
    head = head_of(model, discover(model, (3,)), ROWS)
    found = ridge_head.moments(model, head, ROWS, ANSWERS)
    with torch.no_grad():
        tokens = model.norm(model.hidden(ROWS).relu())[:, None]
        read = functional.pad(model.mixing(tokens, tokens, tokens)[0][:, 0], (0, 1), value=1.0).double()
    torch.testing.assert_close(found["head"], (read.T @ read).float())
    torch.testing.assert_close(found["head.answers"], (read.T @ ANSWERS.double()).float())


@pytest.mark.parametrize("name", ["norm", "nothing", "mixing.out_proj", "idle"])
def test_what_is_no_head_is_refused(name: str) -> None:
    with pytest.raises(errors.LayerNotMergeable, match=rf"'{name}'.*\(these have: hidden, head"):
        ridge_head.moments(Named(), name, ROWS, ANSWERS)


def test_moments_of_a_head_are_summed_up_chunk_by_chunk() -> None:
    """All rows' features at once, doubled and padded, took six times their memory."""
    model, largest = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)), 0

    class Largest(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal largest
            made = func(*args, **(kwargs or {}))
            if isinstance(made, Tensor) and made.dtype == torch.float64:
                largest = max(largest, made.numel())
            return made

    with Largest():
        ridge_head.moments(model, "2", ROWS, ANSWERS)
    assert 0 < largest <= taps.CHUNK_ROWS * 7


@pytest.mark.parametrize(
    ("x", "error"),
    [(ROWS.double(), errors.InputsNotTaken), (ROWS[:, :2], errors.InputsNotTaken), (ROWS[:5], errors.ShapeMismatch)],
)  # fmt: skip
def test_rows_that_a_model_does_not_take_make_no_moments(x: Tensor, error: type[Exception]) -> None:
    with pytest.raises(error):
        ridge_head.moments(Named(), "head", x, ANSWERS)
