"""The arithmetic of ROI holds for any accuracies and any assumptions."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_pilots import assumptions, flat, run
from pydantic import ValidationError

from backend.pilots.assumptions import Assumptions, Blend, MoneyRange
from backend.roi import calculator
from backend.roi.calculator import Net, Step
from backend.roi.facts import Point, RunFacts, Usage

fractions = st.floats(0, 1).map(lambda value: round(value, 6))
money = st.decimals(0, 10**6, places=2)
ranges = (
    st.tuples(money, money, money).map(sorted).map(lambda m: MoneyRange(low=m[0], likely=m[1], high=m[2]))
)
usages = st.builds(Usage, st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 10**12))


@st.composite
def runs(draw: st.DrawFn, arm: str, sites: int = 3, rounds: int = 3) -> RunFacts:
    table = {(r, s): (draw(fractions), draw(fractions)) for r in range(rounds + 1) for s in range(sites)}
    usage = {at: draw(usages) for at in table}
    return run(arm, lambda r, s: table[r, s], sites, rounds, usage=usage)


any_assumptions = st.builds(
    assumptions,
    value_per_correct_decision=ranges,
    decisions_per_site_per_round=st.integers(0, 10**6),
    one_off_cost=money,
    running_cost_per_site_per_round=money,
    cost_per_cpu_hour=money,
    cost_per_gpu_hour=money,
    cost_per_gb=money,
)


@given(runs("dimat"), runs("local_only"), any_assumptions)
def test_low_is_never_above_likely_nor_likely_above_high(
    arm: RunFacts, control: RunFacts, a: Assumptions
) -> None:
    result = calculator.compare(arm, control, "own_site", a)
    assert result is not None
    for net in [step.net for step in result.steps] + [site.net for site in result.sites]:
        assert net.low <= net.likely <= net.high


@given(runs("dimat"), runs("local_only"), any_assumptions, st.integers(2, 50))
def test_value_before_costs_is_linear_in_what_a_decision_is_worth(
    arm: RunFacts, control: RunFacts, a: Assumptions, factor: int
) -> None:
    worth = a.value_per_correct_decision
    more = MoneyRange(low=worth.low * factor, likely=worth.likely * factor, high=worth.high * factor)
    once = calculator.compare(arm, control, "all_site", a)
    often = calculator.compare(
        arm, control, "all_site", a.model_copy(update={"value_per_correct_decision": more})
    )
    assert once is not None
    assert often is not None
    for one, many in zip(once.steps, often.steps, strict=True):
        assert abs((many.net.likely + many.cost) - factor * (one.net.likely + one.cost)) < Decimal("1e-9")


@given(runs("dimat"), any_assumptions)
def test_without_a_gain_the_net_is_what_it_cost(arm: RunFacts, a: Assumptions) -> None:
    idle = run("local_only", lambda r, s: _after_train(arm, r)[s], 3, 3)
    result = calculator.compare(arm, idle, "own_site", a)
    assert result is not None
    assert all(step.net == Net(-step.cost, -step.cost, -step.cost) for step in result.steps)


@given(runs("local_only"), any_assumptions)
def test_the_control_arm_gains_nothing_over_itself(control: RunFacts, a: Assumptions) -> None:
    result = calculator.compare(control, control, "own_site", a)
    assert result is not None
    assert all(step.gain == 0 for step in result.steps)
    assert result.last.cost == a.one_off_cost + a.running_cost_per_site_per_round * 3 * 3


@given(runs("dimat"), runs("local_only"), any_assumptions)
def test_the_sites_together_are_the_arm(arm: RunFacts, control: RunFacts, a: Assumptions) -> None:
    result = calculator.compare(arm, control, "own_site", a)
    assert result is not None
    assert abs(sum(site.net.likely for site in result.sites) - result.last.net.likely) < Decimal("1e-6")


def test_ten_points_more_at_two_sites_for_four_rounds_are_worth_what_paper_says() -> None:
    # 0.1 x 1,000 decisions x 20 yen x 2 sites = 4,000 a round; 5,000 once, 100 per site and round.
    result = calculator.compare(
        run("dimat", flat(0.9, 0.8)),
        run("local_only", flat(0.8, 0.8)),
        "own_site",
        assumptions(one_off_cost=Decimal(5000), running_cost_per_site_per_round=Decimal(100)),
    )
    assert result is not None
    assert [step.net.likely for step in result.steps] == [-5000, -1200, 2600, 6400, 10200]
    assert result.last.net == Net(Decimal(2200), Decimal(10200), Decimal(26200))
    assert calculator.break_even_round(result.steps) == 2
    assert calculator.roi_fraction(result.last) == Decimal(10200) / 5800


def test_only_what_an_arm_uses_beyond_the_control_arm_costs() -> None:
    rates = assumptions(
        cost_per_cpu_hour=Decimal(36), cost_per_gpu_hour=Decimal(360), cost_per_gb=Decimal(10)
    )
    result = calculator.compare(
        run("dimat", flat(0.8, 0.8), usage={(1, 0): Usage(200.0, 20.0, 2 * 10**9)}),
        run("local_only", flat(0.8, 0.8), usage={(1, 0): Usage(100.0, 10.0, 0)}),
        "own_site",
        rates,
    )
    assert result is not None
    assert result.last.cost == 1 + 1 + 20


def test_a_blend_weighs_own_site_and_all_site_gain() -> None:
    arm, control = run("dimat", flat(0.7, 0.9)), run("local_only", flat(0.8, 0.5))
    blended = calculator.gains(arm, control, Blend(blend=Decimal("0.25")))
    assert blended[1] == (Decimal("0.275"), Decimal("0.275"))


def test_rounds_that_only_one_run_has_finished_do_not_count() -> None:
    gains = calculator.gains(
        run("dimat", flat(0.9, 0.9), done=3), run("local_only", flat(0.8, 0.8)), "own_site"
    )
    assert list(gains) == [0, 1, 2, 3]


def test_nothing_is_compared_where_all_site_accuracy_is_not_measured() -> None:
    arm, control = run("dimat", flat(0.9, None)), run("local_only", flat(0.8, None))
    assert calculator.compare(arm, control, "all_site", assumptions()) is None


@pytest.mark.parametrize(
    ("likely", "expected"),
    [([-5, 1, -1, 2, 3], 3), ([-5, -4, -3], None), ([0, 1, 2], 1), ([-5, 5, -5], None), ([-1, 0, 0], 1)],
)
def test_break_even_is_where_the_net_stays_above_zero(likely: list[int], expected: int | None) -> None:
    steps = [
        Step(at, Decimal(0), Decimal(1), Net(Decimal(net), Decimal(net), Decimal(net)))
        for at, net in enumerate(likely)
    ]
    assert calculator.break_even_round(steps) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"value_per_correct_decision": {"low": "3", "likely": "2", "high": "4"}},
        {"cost_per_gb": "-1"},
        {"currency": "yen"},
        {"round_days": "0"},
        {"value_basis": {"blend": "1.5"}},
        {"value_basis": None},
        {"discount": "1"},
    ],
)
def test_assumptions_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Assumptions.model_validate({**assumptions().model_dump(mode="json"), **change})


def test_which_accuracy_counts_has_no_default() -> None:
    content = assumptions().model_dump(mode="json")
    del content["value_basis"]
    with pytest.raises(ValidationError, match="value_basis"):
        Assumptions.model_validate(content)


def _after_train(arm: RunFacts, round: int) -> list[tuple[float, float | None]]:
    point = next(one for one in arm.points if one.round == round and one.phase == "after_train")
    return [(own or 0.0, rest) for own, rest in zip(point.own_site, point.all_site, strict=True)]


def test_a_site_that_takes_no_part_neither_gains_nor_costs_and_is_not_waited_for() -> None:
    """It joined in round 2 of 4: the mean is over those that are there, and its last gain and its running costs are its own."""
    whole, control = run("dimat", flat(0.9, 0.9)), run("local_only", flat(0.8, 0.6))
    joined = [replace(one, points=tuple(_without(point, 1) if point.round < 2 else point for point in one.points))
              for one in (whole, control)]  # fmt: skip
    found = calculator.compare(*joined, "own_site", assumptions(running_cost_per_site_per_round=Decimal(100)))
    assert found is not None
    assert [step.gain for step in found.steps] == [Decimal("0.1")] * 5
    value = Decimal("0.1") * 1000 * 20
    assert [site.net.likely for site in found.sites] == [4 * (value - 100), 3 * (value - 100)]
    assert found.last.cost == 7 * 100


def _without(point: Point, site: int) -> Point:
    own, rest = (
        tuple(None if at == site else value for at, value in enumerate(values))
        for values in (point.own_site, point.all_site)
    )
    return Point(point.round, point.phase, own, rest, frozenset({site}))
