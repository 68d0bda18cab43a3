"""Differences from what a site sent last: the same model, of fewer bytes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dimat import told
from dimat.absence import Absence
from dimat.model_spec import CnnSpec
from dimat.models.registry import empty_model, initial_params
from dimat.params import Params, layout_of
from dimat.parts import MergePatch, Numbers, WireSpec
from dimat.plan import Amendment, Patch
from dimat.results import RunResult
from dimat.schedule import Schedule, StepKey
from dimat.simulate import RowsOf, simulate
from dimat.spec import PilotSpec
from dimat.steps import StepResult
from dimat.training.seeding import torch_rng
from dimat.wire import compression
from dimat.wire.codec import decode, encode, most_bytes, sha256
from dimat.wire.deltas import MAGIC, against, applied, difference, is_of_use
from dimat.wire.sending import artifacts_of

MakeSpec = Callable[..., PilotSpec]
NUMBERS: tuple[Numbers, ...] = ("float32", "float16", "bfloat16", "int8")
DELTAS = {"compress": True, "deltas": True}
MOST = 10**6


@pytest.fixture(scope="module")
def params() -> Params:
    return initial_params(empty_model(CnnSpec(width=6), (1, 8, 8), 4), torch_rng(1, "init"))


def moved(params: Params, by: float) -> Params:
    rng = torch_rng(2, "moved")
    return {
        name: value * (1 + by * torch.randn(value.shape, generator=rng))
        if value.is_floating_point()
        else value + 1
        for name, value in params.items()
    }


def sent(params: Params, numbers: Numbers = "float32") -> bytes:
    return encode(params, WireSpec(numbers=numbers, compress=True))


@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_difference_gives_the_very_bytes_that_were_sent(numbers: Numbers, params: Params) -> None:
    before, now = sent(params, numbers), sent(moved(params, 1e-4), numbers)
    delta = difference(now, before, most_bytes(layout_of(params)))
    assert delta is not None
    assert len(delta) < len(now)
    assert against(delta) == sha256(before)
    assert applied(before, delta, most_bytes(layout_of(params))) == now


@settings(max_examples=150, deadline=None)
@given(
    before=st.binary(max_size=400),
    changes=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=5),
    width=st.sampled_from([1, 2, 4]),
)
def test_whatever_is_sent_comes_out_of_its_difference(
    before: bytes, changes: list[tuple[int, int]], width: int
) -> None:
    now = bytearray(before)
    for place, value in changes:
        if place < len(now):
            now[place] = value
    one, other = compression.compress(before, width), compression.compress(bytes(now), width)
    delta = difference(other, one, MOST)
    if delta is None:  # no shorter: short strings are mostly head
        return
    assert applied(one, delta, MOST) == other


def test_a_difference_that_is_no_shorter_is_none(params: Params) -> None:
    strangers = [{"w": torch.randn(20_000, generator=torch_rng(seed, "init"))} for seed in (1, 2)]
    one, other = (sent(model) for model in strangers)
    assert difference(one, other, most_bytes(layout_of(strangers[0]))) is None
    most = most_bytes(layout_of(params))
    # of another size, and not compressed
    assert difference(sent(params), sent({"w": torch.ones(3)}), most) is None
    assert difference(sent({"w": torch.ones(3)}), sent(params), most) is None
    assert difference(sent(params), encode(params), most) is None


def test_nonsense_is_refused_before_anything_is_unpacked(params: Params) -> None:
    before, now = sent(params), sent(moved(params, 1e-4))
    most = most_bytes(layout_of(params))
    delta = difference(now, before, most)
    assert delta is not None
    head, bits = delta[:35], delta[35:]
    bomb = head + compression.MAGIC + b"\x04" + zstandard.ZstdCompressor().compress(b"\0" * 500_000_000)
    assert len(bomb) < 100_000
    wrong = {
        "more than": bomb,
        "no difference": b"",
        "is no difference": MAGIC,
        "another model": MAGIC + bytes(32) + bits,
        "not compressed": head + b"nothing of the kind",
        "has 5 bytes": head + compression.compress(b"12345", 1),
        "width": head + compression.MAGIC + b"\x09" + bits[4:],
    }
    for problem, bytes_ in wrong.items():
        with pytest.raises(ValueError, match=problem):
            applied(before, bytes_, most)
    with pytest.raises(ValueError, match="more than 9 bytes"):
        applied(before, delta, 9)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_difference_ends_in_nothing_worse_than_other_bytes(
    data: st.DataObject, params: Params
) -> None:
    before, now = sent(params), sent(moved(params, 1e-4))
    most = most_bytes(layout_of(params))
    whole = bytearray(cast(bytes, difference(now, before, most)))
    place, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    is_damaged = whole[place] != value
    whole[place] = value
    try:
        found = applied(before, bytes(whole), most)
    except ValueError:
        assert is_damaged
        return
    assert found == now or is_damaged
    assert len(found) < 2 * most


def test_only_who_holds_what_it_is_against_has_use_of_it() -> None:
    assert is_of_use("a", "a")
    assert not is_of_use("a", "b")
    assert not is_of_use("a", None)
    assert not is_of_use(None, None)


def test_a_step_leaves_a_difference_beside_the_whole(params: Params) -> None:
    wire, before = WireSpec(numbers="bfloat16", compress=True, deltas=True), sent(params, "bfloat16")
    now = moved(params, 1e-3)
    made = artifacts_of(StepResult(params=now), wire, sent_before=before)
    whole = artifacts_of(StepResult(params=now), wire)
    assert whole.delta is None
    assert (made.model, made.shared) == (whole.model, whole.shared)
    assert made.delta is not None
    got = applied(before, made.delta, most_bytes(layout_of(params)))
    assert got == made.shared
    assert decode(got, layout_of(params))


def test_differences_are_compressed_and_said_nothing_of_where_there_are_none() -> None:
    with pytest.raises(ValidationError) as refused:
        WireSpec(deltas=True)
    (error,) = refused.value.errors()
    assert (error["type"], error["loc"]) == ("deltas_need_compression", ())
    assert "deltas" not in WireSpec(compress=True).model_dump()
    assert WireSpec.model_validate(WireSpec(compress=True, deltas=True).model_dump()).deltas


@pytest.mark.parametrize(
    ("changes", "arms"),
    [
        ({"merge": {"wire": DELTAS, "over": "tree"}}, [{"method": "regmean"}]),
        ({"merge": {"wire": DELTAS}}, [{"method": "federated_average"}]),
        ({}, [{"method": "dimat"}, {"method": "regmean", "merge": {"wire": DELTAS, "over": "tree"}}]),
        ({}, [{"method": "dimat"}, {"method": "local_only", "merge": {"wire": DELTAS}}]),
    ],
)
def test_differences_are_refused_where_no_model_of_a_neighbour_is_fetched(
    changes: dict[str, Any], arms: list[dict[str, Any]], make_spec: MakeSpec
) -> None:
    named = [{"name": f"arm-{i}", **arm} for i, arm in enumerate(arms)]
    with pytest.raises(ValidationError) as refused:
        make_spec(arms=[{"name": "alone", "method": "local_only"}, *named], **changes)
    assert [error["type"] for error in refused.value.errors()] == ["deltas_need_neighbours"]


def test_a_pilot_may_ask_for_them_where_one_of_its_arms_sends_some(make_spec: MakeSpec) -> None:
    arms = [{"name": name, "method": name} for name in ("local_only", "federated_average", "dimat")]
    spec = make_spec(arms=arms, merge={"wire": DELTAS})
    star = Schedule.of(spec, "federated_average")
    assert not any(
        told.sent_before(star, step) or told.keeps_what_it_fetches(star, step) for step in star.all_steps()
    )


def one_arm(make_spec: MakeSpec, **changes: Any) -> PilotSpec:
    content: dict[str, Any] = {"rounds": 6, "num_sites": 4, "method": "dimat", "merge": {"wire": DELTAS}}
    content |= changes
    arms = [{"name": "arm", "method": content.pop("method")}]
    return make_spec(arms=arms, **content)


def amended(from_round: int, **patch: Any) -> Amendment:
    return Amendment(arm="arm", from_round=from_round, patch=Patch(**patch), by="m", why="w")


def chain(schedule: Schedule, site: int = 0) -> dict[str, str | None]:
    """What each step of a site that is read in a merge sends the difference to."""

    def named(step: StepKey | None) -> str | None:
        return None if step is None else f"{step.kind} {step.round}"

    return {
        f"{step.kind} {step.round}": named(told.sent_before(schedule, step))
        for step in schedule.all_steps()
        if step.site == site
        and told.wire_of(schedule, step).deltas
        and step.kind in ("align", "adopt", "train")
    }


def test_what_is_sent_differs_from_what_was_sent_last(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(one_arm(make_spec), "arm")
    assert chain(schedule) == {
        "align 0": None, "train 1": "align 0", "train 2": "train 1", "train 3": "train 2", "train 4": "train 3",
        "train 5": "train 4",
    }  # fmt: skip
    rarely = Schedule.of(one_arm(make_spec, merge={"wire": DELTAS, "merge_every": 2}), "arm")
    assert chain(rarely) == {"train 1": None, "train 3": "train 1", "train 5": "train 3"}
    keeping = [step for step in rarely.all_steps() if told.keeps_what_it_fetches(rarely, step)]
    assert keeping == [step for step in rarely.all_steps() if step.kind == "merge"]


def test_what_was_sent_in_other_numbers_or_before_anybody_kept_it_is_no_base(make_spec: MakeSpec) -> None:
    def wire(**changes: Any) -> MergePatch:
        return MergePatch(wire=WireSpec(**{"compress": True, "deltas": True, **changes}))

    halves = amended(3, merge=wire(numbers="bfloat16"))
    assert chain(Schedule.of(one_arm(make_spec), "arm", [halves])) == {
        "align 0": None, "train 1": "align 0", "train 2": None, "train 3": "train 2", "train 4": "train 3",
        "train 5": "train 4",
    }  # fmt: skip
    plain = one_arm(make_spec, merge={"wire": {"compress": True}})
    assert chain(Schedule.of(plain, "arm", [amended(4, merge=wire())])) == {
        "train 3": None, "train 4": "train 3", "train 5": "train 4",
    }  # fmt: skip
    # Off for a round, in which nobody kept anything: what they have is what came before.
    pause = [amended(3, merge=wire(deltas=False)), amended(4, merge=wire())]
    assert chain(Schedule.of(one_arm(make_spec), "arm", pause)) == {
        "align 0": None, "train 1": "align 0", "train 3": "train 1", "train 4": "train 3", "train 5": "train 4",
    }  # fmt: skip
    # Over all sites nothing is kept either, and who goes back to its neighbours goes on from there.
    tree = [amended(3, method="regmean", merge=MergePatch(over="tree")), amended(5, method="dimat")]
    found = chain(Schedule.of(one_arm(make_spec), "arm", tree))
    assert (found["train 4"], found["train 5"]) == ("train 1", "train 4")


def test_sites_that_align_join_or_come_back_send_from_what_they_sent_last(make_spec: MakeSpec) -> None:
    aligned = chain(Schedule.of(one_arm(make_spec), "arm", [amended(3, method="common_basis")]))
    assert aligned["align 3"] == "train 1"
    assert aligned["train 3"] == "align 3"
    away = Absence(site="site-0", from_round=3, until_round=5, undone=((2, "train"),))
    back = chain(Schedule.of(one_arm(make_spec), "arm", (), [away]))
    assert back == {"align 0": None, "train 1": "align 0", "adopt 5": "train 1", "train 5": "adopt 5"}
    names = tuple(f"site-{i}" for i in range(4))
    joins = Amendment(from_round=3, patch=Patch(members=names), by="m", why="w")
    joined = Schedule.of(one_arm(make_spec, waiting=["site-0"]), "arm", [joins])
    assert chain(joined) == {
        "adopt 3": None,
        "train 3": "adopt 3",
        "train 4": "train 3",
        "train 5": "train 4",
    }


def test_what_a_difference_is_against_is_read_by_the_step_that_makes_it(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(one_arm(make_spec, merge={"wire": DELTAS, "merge_every": 3}), "arm")
    assert StepKey(2, "train", 1) in told.read_by(schedule, StepKey(5, "train", 1))


def simulated(spec: PilotSpec, rows_of: RowsOf, **known: Any) -> RunResult:
    ticks = iter(range(10**9))
    (run,) = simulate(spec, rows_of, lambda: float(next(ticks)), **known).runs
    assert run.state == "completed", run.reason
    return run


@pytest.mark.parametrize("numbers", NUMBERS)
def test_differences_change_how_many_bytes_move_and_nothing_else(
    numbers: Numbers, make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    """Sites whose training moves little."""

    def run(deltas: bool) -> RunResult:
        wire = {"numbers": numbers, "compress": True, "deltas": deltas}
        train = {"warmup_epochs": 2, "init": "common", "lr": 0.001}
        model = {"kind": "mlp", "hidden": [64, 64]}
        about = {"method": "plain_average", "merge": {"wire": wire}, "train": train, "model": model}
        return simulated(one_arm(make_spec, rounds=4, **about), rows_of)

    whole, less = run(False), run(True)
    assert whole.final_artifacts == less.final_artifacts
    assert less.bytes_exchanged < 0.95 * whole.bytes_exchanged
    # Around a ring each model is fetched twice: the first of four whole, the others as differences, which are stored once.
    stored = less.bytes_uploaded - whole.bytes_uploaded
    assert less.bytes_exchanged == pytest.approx(whole.bytes_exchanged / 4 + 2 * stored, rel=0.03)


def test_whoever_never_had_what_was_sent_before_fetches_the_whole(
    make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    """Around a graph whose links change with every merge nobody has what its neighbour of this round sent in the last one."""
    about: dict[str, Any] = {
        "method": "plain_average",
        "train": {"warmup_epochs": 2, "init": "common", "lr": 0.001},
    }
    about |= {"model": {"kind": "mlp", "hidden": [64, 64]}, "rounds": 5}
    bytes_ = {}
    for kind in ("ring", "one_peer"):
        both = []
        for deltas in (False, True):
            wire = {"numbers": "bfloat16", "compress": True, "deltas": deltas}
            spec = one_arm(make_spec, topology={"kind": kind}, merge={"wire": wire}, **about)
            both.append(simulated(spec, rows_of))
        assert both[0].final_artifacts == both[1].final_artifacts
        bytes_[kind] = [run.bytes_exchanged for run in both]
    assert bytes_["ring"][1] < bytes_["ring"][0]
    assert bytes_["one_peer"][1] == bytes_["one_peer"][0]


@pytest.mark.parametrize("wire", [WireSpec(numbers="int8"), WireSpec(compress=True, deltas=True)])
def test_what_a_site_sent_last_is_not_sought_before_anything_was_sent_so(
    make_spec: MakeSpec, wire: WireSpec
) -> None:
    """Or the first messages after a change late in a long run of many sites would take a minute."""
    late = Amendment(from_round=290, patch=Patch(merge=MergePatch(wire=wire)), by="m", why="w")
    schedule = Schedule.of(make_spec(rounds=300), "dimat", [late])
    asked: list[int] = []

    def members_of(round: int) -> frozenset[int]:
        asked.append(round)
        return schedule.members_of(round)

    counted = replace(schedule, members_of=members_of)
    for round, site in ((289, 0), (290, 1)):
        told.read_by(counted, StepKey(round, "train", site))
    assert min(asked) >= 288
