"""Pilots whose targets are numbers, from rows that the caller gives."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dimat import baselines, steps
from dimat.errors import NumbersHaveNoClasses, TargetsAreClasses, TargetsAreNumbers, TargetsMalformed
from dimat.merging import ridge_head
from dimat.merging.fisher import fisher
from dimat.merging.registry import METHODS
from dimat.merging.sums import add
from dimat.model_spec import MlpSpec
from dimat.models.registry import empty_model, initial_params
from dimat.parts import MergeSpec, TrainSpec
from dimat.results import RunResult
from dimat.rows import SiteRows
from dimat.second_moments import layout, made
from dimat.simulate import simulate
from dimat.spec import PilotSpec
from dimat.steps import StepContext
from dimat.training.evaluate import Metrics
from dimat.training.seeding import torch_rng

NUM_SITES = 4
MODEL = MlpSpec(hidden=(16, 12))
TRAIN = {"loss": "mse", "warmup_epochs": 12, "batch_size": 16, "epochs": 2, "keep_momentum": True}
HEAD = {"name": "head", "method": "regmean", "merge": {"ridge_head": True, "over": "tree"}}
OWN = {"name": "own", "method": "common_basis", "train": {"own_model": True, "patience": 2, "epochs": 3}}
Sites = tuple[SiteRows, ...]


def problem(answer: Callable[[np.ndarray], np.ndarray], noise: float) -> Sites:
    """Rows of 6 features; each site sees another part of them, and its sensor is off by another bit."""
    rng = np.random.default_rng(5)

    def rows(num: int, site: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = rng.normal(size=(num, 6)) + 0.6 * np.eye(6)[site]
        y = answer(x) + noise * rng.normal(size=(num, 2))
        seen = x * (1 + 0.05 * site) + 0.05 * site
        return torch.from_numpy(seen.astype(np.float32)), torch.from_numpy(y.astype(np.float32))

    tests = [rows(50, site) for site in range(NUM_SITES)]
    test_x, test_y = (torch.cat(parts) for parts in zip(*tests, strict=True))
    sites = np.repeat(np.arange(NUM_SITES), 50)
    return tuple(
        SiteRows(*rows(200, i), *rows(40, i), test_x, test_y, None, sites, *tests[i])
        for i in range(NUM_SITES)
    )


@pytest.fixture(scope="module")
def linear() -> Sites:
    weights = np.random.default_rng(1).normal(size=(6, 2)) / np.sqrt(6)
    return problem(lambda x: x @ weights, noise=0.1)


@pytest.fixture(scope="module")
def curved() -> Sites:
    return problem(lambda x: np.stack([np.sin(x[:, 0] + x[:, 1]), np.abs(x[:, 2]) - 0.8], axis=1), noise=0.1)


def pilot(**changes: Any) -> PilotSpec:
    content: dict[str, Any] = {
        "name": "numbers",
        "rounds": 3,
        "sites": [{"name": f"site-{i}", "data": {"kind": "given"}} for i in range(NUM_SITES)],
        "topology": {"kind": "ring"},
        "model": MODEL.model_dump(),
        "train": TRAIN,
        "merge": {"probe": {"rows": 80}},
        "arms": [*({"name": method, "method": method} for method in METHODS), HEAD, OWN],
    }
    return PilotSpec.model_validate({**content, **changes})


def run(sites: Sites, **changes: Any) -> dict[str, RunResult]:
    found = simulate(pilot(**changes), lambda _, site: sites[site], lambda: 0.0)
    return {one.arm.name: one for one in found.runs}


def all_site(metrics: Sequence[Metrics]) -> float:
    return float(np.mean([one.all_site for one in metrics if one.all_site is not None]))


@pytest.fixture(scope="module")
def runs(linear: Sites) -> dict[str, RunResult]:
    return run(linear)


def test_every_method_runs_a_whole_pilot(runs: dict[str, RunResult]) -> None:
    assert {one.reason for one in runs.values() if one.state != "completed"} == set()
    ends = {name: all_site(one.rounds[-1].after_train) for name, one in runs.items()}
    assert {name: end for name, end in ends.items() if not 0.8 < end < 1.0} == {}


def test_the_first_merge_keeps_what_a_plain_average_loses(runs: dict[str, RunResult]) -> None:
    merged = {name: one.rounds[1].after_merge for name, one in runs.items()}
    kept = {name: all_site(metrics) for name, metrics in merged.items() if metrics is not None}
    assert min(kept["dimat"], kept["common_basis"], kept["regmean"]) > kept["plain_average"] + 0.1


def test_a_model_trained_alone_is_asked_beside_the_shared_one(runs: dict[str, RunResult]) -> None:
    own, metrics = runs["own"].rounds[-1].after_train, runs["common_basis"].rounds[-1].after_train
    assert all(one.alone_share is not None for one in own)
    assert all(one.alone_share is None for one in metrics)


def test_what_is_not_linear_is_learned_too(curved: Sites) -> None:
    train = TRAIN | {"warmup_epochs": 40}
    alone = run(curved, train=train, arms=[{"name": "alone", "method": "local_only"}])["alone"]
    assert np.mean([one.own_site for one in alone.rounds[-1].after_train]) > 0.8


def test_simulating_twice_gives_the_same_bits(curved: Sites) -> None:
    arms = [{"name": "fisher", "method": "fisher"}, HEAD, OWN]
    first, again = (run(curved, rounds=2, train=TRAIN | {"warmup_epochs": 2}, arms=arms) for _ in range(2))
    for name in ("fisher", "head", "own"):
        assert first[name].final_artifacts == again[name].final_artifacts != ()
        assert first[name].rounds == again[name].rounds


@pytest.mark.parametrize("baseline", [baselines.centralised, baselines.cdsgd, baselines.sgp])
def test_baselines_of_studies_predict_numbers_too(baseline: Callable[..., Any], linear: Sites) -> None:
    train = TRAIN | {"init": "common", "epochs": 4, "lr": 0.1, "batch_size": 32}
    rounds = baseline(pilot(train=train), linear, 1)
    assert all_site(rounds[-1].after_train) > 0.8


def test_training_ends_early_by_the_squared_error_on_validation_rows(
    make_context: Callable[..., StepContext], curved: Sites
) -> None:
    noise = torch.randn(40, 2, generator=torch_rng(1, "noise"))
    unrelated = replace(curved[0], validation_y=noise)
    train = TrainSpec(loss="mse", warmup_epochs=60, patience=2)
    result = steps.prepare(make_context(model=MODEL), unrelated, train)
    assert result.num_epochs is not None
    assert result.num_epochs < 60


def test_sites_that_share_features_get_the_ridge_regression_of_the_pooled_rows(linear: Sites) -> None:
    net = empty_model(MODEL, (6,), 2)
    shared = initial_params(net, torch_rng(1, "init"))
    sums = []
    for rows in linear:
        moments = made("head", MODEL, rows, shared)
        expected = dict(layout("head", MODEL, rows))
        assert {name: (tuple(value.shape), value.dtype) for name, value in moments.items()} == expected
        sums.append((1 / NUM_SITES, ridge_head.METHOD.of_site(shared, moments, MergeSpec())))
    merged = ridge_head.METHOD.params_of(add(sums), shared)

    x, y = (torch.cat(parts) for parts in zip(*((one.train_x, one.train_y) for one in linear), strict=True))
    net.load_state_dict(dict(shared))
    with torch.no_grad():
        hidden = torch.nn.functional.pad(net[:-1](x).double(), (0, 1), value=1.0)  # type: ignore[index]
    # Least squares with the ridge as rows of their own, by QR: no normal equations.
    ridge = ridge_head.RIDGE * hidden.square().sum(dim=0).mean()
    rows_of_ridge = ridge.sqrt() * torch.eye(hidden.shape[1], dtype=torch.float64)
    pooled = torch.linalg.lstsq(
        torch.cat([hidden, rows_of_ridge]), torch.cat([y.double(), torch.zeros(hidden.shape[1], 2)])
    ).solution
    found = torch.cat([merged["head.weight"].double().T, merged["head.bias"].double()[None]])
    torch.testing.assert_close(found, pooled, rtol=1e-3, atol=1e-4)


def test_fisher_information_is_the_squared_jacobian_of_all_outputs(linear: Sites) -> None:
    net, rows = empty_model(MODEL, (6,), 2), linear[0]
    initial_params(net, torch_rng(1, "init"))
    expected = {name: torch.zeros_like(value) for name, value in net.named_parameters()}
    for row in rows.train_x[:40]:
        for output in net(row[None])[0]:
            net.zero_grad()
            output.backward(retain_graph=True)
            for name, value in net.named_parameters():
                assert value.grad is not None
                expected[name] += value.grad.square() / 40
    found = fisher(net, rows.train_x[:40], rows.train_y[:40], rows.targets.log_likelihoods())
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value.detach(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "place", "code"),
    [
        ({"sites": [{"name": n, "data": {"kind": "sample", "dataset": "letter"}} for n in "ab"]}, "train.loss", "targets_are_classes"),
        ({"train": {"loss": "mse", "class_weights": "balanced"}}, "class_weights", "numbers_have_no_classes"),
        ({"arms": [{"name": "x", "method": "dimat", "train": {"class_weights": "balanced"}}]}, "arms.0.train", "numbers_have_no_classes"),
        ({"arms": [{"name": "x", "method": "dimat", "train": {"loss": "cross_entropy"}}]}, "arms.0.train", "targets_are_numbers"),
    ],
)  # fmt: skip
def test_a_spec_keeps_classes_and_numbers_apart(changes: dict[str, Any], place: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        pilot(**changes)
    found = [(error["type"], error.get("ctx", {}).get("place")) for error in caught.value.errors()]
    assert found == [(code, place)]


@pytest.mark.parametrize(
    ("train", "code"),
    [
        ({"loss": "cross_entropy"}, TargetsAreNumbers),
        ({"loss": "balanced_softmax"}, TargetsAreNumbers),
        ({"loss": "mse", "class_weights": "balanced"}, NumbersHaveNoClasses),
    ],
)
def test_a_step_refuses_a_loss_for_classes(
    train: dict[str, Any], code: type[Exception], make_context: Callable[..., StepContext], linear: Sites
) -> None:
    with pytest.raises(code):
        steps.prepare(make_context(model=MODEL), linear[0], TrainSpec().model_copy(update=train))


def test_a_run_with_squared_error_on_classes_ends_with_the_reason(site_rows: Sites) -> None:
    found = run(site_rows, arms=[{"name": "x", "method": "dimat"}])["x"]
    assert found.state == "failed"
    assert found.reason == (TargetsAreClasses.code, {"data": "site-0"})


@pytest.mark.parametrize("changes", [{"class_mix": np.ones(2) / 2}, {"test_y": torch.zeros(200, 2).long()}])
def test_targets_are_classes_or_numbers_and_not_both(changes: dict[str, Any], linear: Sites) -> None:
    with pytest.raises(TargetsMalformed):
        replace(linear[0], **changes)
