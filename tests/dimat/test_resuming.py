"""Training that is interrupted after an epoch and goes on somewhere else ends in the bits of training that never was."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimat import steps
from dimat.errors import ArtifactInvalid
from dimat.model_spec import CnnSpec, MlpSpec, ModelSpec
from dimat.params import Params
from dimat.parts import TrainSpec
from dimat.rows import SiteRows
from dimat.steps import Alone, StepContext, StepResult
from dimat.training.checkpoint import Underway
from dimat.wire.checkpoints import decode_underway, encode_underway

MakeContext = Callable[..., StepContext]
Rows = tuple[SiteRows, ...]
Step = Callable[[StepContext, Underway | None], StepResult]
EPOCHS = 5


class Interrupted(Exception):
    pass


def through_bytes(
    underway: Underway, model: ModelSpec, rows: SiteRows, train: TrainSpec, alone: bool
) -> Underway:
    momentum = steps.momentum_layout(model, rows) if train.momentum else {}
    data = encode_underway(underway, "somebody")
    return decode_underway(data, steps.layout(model, rows), momentum, train.patience > 0, alone, EPOCHS)


def tensors(result: StepResult) -> dict[str, torch.Tensor]:
    beside = result.alone or Alone({})
    parts: dict[str, Params | None] = {
        "params": result.params, "momentum": result.momentum, "alone": beside.params, "alone momentum": beside.momentum,
    }  # fmt: skip
    return {
        f"{part}: {name}": value for part, named in parts.items() for name, value in (named or {}).items()
    }


def numbers(result: StepResult) -> Any:
    return result.num_epochs, result.train_loss, result.metrics


schedules = st.fixed_dictionaries(
    {
        "loss": st.sampled_from(["cross_entropy", "balanced_softmax"]),
        "class_weights": st.sampled_from(["none", "balanced"]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "keep_momentum": st.booleans(),
        "patience": st.sampled_from([0, 1, 2]),
        "lr": st.sampled_from([0.05, 0.5]),
        "warmup_lr": st.sampled_from([0.05, 0.5]),
        "batch_size": st.sampled_from([16, 59]),
    }
).filter(lambda of: of["loss"] == "cross_entropy" or of["class_weights"] == "none")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    schedules, st.sampled_from(["prepare", "train", "train with one alone"]), st.booleans(),
    st.integers(1, 2 * EPOCHS),
)  # fmt: skip
def test_a_step_that_goes_on_after_any_epoch_ends_in_the_same_bits(
    site_rows: Rows, image_rows: Rows, make_context: MakeContext, schedule: dict[str, Any], kind: str, of_images: bool,
    at: int,
) -> None:  # fmt: skip
    train = TrainSpec.model_validate({**schedule, "epochs": EPOCHS, "warmup_epochs": EPOCHS})
    rows = (image_rows if of_images else site_rows)[0]
    model: ModelSpec = CnnSpec(width=4) if of_images else MlpSpec(hidden=(8,))
    context = make_context(model=model, round=0 if kind == "prepare" else 1, rounds=3)
    alone = kind == "train with one alone"

    def step(context: StepContext, start: Underway | None) -> StepResult:
        if kind == "prepare":
            return steps.prepare(context, rows, train, start)
        # The optimiser of the round before has something to remember, the one that goes on alone as well.
        momentum = before.momentum if train.keep_momentum else None
        beside = Alone(before.params or {}, momentum) if alone else None
        return steps.train(context, rows, train, before.params or {}, momentum, None, beside, start)

    if kind != "prepare":
        own = steps.prepare(replace(context, round=0), rows, TrainSpec(warmup_epochs=1)).params or {}
        before = steps.train(context, rows, train, own)
        context = replace(context, round=2)
    seen: list[Underway] = []

    def stop_there(take: Callable[[], Underway]) -> None:
        seen.append(take())
        if len(seen) == at:
            raise Interrupted

    whole = step(context, None)
    with suppress(Interrupted):
        step(replace(context, on_epoch=stop_there), None)
    later: list[int] = []
    on = replace(context, on_epoch=lambda take: later.append(take().num_epochs))
    resumed = step(on, through_bytes(seen[-1], model, rows, train, alone))
    expected, found = tensors(whole), tensors(resumed)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    assert numbers(resumed) == numbers(whole)
    # Nothing is trained again, and what is told on the way counts on.
    assert all(told > seen[-1].num_epochs for told in later)


def underway_of(rows: SiteRows, context: StepContext, train: TrainSpec) -> Underway:
    seen: list[Underway] = []
    steps.prepare(replace(context, round=0, on_epoch=lambda take: seen.append(take())), rows, train)
    return seen[0]


def test_a_checkpoint_of_other_training_is_refused(site_rows: Rows, make_context: MakeContext) -> None:
    rows, context = site_rows[0], make_context()
    train = TrainSpec(warmup_epochs=3, patience=2)
    data = encode_underway(underway_of(rows, context, train), "somebody")
    layouts = steps.layout(context.model, rows), steps.momentum_layout(context.model, rows)
    decode_underway(data, *layouts, True, False, 3)
    wider = steps.layout(MlpSpec(hidden=(9,)), rows), steps.momentum_layout(MlpSpec(hidden=(9,)), rows)
    with pytest.raises(ArtifactInvalid):
        decode_underway(data, *wider, True, False, 3)
    with pytest.raises(ArtifactInvalid, match="best"):
        decode_underway(data, *layouts, False, False, 3)
    with pytest.raises(ArtifactInvalid, match="momentum"):
        decode_underway(data, layouts[0], {}, True, False, 3)
    with pytest.raises(ArtifactInvalid):
        decode_underway(data[:-1], *layouts, True, False, 3)


@pytest.mark.parametrize("done", [0, -1, 4, 10**15])
def test_a_checkpoint_of_more_epochs_than_the_step_has_is_refused(
    done: int, site_rows: Rows, make_context: MakeContext
) -> None:
    """Whoever went on with it would repeat the draws of all of them."""
    rows, context = site_rows[0], make_context()
    underway = underway_of(rows, context, TrainSpec(warmup_epochs=3))
    layouts = steps.layout(context.model, rows), steps.momentum_layout(context.model, rows)
    other = replace(underway.now, num_epochs=done)
    for now, ended in ((other, None), (underway.now, other)):
        data = encode_underway(Underway(now, ended), "somebody")
        with pytest.raises(ArtifactInvalid, match=f"after {done} epochs, of a step with 3"):
            decode_underway(data, *layouts, False, True, 3)


def test_the_bytes_of_two_owners_are_not_the_same(site_rows: Rows, make_context: MakeContext) -> None:
    """One removes what it no longer needs, and must not take it from the other."""
    underway = underway_of(site_rows[0], make_context(), TrainSpec(warmup_epochs=2))
    assert encode_underway(underway, "a") != encode_underway(underway, "b")
    assert encode_underway(underway, "a") == encode_underway(underway, "a")
