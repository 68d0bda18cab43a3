"""Merges over all sites, summed up and down a tree."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimat import steps
from dimat.merging.registry import SUMMED
from dimat.merging.sums import SHARE, Sums, add
from dimat.methods import Method
from dimat.model_spec import MlpSpec
from dimat.models.registry import empty_model, initial_params
from dimat.params import Params
from dimat.parts import EvaluationSpec, MergeSpec
from dimat.results import as_json
from dimat.rows import SiteRows
from dimat.schedule import Schedule, StepKey
from dimat.simulate import RowsOf, simulate
from dimat.spec import PilotSpec
from dimat.steps import StepContext
from dimat.training.seeding import torch_rng
from dimat.tree import Tree

MakeSpec = Callable[..., PilotSpec]
MODEL = MlpSpec(hidden=(12, 8))
CONTEXT = StepContext(
    seed=1, round=1, rounds=2, site_index=0, site_name="site-0", num_sites=3, model=MODEL, evaluation=EvaluationSpec()
)  # fmt: skip


def model_of(rows: SiteRows, seed: int) -> Params:
    return initial_params(empty_model(MODEL, rows.shape, rows.num_outputs), torch_rng(seed, "init"))


def gathered(
    rows: SiteRows, own: Params, method: Method, site: int, below: dict[int, Sums] | None = None
) -> Sums:
    result = steps.gather(replace(CONTEXT, site_index=site), rows, MergeSpec(), method, own, below or {})
    assert result.params is not None
    return Sums(result.params, result.moments or {})


@pytest.mark.parametrize("method", SUMMED)
def test_it_does_not_matter_how_sites_are_grouped(method: Method, site_rows: tuple[SiteRows, ...]) -> None:
    a, b, c = (model_of(site_rows[0], seed) for seed in range(3))
    rows = site_rows
    in_a_line = gathered(
        rows[0], a, method, 0, {1: gathered(rows[1], b, method, 1, {2: gathered(rows[2], c, method, 2)})}
    )
    as_a_star = gathered(
        rows[0], a, method, 0, {1: gathered(rows[1], b, method, 1), 2: gathered(rows[2], c, method, 2)}
    )
    one = steps.merge_all(CONTEXT, rows[0], MergeSpec(), method, a, in_a_line).mean
    other = steps.merge_all(CONTEXT, rows[0], MergeSpec(), method, a, as_a_star).mean
    assert one is not None
    assert other is not None
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", SUMMED)
def test_the_mean_of_a_model_with_itself_is_itself(method: Method, site_rows: tuple[SiteRows, ...]) -> None:
    own = model_of(site_rows[0], 1)
    total = gathered(site_rows[0], own, method, 0, {1: gathered(site_rows[1], own, method, 1)})
    merged = steps.merge_all(CONTEXT, site_rows[0], MergeSpec(), method, own, total).params
    assert merged is not None
    for name in own:
        # A head in closed form is no mean of what sites hold.
        if method != "ridge_head" or not name.startswith("head."):
            torch.testing.assert_close(merged[name], own[name], rtol=1e-4, atol=1e-5)


def test_sites_count_the_same_but_for_a_server_that_weighs_them_by_rows(
    site_rows: tuple[SiteRows, ...],
) -> None:
    few = replace(site_rows[1], train_x=site_rows[1].train_x[:20], train_y=site_rows[1].train_y[:20])
    many, own = site_rows[0], model_of(site_rows[0], 1)
    other = {name: value + 1 for name, value in own.items()}
    share = len(few.train_x) / (len(few.train_x) + len(many.train_x))
    for method, expected in (("common_basis", 0.5), ("federated_average", share)):
        total = gathered(many, own, method, 0, {1: gathered(few, other, method, 1)})  # type: ignore[arg-type]
        mean = steps.merge_all(CONTEXT, many, MergeSpec(), method, own, total).mean  # type: ignore[arg-type]
        assert mean is not None
        for name in own:
            torch.testing.assert_close(mean[name], own[name] + expected)


def test_a_branch_that_is_not_finite_is_left_out_and_named(site_rows: tuple[SiteRows, ...]) -> None:
    own = model_of(site_rows[0], 1)
    good, bad = (gathered(site_rows[1], own, "plain_average", 1) for _ in range(2))
    bad = Sums({name: torch.full_like(value, torch.nan) for name, value in bad.params.items()})
    result = steps.gather(CONTEXT, site_rows[0], MergeSpec(), "plain_average", own, {1: good, 2: bad})
    assert result.rejected == {2: "non_finite_params"}
    assert result.params is not None
    assert float(result.params[SHARE]) == 2.0


def branch_with(rows: SiteRows, method: Method, share: float = 1.0, sign: float = 1.0) -> Sums:
    found = gathered(rows, model_of(rows, 1), method, 1)
    moments = {name: sign * value for name, value in found.moments.items()}
    return Sums({**found.params, SHARE: torch.tensor(share, dtype=torch.float64)}, moments)


@pytest.mark.parametrize(
    ("method", "share", "sign"),
    [
        ("common_basis", 3, 1), ("common_basis", 1e6, 1), ("common_basis", 0, 1), ("common_basis", -1, 1),
        ("common_basis", 0.5, 1), ("federated_average", 0, 1), ("federated_average", -60, 1),
        ("regmean", 1, -1), ("fisher", 1, -1), ("ridge_head", 1, -1),
    ],
)  # fmt: skip
def test_a_branch_that_cannot_be_is_left_out_and_named(
    method: Method, share: float, sign: float, site_rows: tuple[SiteRows, ...]
) -> None:
    """More sites than there are would take over the mean; -1 would make it infinite and fail the run."""
    own = model_of(site_rows[0], 1)
    good, bad = branch_with(site_rows[1], method), branch_with(site_rows[2], method, share, sign)
    found = steps.gather(CONTEXT, site_rows[0], MergeSpec(), method, own, {1: good, 2: bad})
    without = steps.gather(CONTEXT, site_rows[0], MergeSpec(), method, own, {1: good})
    assert found.rejected == {2: "sums_impossible"}
    assert not without.rejected
    assert found.params is not None
    assert without.params is not None
    assert all(torch.equal(value, without.params[name]) for name, value in found.params.items())
    whole = branch_with(site_rows[2], method, 2)
    assert not steps.gather(CONTEXT, site_rows[0], MergeSpec(), method, own, {2: whole}).rejected


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=6), st.integers(1, 5))
def test_sums_of_sums_are_sums(weights: list[float], cut: int) -> None:
    parts = [(weight, Sums({"a": torch.tensor([float(k)])})) for k, weight in enumerate(weights)]
    whole = add(parts).params["a"]
    first, second = parts[:cut], parts[cut:]
    in_two = add([(1.0, add(part)) for part in (first, second) if part]).params["a"]
    torch.testing.assert_close(whole, in_two)


@given(st.integers(2, 12), st.data())
def test_a_star_has_the_root_of_its_tree(n: int, data: st.DataObject) -> None:
    parents = [None, *(data.draw(st.integers(0, site - 1)) for site in range(1, n))]
    star = Tree.of(parents).as_star()
    assert star.parents == (None, *[0] * (n - 1))
    assert star.children == (tuple(range(1, n)), *[()] * (n - 1))


def test_up_the_tree_and_down_again(make_spec: MakeSpec) -> None:
    spec = make_spec(num_sites=3, topology={"kind": "line"}, merge={"over": "tree"})
    schedule = Schedule.of(spec, "common_basis")
    # site-1 in the middle is the root
    assert schedule.inputs(StepKey(1, "gather", 1)) == [
        StepKey(0, "align", 1), StepKey(1, "gather", 0), StepKey(1, "gather", 2),
    ]  # fmt: skip
    assert schedule.inputs(StepKey(1, "merge", 1)) == [StepKey(0, "align", 1), StepKey(1, "gather", 1)]
    assert schedule.inputs(StepKey(1, "merge", 2)) == [StepKey(0, "align", 2), StepKey(1, "merge", 1)]


def test_methods_that_match_anew_keep_to_their_neighbours(make_spec: MakeSpec) -> None:
    spec = make_spec(merge={"over": "tree"})
    for arm, expected in (
        ("dimat", set()),
        ("weight_matching", set()),
        ("local_only", set()),
        ("regmean", {"gather"}),
    ):
        kinds = {step.kind for step in Schedule.of(spec, arm).all_steps()}
        assert kinds & {"gather"} == expected, arm


def test_a_server_is_linked_to_all_whatever_the_topology(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(num_sites=5, topology={"kind": "line"}), "federated_average")
    tree = schedule.tree_of(1)
    assert tree is not None
    assert tree.parents.count(1) == 4


@pytest.fixture
def over_tree(make_spec: MakeSpec, rows_of: RowsOf) -> dict[str, Any]:
    ticks = iter(range(10**9))
    spec = make_spec(
        num_sites=4,
        topology={"kind": "line"},
        arms=[
            {"name": method, "method": method, "merge": {"over": "tree", "final_merge": True}}
            for method in ("plain_average", "regmean", "slowmo", "fisher", "federated_average")
        ],
    )
    return as_json(simulate(spec, rows_of, lambda: float(next(ticks))))


def test_all_sites_end_with_one_model(over_tree: dict[str, Any]) -> None:
    """The networks here have no norm statistics, which each site would re-estimate on its own rows."""
    for run in over_tree["runs"]:
        assert run["state"] == "completed", run
        assert len(set(run["final_artifacts"].values())) == 1, run["arm"]


def test_two_models_a_link_of_the_tree_are_sent(
    over_tree: dict[str, Any], make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    runs = {run["arm"]: run for run in over_tree["runs"]}
    rows = rows_of(1, 0)
    model = sum(value.numel() * value.element_size() for value in model_of(rows, 1).values())
    sent = runs["plain_average"]["bytes_exchanged"]
    # 2 rounds x 3 links x (sums up + mean down), and a safetensors header each
    assert 12 * model < sent < 12 * (model + 1500)
    assert runs["federated_average"]["bytes_exchanged"] == sent
    assert runs["regmean"]["bytes_exchanged"] > sent
