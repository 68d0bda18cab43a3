"""The ROI report says what was measured, and why where it cannot."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from measured_pilots import assumptions, flat, pilot, run

from backend.pilots.assumptions import Blend, MoneyRange
from backend.roi import numbers, report
from backend.roi.facts import RunFacts
from backend.summary.outcome import arm_outcome
from backend.text.catalogue import say


def control(**changes: object) -> RunFacts:
    return run("local_only", flat(0.8, 0.6), **changes)  # type: ignore[arg-type]


def test_own_site_and_all_site_value_disagree_in_words() -> None:
    found = report.build(pilot(control(), run("common_basis", flat(0.7, 0.9))))
    assert found.disagree
    assert found.sentence.code == "disagree_all_pays"
    own, rest = found.bases
    # 0.3 x 1,000 x 20 x 2 sites x 4 rounds, and a third of it lost.
    assert rest.arms[0].net_at_end.likely == 48_000
    assert own.arms[0].net_at_end.likely == -16_000


def test_they_disagree_too_when_costs_are_not_earned_back_yet() -> None:
    costly = assumptions(one_off_cost=Decimal(10**6))
    found = report.build(pilot(control(), run("dimat", flat(0.7, 0.9)), assumptions=costly))
    assert found.disagree
    assert found.sentence.code == "disagree_all_gains"
    assert found.bases[1].arms[0].net_at_end.likely == -952_000


def test_they_disagree_too_when_only_the_last_round_shows_a_gain() -> None:
    late = run("dimat", lambda round, _s: (0.7, 0.65 if round == 4 else 0.5))
    found = report.build(pilot(control(), late))
    assert found.disagree
    assert found.sentence.code == "disagree_all_rises"
    # In round 4: 0.05 up and 0.1 down, x 1,000 x 20 x 2 sites.
    assert (found.sentence.params["all_latest"], found.sentence.params["own_latest"]) == (
        "+\u2060¥2,000",
        "−\u2060¥4,000",
    )


@pytest.mark.parametrize(
    ("own", "rest", "code"),
    [(0.9, 0.9, "both_pay"), (0.7, 0.5, "does_not_pay"), (0.9, 0.5, "disagree_own_pays")],
)
def test_the_sentence_follows_the_signs(own: float, rest: float, code: str) -> None:
    assert report.build(pilot(control(), run("dimat", flat(own, rest)))).sentence.code == code


def test_a_run_of_an_arm_that_does_not_pay_is_not_called_the_closest_of_all() -> None:
    worst = run("plain_average", flat(0.5, 0.4))
    facts = pilot(control(), run("dimat", flat(0.7, 0.5)), worst)
    assert report.build(facts).sentence.params["arm"] == "dimat"
    assert report.build(facts).sentence.code == "neither_pays"
    found = report.build(facts, run=worst).sentence
    assert (found.code, found.params["arm"]) == ("does_not_pay", "plain_average")
    said = {lang: say(lang, "roi.does_not_pay", found.params) for lang in ("en", "ja")}
    assert "plain_average is not expected to pay against training alone in either view: −" in said["en"]
    assert "plain_averageは単独学習と比べて、どちらの評価でも採算が取れない" in said["ja"]


def test_the_largest_assumptions_are_reckoned_to_the_cent() -> None:
    most = Decimal(10**12)
    huge = assumptions(
        decisions_per_site_per_round=10**12, value_per_correct_decision=MoneyRange(low=most, likely=most, high=most),
        one_off_cost=Decimal("0.01"), round_days=Decimal(1),
    )  # fmt: skip
    third = run("dimat", flat(1 / 3, 2 / 3))
    found = report.build(pilot(control(), third, assumptions=huge), "all_site")
    net = next(base for base in found.bases if base.basis == "all_site").arms[0].net_at_end.likely
    assert net == 4 * 2 * (Decimal(repr(2 / 3)) - Decimal("0.6")) * 10**24 - Decimal("0.01")


def test_one_seed_is_never_enough_to_go() -> None:
    found = report.build(pilot(control(), run("dimat", flat(0.99, 0.99))))
    assert found.evidence.code == "not_enough_evidence"
    assert found.verdict == "not_enough_evidence"


@pytest.mark.parametrize(
    ("own", "example", "verdict"),
    [(0.99, False, "go"), (0.5, False, "stop"), (0.99, True, "not_enough_evidence"), (0.8, False, "unclear")],
)
def test_three_seeds_and_own_figures_allow_a_verdict(own: float, example: bool, verdict: str) -> None:
    runs = [
        one for seed in (1, 2, 3) for one in (control(seed=seed), run("dimat", flat(own, 0.9), seed=seed))
    ]
    found = report.build(pilot(*runs, assumptions=assumptions(example=example)))
    assert found.verdict == verdict
    assert found.bases[0].arms[0].num_seeds == 3


@pytest.mark.parametrize("state", ["failed", "cancelled"])
@pytest.mark.parametrize("whose", ["dimat", "local_only"])
def test_there_is_no_go_by_the_seeds_that_came_through(whose: str, state: str) -> None:
    """Three of five would be a clear go; what the other two would have given nobody knows."""
    runs = []
    for seed in (1, 2, 3, 4, 5):
        ended: dict[str, Any] = {"done": 2, "state": state} if seed in (2, 5) else {}
        runs.append(control(seed=seed, **(ended if whose == "local_only" else {})))
        runs.append(run("dimat", flat(0.99, 0.99), seed=seed, **(ended if whose == "dimat" else {})))
    found = report.build(pilot(*runs))
    assert (found.verdict, found.evidence.code) == ("not_enough_evidence", "seeds_lost")
    arm = found.bases[0].arms[0]
    assert (arm.num_seeds, arm.seeds, arm.seeds_lost) == (3, [1, 2, 3, 4, 5], [2, 5])
    said = {lang: say(lang, "roi.seeds_lost", found.evidence.params) for lang in ("en", "ja")}
    assert "of dimat, 3 of 5 seeds count. In seeds 2, 5 its run" in said["en"]
    assert "5個のシードのうち3個だけが有効です。シード2、5では" in said["ja"]


def test_a_single_run_answers_for_its_own_seed_only() -> None:
    runs = [control(seed=1), control(seed=2, state="failed", done=1), run("dimat", flat(0.9, 0.9), seed=1)]
    facts = pilot(*runs, run("dimat", flat(0.9, 0.9), seed=2))
    arm = report.build(facts, run=facts.run("run-dimat-1")).bases[0].arms[0]
    assert (arm.seeds, arm.seeds_lost) == ([1], [])


def test_a_verdict_waits_for_every_seed_that_was_begun() -> None:
    runs = [one for s in (1, 2, 3) for one in (control(seed=s), run("dimat", flat(0.99, 0.99), seed=s))]
    more = [control(seed=4), run("dimat", flat(0.99, 0.99), seed=4, done=2, state="running")]
    found = report.build(pilot(*runs, *more))
    assert (found.verdict, found.evidence.code) == ("not_enough_evidence", "seeds_at_work")
    assert (found.evidence.params["num_seeds"], found.evidence.params["num_begun"]) == (3, 4)


@pytest.mark.parametrize("state", ["failed", "running"])
def test_stop_is_said_of_arms_only_that_were_seen_to_the_end(state: str) -> None:
    """The best arm loses; of another, too little is known to say so."""
    runs = [
        one
        for s in (1, 2, 3)
        for one in (
            control(seed=s), run("dimat", flat(0.5, 0.5), seed=s),
            run("plain_average", flat(0.4, 0.4), seed=s, **({} if s == 1 else {"done": 2, "state": state})),
        )
    ]  # fmt: skip
    assert report.build(pilot(*runs)).verdict == "unclear"
    whole = [one for one in runs if one.arm != "plain_average"]
    assert report.build(pilot(*whole)).verdict == "stop"


def test_seeds_still_running_are_no_evidence() -> None:
    runs = [control(seed=s) for s in (1, 2, 3)]
    runs += [run("dimat", flat(0.99, 0.9), seed=s, done=2, state="running") for s in (1, 2, 3)]
    assert report.build(pilot(*runs)).verdict == "not_enough_evidence"


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ((control(state="failed", done=2), run("dimat", flat(0.9, 0.9))), "control_failed"),
        ((control(state="cancelled", done=0), run("dimat", flat(0.9, 0.9))), "control_cancelled"),
        ((control(state="cancelled", done=-1), run("dimat", flat(0.9, 0.9))), "control_cancelled_at_start"),
        ((control(state="queued", done=-1), run("dimat", flat(0.9, 0.9))), "control_not_run"),
        ((run("dimat", flat(0.9, 0.9)),), "no_control_arm"),
        ((control(), run("dimat", flat(0.9, 0.9), state="running", done=0)), "no_result_yet"),
    ],
)
def test_without_a_control_result_there_is_a_reason_and_no_number(
    runs: tuple[RunFacts, ...], code: str
) -> None:
    found = report.build(pilot(*runs))
    assert found.sentence.code == code
    assert found.verdict == "none"
    assert all(
        base.arms == [] and base.reason is not None and base.reason.code == code for base in found.bases
    )


def test_where_every_run_has_ended_nothing_is_announced_that_will_not_come() -> None:
    begun = run("dimat", flat(0.9, 0.9), done=-1, state="cancelled")
    over = report.build(pilot(control(done=-1, state="cancelled"), begun))
    assert (over.evidence.code, over.verdict) == ("nothing_was_judged", "none")
    alone = report.build(pilot(control(), begun))
    assert (alone.sentence.code, alone.evidence.code) == ("no_result", "nothing_was_judged")
    assert [base.reason and base.reason.code for base in alone.bases] == ["no_result", "no_result"]
    assert report.build(pilot(control(), begun), run=begun).evidence.code == "nothing_was_judged"
    for lang, yet in (("en", "yet"), ("ja", "まだ")):
        said = [
            say(lang, f"roi.{code}", {}) for code in ("nothing_was_judged", "no_result", "verdicts.never")
        ]
        assert not [one for one in said if yet in one]
    living = pilot(control(done=-1, state="cancelled"), run("dimat", flat(0.9, 0.9), done=0, state="running"))
    assert report.build(living).evidence.code == "nothing_to_judge"
    unpriced = pilot(control(), run("dimat", flat(0.9, 0.9)), assumptions=None, assumptions_version=None)
    assert report.build(unpriced).evidence.code == "nothing_to_judge"


def test_a_draft_without_a_control_arm_can_still_get_one() -> None:
    assert report.build(pilot(control_arm=None)).sentence.code == "no_control_arm_yet"


def test_without_assumptions_there_is_a_reason_and_no_number() -> None:
    found = report.build(
        pilot(control(), run("dimat", flat(0.9, 0.9)), assumptions=None, assumptions_version=None)
    )
    assert found.sentence.code == "no_assumptions"
    assert found.currency is None


def test_all_site_not_measured_leaves_own_site_standing() -> None:
    facts = pilot(run("local_only", flat(0.8, None)), run("dimat", flat(0.9, None)), all_site_measured=False)
    found = report.build(facts)
    assert found.sentence.code == "own_pays"
    assert [base.basis for base in found.bases] == ["own_site", "all_site"]
    assert found.bases[0].arms
    assert found.bases[1].arms == []
    assert found.bases[1].reason is not None
    assert found.bases[1].reason.code == "all_site_not_measured"


def test_while_runs_go_on_arms_are_ranked_after_the_same_round() -> None:
    # What plain_average gains in its last two rounds, dimat has not had the time for.
    ahead = run("plain_average", lambda round, _s: (0.5 if round < 3 else 0.99, 0.5))
    behind = run("dimat", flat(0.82, 0.62), done=2, state="running")
    found = report.build(pilot(control(), ahead, behind))
    assert (found.sentence.params["arm"], found.sentence.params["round"]) == ("dimat", 2)
    assert [arm.points[-1].round for arm in found.bases[0].arms] == [4, 2]


def test_no_arm_is_called_the_best_before_all_at_work_can_be_compared() -> None:
    waiting = run("dimat", flat(0.9, 0.9), done=0, state="running")
    found = report.build(
        pilot(control(), run("plain_average", flat(0.9, 0.9), done=2, state="running"), waiting)
    )
    assert (found.sentence.code, found.sentence.params, found.verdict) == (
        "comparing",
        {"missing": "dimat"},
        "none",
    )


def test_a_failed_arm_shows_how_far_it_came_and_is_not_the_one_recommended() -> None:
    runs = (
        control(),
        run("dimat", flat(0.95, 0.95), done=2, state="failed"),
        run("plain_average", flat(0.82, 0.65)),
    )
    found = report.build(pilot(*runs))
    assert found.sentence.params["arm"] == "plain_average"
    assert [point.round for point in found.bases[0].arms[0].points] == [0, 1, 2]


def test_a_run_is_compared_with_the_control_run_of_its_own_seed() -> None:
    weak, strong = control(seed=1), run("local_only", flat(0.9, 0.6), seed=2)
    facts = pilot(weak, strong, run("dimat", flat(0.85, 0.6), seed=1), run("dimat", flat(0.85, 0.6), seed=2))
    first = report.build(facts, run=facts.run("run-dimat-1")).bases[0].arms[0]
    second = report.build(facts, run=facts.run("run-dimat-2")).bases[0].arms[0]
    assert first.points[-1].gain_mean == pytest.approx(0.05)
    assert second.points[-1].gain_mean == pytest.approx(-0.05)


def test_one_run_leaves_the_verdict_to_the_pilot_which_knows_all_seeds() -> None:
    runs = [run("dimat", flat(0.99, 0.99), seed=seed) for seed in (1, 2, 3)]
    facts = pilot(*(control(seed=seed) for seed in (1, 2, 3)), *runs)
    assert report.build(facts).verdict == "go"
    alone = report.build(facts, run=facts.run("run-dimat-2"))
    assert (alone.evidence.code, alone.evidence.params) == ("one_run", {"seed": 2})
    assert alone.verdict == "not_enough_evidence"


def test_the_sentence_names_the_range_beside_the_amount() -> None:
    """A likely gain whose low end is a loss must not read as a gain."""
    costly = assumptions(one_off_cost=Decimal(10_000))
    found = report.build(pilot(control(), run("dimat", flat(0.9, 0.7)), assumptions=costly))
    said = say("en", f"roi.{found.sentence.code}", found.sentence.params)
    net = found.bases[0].arms[0].net_at_end
    assert net.low < 0 < net.likely
    for amount in (net.low, net.likely, net.high):
        assert numbers.money(amount, "JPY") in said


def test_the_control_run_has_no_roi_of_its_own() -> None:
    facts = pilot(control(), run("dimat", flat(0.9, 0.9)))
    assert report.build(facts, run=facts.run("run-local_only-1")).sentence.code == "run_is_control"


def test_a_blend_is_shown_beside_both_bases() -> None:
    found = report.build(pilot(control(), run("dimat", flat(0.7, 0.9))), Blend(blend=Decimal("0.5")))
    assert [base.basis for base in found.bases] == ["own_site", "all_site", "blend"]
    assert found.bases[2].arms[0].points[-1].gain_mean == pytest.approx(0.1)


def test_each_site_learns_whether_it_is_worth_it() -> None:
    facts = pilot(control(), run("dimat", lambda _r, site: ((0.9, 0.7)[site], 0.9)))
    by_site = report.build(facts).bases[0].arms[0].by_site
    assert [site.net.likely for site in by_site] == [8000, -8000]


@pytest.mark.parametrize("num_sites", [2, 50])
def test_few_and_many_sites_are_counted_alike(num_sites: int) -> None:
    facts = pilot(control(num_sites=num_sites), run("dimat", flat(0.9, 0.9), num_sites), num_sites=num_sites)
    arm = report.build(facts).bases[0].arms[0]
    assert arm.net_at_end.likely == num_sites * 8000
    assert len(arm.by_site) == num_sites


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1234567.8", "JPY", "+\u2060¥1,230,000"),
        ("-68312", "JPY", "\u2212\u2060¥68,300"),
        ("0.4", "JPY", "¥0"),
        ("9.996", "USD", "+\u2060$10.00"),
        ("0.123", "EUR", "+\u2060€0.12"),
        ("0", "USD", "$0.00"),
    ],
)
def test_reckoned_money_has_three_figures_at_most(amount: str, currency: str, shown: str) -> None:
    assert numbers.money(Decimal(amount), currency) == shown


def test_a_run_that_ended_before_its_first_round_is_not_promised_an_roi() -> None:
    stopped = run("dimat", flat(0.9, 0.9), done=0, state="cancelled")
    assert report.build(pilot(control(), stopped), None, stopped).sentence.code == "run_ended_early"


def test_what_an_amendment_of_training_for_one_arm_brings_is_no_merit_of_merging() -> None:
    """Both ROI and summary stop before its round, and say why; other arms go on."""
    rising = run("dimat", lambda round, _s: (0.8 + round / 100, 0.6 + round / 100))
    amended = dataclasses.replace(rising, comparison_ends=3)
    found = report.build(pilot(control(), amended))
    arm = found.bases[0].arms[0]
    assert ([point.round for point in arm.points], arm.comparison_ends) == ([0, 1, 2], 3)
    said = say("en", f"roi.{found.comparison_notes[0].code}", found.comparison_notes[0].params)
    assert said.startswith("Compared up to round 2 only: dimat. From round 3 on")
    outcome = arm_outcome(pilot(control(), amended), "dimat", "dimat")
    assert (outcome.round, outcome.own_site_vs_control) == (2, 0.02)
    assert report.build(pilot(control(), rising)).comparison_notes == []


def test_an_arm_that_was_never_trained_like_the_control_arm_is_not_waited_for() -> None:
    state = {"state": "running", "done": 2}
    never = dataclasses.replace(run("dimat", flat(0.9, 0.9), **state), comparison_ends=1)  # type: ignore[arg-type]
    other = run("common_basis", flat(0.9, 0.7), **state)  # type: ignore[arg-type]
    found = report.build(pilot(control(), never, other))
    assert [arm.arm for arm in found.bases[0].arms] == ["common_basis"]
    assert [note.code for note in found.comparison_notes] == ["comparison_never"]
    assert found.sentence.code == "does_not_pay" or found.sentence.code.endswith("pay")
    assert arm_outcome(pilot(control(), never), "dimat", "dimat").own_site_mean == 0.9


def test_the_figures_of_all_arms_are_those_of_the_round_by_which_they_are_judged() -> None:
    """What an arm earned and cost in rounds that another cannot be compared in says nothing about which is better; its line goes on."""
    rising = run("dimat", lambda round, _s: (0.8 + round / 100, 0.6 + round / 100))
    ended = dataclasses.replace(run("common_basis", flat(0.9, 0.7)), comparison_ends=3)
    failed = run("plain_average", flat(0.9, 0.7), done=1, state="failed")
    costs = assumptions(running_cost_per_site_per_round=Decimal(10))
    found = report.build(pilot(control(), rising, ended, failed, assumptions=costs))
    for base in found.bases:
        arms = {arm.arm: arm for arm in base.arms}
        assert {name: arm.round for name, arm in arms.items()} == {
            "dimat": 2, "common_basis": 2, "plain_average": 1
        }  # fmt: skip
        dimat = arms["dimat"]
        assert [point.round for point in dimat.points] == [0, 1, 2, 3, 4]
        assert dimat.net_at_end.likely == dimat.points[2].likely
        assert (dimat.cost_so_far, arms["common_basis"].cost_so_far) == (40, 40)
        assert dimat.by_site[0].gain == pytest.approx(0.02)


def test_who_was_cancelled_before_failed_or_had_not_begun_holds_a_cancelled_pilot_back_in_nothing() -> None:
    def cancelled(arm: str, done: int, seed: int = 1, at: str = "2") -> RunFacts:
        return dataclasses.replace(
            run(arm, flat(0.9, 0.9), seed=seed, done=done, state="cancelled"), stopped_by=at
        )

    both = (dataclasses.replace(control(done=3, state="cancelled"), stopped_by="2"), cancelled("dimat", 3))
    assert pilot(*both).cancelled_after == 3
    assert pilot(*both, cancelled("common_basis", 1, at="1")).cancelled_after == 3
    assert pilot(*both, run("common_basis", flat(0.9, 0.9), done=1, state="failed")).cancelled_after == 3
    second = (
        dataclasses.replace(control(seed=2, done=1, state="cancelled"), stopped_by="2"),
        cancelled("dimat", 0, seed=2),
    )
    assert pilot(*both, *second).cancelled_after == 3
    before = (dataclasses.replace(both[0], stopped_by="1"), both[1])
    assert pilot(*before).cancelled_after is None
    assert pilot(*both, run("common_basis", flat(0.9, 0.9), done=1, state="running")).cancelled_after is None


def test_a_pilot_that_was_cancelled_has_an_roi_up_to_there_and_no_verdict() -> None:
    runs = [
        one
        for seed in (1, 2, 3)
        for one in (
            control(seed=seed, done=3, state="cancelled"),
            run("dimat", flat(0.9, 0.9), seed=seed, done=2, state="cancelled"),
        )
    ]
    facts = pilot(*runs)
    found = report.build(facts)
    assert (found.sentence.code, found.sentence.params["round"]) == ("both_pay", 2)
    assert (found.evidence.code, found.evidence.params["round"]) == ("cancelled", 2)
    assert found.verdict == "not_enough_evidence"
    (arm,) = found.bases[0].arms
    assert (arm.round, arm.num_seeds, arm.seeds_lost) == (2, 3, [])
    alone = report.build(facts, None, runs[1])
    assert (alone.sentence.code, alone.evidence.code) == ("both_pay", "one_run")
