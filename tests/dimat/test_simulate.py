"""A whole pilot in one process."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from dimat.baselines import centralised
from dimat.errors import TooFewRows
from dimat.merging.registry import METHODS
from dimat.parts import TrainPatch
from dimat.plan import Amendment, Patch
from dimat.results import as_json
from dimat.rows import SiteRows
from dimat.simulate import Clock, RowsOf, simulate
from dimat.spec import PilotSpec, spec_sha256

MakeSpec = Callable[..., PilotSpec]


def ticks() -> Clock:
    """A clock that advances one second each time it is asked."""
    counter = count()
    return lambda: float(next(counter))


@pytest.fixture(scope="module")
def result(make_spec: MakeSpec, rows_of: RowsOf) -> dict[str, Any]:
    return as_json(simulate(make_spec(seeds=[1, 2]), rows_of, ticks()))


def test_simulating_twice_gives_the_same_bits(
    result: dict[str, Any], make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    again = as_json(simulate(make_spec(seeds=[1, 2]), rows_of, ticks()))
    assert again == result


def test_result_has_the_agreed_shape(result: dict[str, Any], make_spec: MakeSpec) -> None:
    spec = make_spec(seeds=[1, 2])
    names = list(spec.site_names)
    assert result["pilot"] == {
        "name": "small", "spec_sha256": spec_sha256(spec), "sites": names, "rounds": 2,
        "spec": spec.model_dump(mode="json"), "amendments": [], "absences": [],
    }  # fmt: skip
    assert len(result["runs"]) == 2 * len(spec.arms)
    for run in result["runs"]:
        assert (run["state"], run["reason"]) == (
            "completed",
            {"code": "completed", "params": {"rounds": run["rounds"][-1]["round"]}},
        )
        assert list(run["final_artifacts"]) == names
        assert [item["round"] for item in run["rounds"]] == [0, 1, 2]
        for item in run["rounds"]:
            merged = item["round"] > 0 and run["method"] != "local_only"
            assert item["merged"] is merged
            assert (item["after_merge"] is not None) is merged
            for kind in ("all_site", "own_site"):
                accuracy = item["after_train"][kind]
                assert list(accuracy["by_site"]) == names
                assert accuracy["mean"] == pytest.approx(sum(accuracy["by_site"].values()) / 4)


def test_every_arm_of_a_seed_starts_from_the_same_models(result: dict[str, Any]) -> None:
    for seed in (1, 2):
        starts = [run["rounds"][0]["after_train"] for run in result["runs"] if run["seed"] == seed]
        assert all(start == starts[0] for start in starts)


def test_arms_and_seeds_end_in_different_models(result: dict[str, Any]) -> None:
    ends = {run["final_artifacts"]["site-0"] for run in result["runs"]}
    assert len(ends) == len(result["runs"])


def test_bytes_are_those_of_the_models_over_links(result: dict[str, Any]) -> None:
    runs = {run["method"]: run for run in result["runs"] if run["seed"] == 1}
    model = runs["local_only"]["bytes_uploaded"] // (4 * 2)
    assert model > 4 * (16 * 12 + 12 * 8 + 8 * 10)
    assert runs["local_only"]["bytes_exchanged"] == 0
    # A ring of 4: 2 neighbours each, 2 rounds; aligning fetches one model for each site but the root.
    assert runs["dimat"]["bytes_exchanged"] == 4 * 2 * 2 * model
    assert runs["common_basis"]["bytes_exchanged"] == (4 * 2 * 2 + 3) * model
    # Second moments of the two layers that read hidden units: 13 and 9 inputs with the bias's one, float32.
    grams = runs["regmean"]["bytes_uploaded"] - 4 * (2 * 2 + 1) * model
    assert grams % (4 * 2) == 0  # made before each of 2 merges
    assert 0 < grams // (4 * 2) - 4 * (13 * 13 + 9 * 9) < 400  # and the names of the tensors
    assert runs["regmean"]["bytes_exchanged"] == runs["common_basis"]["bytes_exchanged"] + grams * 2
    assert runs["dimat"]["bytes_uploaded"] == 4 * 2 * 2 * model
    assert runs["common_basis"]["bytes_uploaded"] == 4 * (2 * 2 + 1) * model


def test_busy_time_is_that_of_the_steps(result: dict[str, Any]) -> None:
    runs = {run["method"]: run for run in result["runs"] if run["seed"] == 2}
    assert runs["local_only"]["busy_s"] == 4 * (1 + 2)
    assert runs["dimat"]["busy_s"] == 4 * (1 + 2 * 2)
    assert runs["common_basis"]["busy_s"] == runs["regmean"]["busy_s"] == 4 * (2 + 2 * 2)


def test_pilot_without_shared_rows_has_no_all_site_values(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    result = as_json(simulate(make_spec(evaluation={"all_site": "none"}, rounds=1), rows_of, ticks()))
    assert all(item["after_train"]["all_site"] is None for run in result["runs"] for item in run["rounds"])


def test_amendment_changes_only_the_rounds_from_its_own_on(
    result: dict[str, Any], make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    amendment = Amendment(from_round=2, patch=Patch(train=TrainPatch(epochs=3)), by="manager", why="slow")
    amended = as_json(simulate(make_spec(), rows_of, ticks(), [amendment]))
    before = {run["arm"]: run for run in result["runs"] if run["seed"] == 1}
    for run in amended["runs"]:
        same = before[run["arm"]]
        assert run["rounds"][:2] == same["rounds"][:2]
        assert run["rounds"][2]["after_merge"] == same["rounds"][2]["after_merge"]
        assert run["final_artifacts"] != same["final_artifacts"]


def test_run_that_diverges_ends_with_its_reason_and_the_others_go_on(
    make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    arms = [
        {"name": "wild", "method": "dimat", "train": {"lr": 10.0, "weight_decay": 1.0, "epochs": 30}},
        {"name": "calm", "method": "dimat"},
    ]
    wild, calm = as_json(simulate(make_spec(arms=arms), rows_of, ticks()))["runs"]
    assert wild["state"] == "failed"
    assert wild["reason"]["code"] == "non_finite_params"
    assert wild["reason"]["params"]["site"].startswith("site-")
    assert wild["final_artifacts"] == {}
    assert [item["round"] for item in wild["rounds"]] == [0]
    assert calm["state"] == "completed"


def test_what_an_optimiser_remembers_is_kept_only_where_asked_for(
    make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    arms = [
        {"name": "afresh", "method": "plain_average"},
        {"name": "kept", "method": "plain_average", "train": {"keep_momentum": True}},
    ]
    spec = make_spec(arms=arms, rounds=2)
    afresh, kept = as_json(simulate(spec, rows_of, ticks()))["runs"]
    assert afresh["rounds"][1] == kept["rounds"][1]  # the first round starts afresh in either case
    assert afresh["final_artifacts"] != kept["final_artifacts"]
    assert kept["bytes_exchanged"] == afresh["bytes_exchanged"]  # it does not leave the site
    assert kept["bytes_uploaded"] > afresh["bytes_uploaded"]


def test_start_state_is_judged_by_the_loss_it_was_trained_with(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    arms = [
        {"name": "plain", "method": "plain_average"},
        {"name": "balanced", "method": "plain_average", "train": {"loss": "balanced_softmax"}},
    ]
    plain, balanced = as_json(simulate(make_spec(arms=arms, rounds=1), rows_of, ticks()))["runs"]
    assert plain["rounds"][0] == balanced["rounds"][0]
    assert plain["rounds"][1]["after_merge"] == balanced["rounds"][1]["after_merge"]
    assert plain["final_artifacts"] != balanced["final_artifacts"]


def test_a_final_merge_is_what_comes_out(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    arms = [
        {"name": "alone", "method": "local_only", "merge": {"final_merge": True}},
        {
            "name": "ends-merged",
            "method": "regmean",
            "merge": {"final_merge": True},
            "train": {"keep_momentum": True},
        },
    ]
    runs = as_json(simulate(make_spec(rounds=3, arms=arms), rows_of, ticks()))["runs"]
    alone, merged = (run["rounds"] for run in runs)
    assert merged[3]["after_train"] == merged[3]["after_merge"]
    assert merged[2]["after_train"] != merged[2]["after_merge"]
    assert alone[3]["after_train"] != alone[2]["after_train"]  # who never merges trains to the end


def test_a_round_without_epochs_leaves_the_model_as_it_is(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    arms = [{"name": "alone", "method": "local_only", "train": {"epochs": 0, "keep_momentum": True}}]
    (run,) = as_json(simulate(make_spec(rounds=2, arms=arms), rows_of, ticks()))["runs"]
    assert run["rounds"][0]["after_train"] == run["rounds"][2]["after_train"]


@pytest.mark.parametrize("hidden", [[1], [1, 8], [8, 1]])
def test_layers_of_one_unit_are_merged_by_every_method(
    hidden: list[int], make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    """Such a unit has no order and belongs to no group; there may be nothing to match, nor any second moments to tell."""
    arms = [{"name": method, "method": method} for method in METHODS if method != "ridge_head"]
    arms += [
        {"name": f"{method}-over-all", "method": method, "merge": {"over": "tree"}}
        for method in ("regmean", "fisher", "slowmo")
    ]
    arms.append({"name": "warm", "method": "dimat_guarded", "merge": {"warm_start": True}})
    arms.append({"name": "head", "method": "regmean", "merge": {"ridge_head": True}})
    spec = make_spec(model={"kind": "mlp", "hidden": hidden}, arms=arms, rounds=3)
    runs = simulate(spec, rows_of, ticks()).runs
    assert [run.reason for run in runs] == [("completed", {"rounds": 3})] * len(arms)


@pytest.mark.parametrize(
    ("side", "fields"),
    [("training", "train"), ("validation", "validation"), ("test", "test"), ("test", "own")],
)
def test_a_site_without_rows_of_a_kind_is_named(
    side: str, fields: str, make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    def empty_at_one(seed: int, site: int) -> SiteRows:
        rows = rows_of(seed, site)
        nothing = {f"{fields}_x": rows.test_x[:0], f"{fields}_y": rows.test_y[:0]}
        return replace(rows, **nothing) if site == 1 else rows

    spec = make_spec(arms=[{"name": "alone", "method": "local_only"}])
    (run,) = simulate(spec, empty_at_one, ticks()).runs
    assert run.state == "failed"
    assert run.reason == ("too_few_rows", {"site": "site-1", "rows": 0, "side": side, "needed": 1})
    with pytest.raises(TooFewRows, match=f"Site 'site-1' has 0 {side} rows"):
        centralised(spec, [empty_at_one(1, site) for site in range(4)], 1)


def test_rows_that_are_no_numbers_end_the_run_with_their_place(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    def broken(seed: int, site: int) -> SiteRows:
        rows = rows_of(seed, site)
        if site != 1:
            return rows
        x = rows.train_x.clone()
        x[2, 3] = float("nan")
        return replace(rows, train_x=x)

    for run in simulate(make_spec(rounds=1), broken, ticks()).runs:
        assert (run.state, run.reason[0]) == ("failed", "non_finite_data")
        assert (run.reason[1]["row"], run.reason[1]["column"], run.reason[1]["count"]) == (3, 4, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda rows: replace(rows, validation_y=rows.validation_y + 10),
            ("unknown_label", {"site": "site-1", "last": 9}),
        ),
        (
            lambda rows: replace(rows, test_x=rows.test_x[:, :5]),
            ("rows_differ", {"site": "site-1", "what": "a row", "actual": "(5,)", "expected": "(16,)"}),
        ),
        (
            lambda rows: replace(
                rows,
                train_x=rows.train_x[:, :5],
                validation_x=rows.validation_x[:, :5],
                test_x=rows.test_x[:, :5],
            ),
            ("rows_differ", {"site": "site-1", "what": "a row", "actual": "(5,)", "expected": "(16,)"}),
        ),
        (
            lambda rows: replace(rows, class_mix=np.full(11, 1 / 11)),
            ("rows_differ", {"site": "site-1", "what": "outputs", "actual": "(11,)", "expected": "(10,)"}),
        ),
        (
            lambda rows: replace(rows, train_y=rows.train_y[:-1]),
            ("rows_differ", {"site": "site-1", "what": "targets"}),
        ),
        (
            lambda rows: replace(rows, train_x=rows.train_x.double()),
            ("features_malformed", {"name": "train_x", "dtype": "torch.float64"}),
        ),
        (
            lambda rows: replace(rows, own_x=rows.test_x.half(), own_y=rows.test_y),
            ("features_malformed", {"name": "own_x", "dtype": "torch.float16"}),
        ),
        (lambda rows: replace(rows, class_mix=10), ("class_mix_malformed", {"shape": "()", "total": 10.0})),
        (
            lambda rows: replace(rows, class_mix=torch.bincount(torch.arange(10))),
            ("class_mix_malformed", {"shape": "(10,)", "total": 10.0}),
        ),
        (
            lambda rows: replace(rows, class_mix=np.array([1.5, -0.5])),
            ("class_mix_malformed", {"shape": "(2,)"}),
        ),
    ],
)
def test_rows_that_do_not_go_together_end_the_run_with_their_site(
    change: Callable[[SiteRows], SiteRows],
    reason: tuple[str, dict[str, Any]],
    make_spec: MakeSpec,
    rows_of: RowsOf,
) -> None:
    def odd(seed: int, site: int) -> SiteRows:
        rows = rows_of(seed, site)
        return change(rows) if site == 1 else rows

    (run,) = simulate(make_spec(arms=[{"name": "alone", "method": "local_only"}]), odd, ticks()).runs
    assert (run.state, run.reason[0]) == ("failed", reason[0])
    assert reason[1].items() <= run.reason[1].items()


def test_what_is_no_spec_and_what_are_no_rows_is_said(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    with pytest.raises(TypeError, match="'spec' is of type dict; it must be a PilotSpec"):
        simulate(make_spec().model_dump(), rows_of, ticks())  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match="'rows_of' gives for site 0 is of type NoneType; it must be SiteRows"
    ):
        simulate(make_spec(), lambda seed, site: None, ticks())  # type: ignore[arg-type, return-value]
    rows = rows_of(1, 0)
    with pytest.raises(TypeError, match="'test_x' is of type ndarray; it must be a tensor"):
        replace(rows, test_x=rows.test_x.numpy())
    with pytest.raises(TypeError, match="'train_y' is of type list"):
        replace(rows, train_y=[0, 1])
