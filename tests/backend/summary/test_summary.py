"""The sentence on top of a pilot says who gains and who loses, and no more than was measured."""

import re
from dataclasses import replace

import pytest
from measured_pilots import flat, pilot, run

from backend.roi.facts import ArmLabel, Mark, PilotFacts, RunFacts, Usage
from backend.runs.schemas import ArmChanges, SettingChange
from backend.summary.outcome import state_of, summarise
from backend.text.catalogue import say
from backend.text.schemas import Text
from dimat.absence import Absence


def control(**changes: object) -> RunFacts:
    return run("local_only", flat(0.8, 0.6), **changes)  # type: ignore[arg-type]


def english(facts: PilotFacts) -> str:
    found = summarise(facts)
    texts = [text for text in (found.sentence, found.who) if text is not None]
    return " ".join(say("en", f"summary.{text.code}", text.params) for text in texts)


def test_a_gain_for_all_that_costs_some_sites_names_both() -> None:
    worse_at_first = run("common_basis", lambda _r, site: ((0.7, 0.81)[site], 0.9))
    assert english(pilot(control(), worse_at_first)) == (
        "After round 4 of 4, merging with common_basis raises all-site accuracy from 60.0% (training alone) "
        "to 90.0% (+30.0 points), but lowers own-site accuracy from 80.0% to 75.5% (−4.5 points). "
        "On their own data 1 of 2 sites gains and 1 loses."
    )


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ((0.9, 0.9), "who_all_gain"),
        ((0.7, 0.7), "who_all_lose"),
        ((0.9, 0.78), "who_both"),
        ((0.9, 0.8), "who_some_gain"),
        ((0.8, 0.7), "who_some_lose"),
        ((0.8, 0.8002), "who_none"),
    ],
)
def test_who_gains_and_who_loses_is_counted(own: tuple[float, float], code: str) -> None:
    found = summarise(pilot(control(), run("dimat", lambda _r, site: (own[site], 0.9)))).who
    assert found is not None
    assert found.code == code


def test_an_arm_that_ended_early_takes_nothing_from_the_evidence_of_the_others() -> None:
    cancelled = run("dimat", flat(0.9, 0.9), done=1, state="cancelled")
    facts = pilot(control(), run("plain_average", flat(0.9, 0.5)), cancelled)
    assert summarise(facts).evidence.code == "evidence_few_seeds"
    every = pilot(control(state="failed", done=1), cancelled)
    assert summarise(every).evidence.code == "evidence_no_arm"


@pytest.mark.parametrize(
    ("own", "rest", "code"),
    [
        ((0.9, 0.9), 0.9, "all_up_own_up"),
        ((0.9, 0.78), 0.9, "all_up_own_up"),
        ((0.7, 0.7), 0.5, "all_down_own_down"),
        ((0.9, 0.9), 0.5, "all_down_own_up"),
        ((0.8, 0.8), 0.6, "all_same_own_same"),
        ((0.8002, 0.8), 0.6001, "all_same_own_same"),
        ((0.9, 0.9), None, "own_up"),
    ],
)
def test_the_sentence_follows_the_measured_directions(
    own: tuple[float, float], rest: float | None, code: str
) -> None:
    base = control() if rest is not None else run("local_only", flat(0.8, None))
    facts = pilot(base, run("dimat", lambda _r, site: (own[site], rest)), all_site_measured=rest is not None)
    assert summarise(facts).sentence.code == code


def test_the_arm_with_the_best_all_site_accuracy_is_named() -> None:
    facts = pilot(control(), run("plain_average", flat(0.9, 0.5)), run("dimat", flat(0.7, 0.8)))
    assert summarise(facts).sentence.params["arm"] == "dimat"


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ((), "not_launched"),
        (
            (control(state="queued", done=-1), run("dimat", flat(0.9, 0.9), done=-1, state="queued")),
            "waiting_to_start",
        ),
        (
            (control(state="running", done=-1), run("dimat", flat(0.9, 0.9), done=-1, state="queued")),
            "preparing",
        ),
        (
            (control(state="running", done=2), run("dimat", flat(0.9, 0.9), done=0, state="running")),
            "no_result_yet",
        ),
        ((run("dimat", flat(0.9, 0.9)),), "no_control"),
        ((control(),), "only_control"),
        ((control(state="failed", done=1), run("dimat", flat(0.9, 0.9))), "control_failed"),
        ((control(state="cancelled", done=0), run("dimat", flat(0.9, 0.9))), "control_cancelled"),
        ((control(state="failed", done=-1), run("dimat", flat(0.9, 0.9))), "control_failed_at_start"),
        ((control(), run("dimat", flat(0.9, 0.9), done=0, state="failed")), "no_arm_completed"),
    ],
)
def test_what_cannot_be_said_yet_is_said_so(runs: tuple[RunFacts, ...], code: str) -> None:
    assert summarise(pilot(*runs)).sentence.code == code


def test_while_it_runs_the_round_is_told_and_arms_are_compared_at_a_shared_round() -> None:
    rising = run("dimat", lambda round, _s: (0.8, 0.6 + round / 100), done=2, state="running")
    found = summarise(pilot(control(), rising))
    dimat = found.arms[1]
    assert found.status.code == "status_running"
    assert (found.status.params["rounds_done"], found.status.params["rounds_total"]) == (4 + 2, 4 + 4)
    assert dimat.round == 2
    assert dimat.all_site_vs_control == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("last", "code", "english_said", "japanese_said"),
    [
        ("completed", "status_ended", "4 of 5 completed, 0 failed, 1 cancelled", "完了4件、失敗0件、中止1件"),
        ("running", "status_running_some_ended", "of 5 runs 3 completed, 0 failed, 1 cancelled", "完了3件、失敗0件、中止1件"),
        ("paused", "status_paused_some_ended", "Paused: rounds done in all runs", "一時停止中：全実行"),
        ("queued", "status_queued_some_ended", "of 5 runs 3 completed, 0 failed, 1 cancelled", "完了3件、失敗0件、中止1件"),
    ],
)  # fmt: skip
def test_cancelled_runs_are_counted_whatever_the_others_do(
    last: str, code: str, english_said: str, japanese_said: str
) -> None:
    runs = [control(seed=seed) for seed in (1, 2, 3)]
    cancelled = run("dimat", flat(0.9, 0.9), done=1, state="cancelled")
    status = summarise(pilot(*runs, cancelled, run("dimat", flat(0.9, 0.9), seed=2, state=last))).status
    assert status.code == code
    assert english_said in say("en", f"summary.{status.code}", status.params)
    assert japanese_said in say("ja", f"summary.{status.code}", status.params)


def test_an_arm_that_is_ahead_is_not_judged_before_the_others_can_be_compared() -> None:
    ahead = run("plain_average", flat(0.5, 0.5), done=3, state="running")
    behind = run("dimat", flat(0.9, 0.9), done=0, state="running")
    found = summarise(pilot(control(), ahead, behind))
    assert (found.sentence.code, found.who) == ("comparing", None)
    assert (found.sentence.params["known"], found.sentence.params["missing"]) == ("plain_average", "dimat")
    assert found.evidence.code == "evidence_none"


def test_no_numbers_are_not_called_provisional() -> None:
    def code(*runs: RunFacts) -> str:
        return summarise(pilot(*runs)).evidence.code

    started = run("dimat", flat(0.9, 0.9), done=0, state="running")
    assert [code(), code(control(state="running", done=0), started)] == ["evidence_no_numbers"] * 2
    assert code(control(state="running", done=1), started) == "evidence_none"


def test_while_runs_go_on_all_arms_are_compared_after_the_same_round() -> None:
    # Ahead, plain_average has overtaken; in the round that both have finished it is behind.
    ahead = run("plain_average", lambda round, _s: (0.8, 0.5 + 0.2 * (round - 2)), done=4)
    behind = run("dimat", flat(0.8, 0.6), done=2, state="running")
    found = summarise(pilot(control(), ahead, behind))
    assert [arm.round for arm in found.arms] == [2, 2, 2]
    assert found.sentence.params["arm"] == "dimat"
    assert found.evidence.code == "evidence_none"


def test_an_arm_that_ended_early_holds_no_other_back() -> None:
    failed = run("plain_average", flat(0.5, 0.5), done=1, state="failed")
    found = summarise(pilot(control(), failed, run("dimat", flat(0.9, 0.9))))
    assert [arm.round for arm in found.arms] == [4, 1, 4]
    assert found.sentence.code == "all_up_own_up"


def test_a_seed_that_is_through_is_not_thrown_back_by_the_next_one() -> None:
    through = [control(), run("dimat", flat(0.9, 0.9))]
    begun = [run(arm, flat(0.1, 0.1), done=1, seed=2, state="running") for arm in ("local_only", "dimat")]
    dimat = summarise(pilot(*through, *begun)).arms[1]
    assert (dimat.round, dimat.num_seeds) == (4, 1)


def test_the_arms_are_told_side_by_side() -> None:
    found = summarise(pilot(control(), run("dimat", lambda _r, site: ((0.9, 0.7)[site], 0.9))))
    alone, dimat = found.arms
    assert (alone.is_control, alone.own_site_vs_control, alone.sites_gaining) == (True, None, None)
    assert (dimat.sites_gaining, dimat.sites_losing, dimat.bytes_exchanged) == (1, 1, 600_000)
    assert [site.own_site_vs_control for site in dimat.by_site] == pytest.approx([0.1, -0.1])
    assert dimat.own_site_mean == pytest.approx(0.8)
    assert found.evidence.code == "evidence_few_seeds"
    assert found.simulated


def test_a_failed_control_arm_leaves_accuracies_but_no_differences() -> None:
    found = summarise(pilot(control(state="failed", done=1), run("dimat", flat(0.9, 0.9))))
    assert found.arms[1].own_site_mean == pytest.approx(0.9)
    assert found.arms[1].own_site_vs_control is None


def test_seeds_are_averaged_and_three_are_evidence() -> None:
    runs = [control(seed=s) for s in (1, 2, 3)] + [
        run("dimat", flat(0.7 + s / 10, 0.9), seed=s) for s in (1, 2, 3)
    ]
    found = summarise(pilot(*runs))
    assert found.arms[1].own_site_mean == pytest.approx(0.9)
    assert found.evidence.code == "evidence_seeds"


def test_an_arm_of_which_one_seed_was_cancelled_shows_the_others_and_says_so() -> None:
    runs = [control(seed=s) for s in (1, 2, 3)] + [
        run("plain_average", flat(0.7, 0.5), seed=s) for s in (1, 2, 3)
    ]
    runs += [run("dimat", flat(0.9, 0.9), seed=s) for s in (1, 2)]
    cancelled = run("dimat", flat(0.1, 0.1), seed=3, done=2, state="cancelled")
    found = summarise(pilot(*runs, cancelled))
    dimat = found.arms[-1]
    assert found.sentence.params["arm"] == "dimat"
    assert (dimat.state, dimat.num_seeds) == ("cancelled", 2)
    assert dimat.all_site_mean == pytest.approx(0.9)
    assert found.evidence.code == "evidence_seeds_lost"
    said = {lang: say(lang, "summary.evidence_seeds_lost", found.evidence.params) for lang in ("en", "ja")}
    assert said["en"].startswith(
        "Seeds that count in every arm compared: 2 of 3. Seed 3 failed or was cancelled in at least one of them"
    )
    assert said["ja"].startswith("すべての比較案で有効なシードは3個のうち2個です。シード3は")


def test_seeds_lost_in_different_arms_are_all_named() -> None:
    seeds = (1, 2, 3, 4, 5)
    lost = {("dimat", 1), ("plain_average", 3)}
    runs = [
        run(arm, flat(0.9, 0.9), seed=s, **({"state": "failed", "done": 1} if (arm, s) in lost else {}))
        for arm in ("local_only", "dimat", "plain_average")
        for s in seeds
    ]
    evidence = summarise(pilot(*runs)).evidence
    assert evidence.code == "evidence_seeds_lost"
    assert (evidence.params["num_seeds"], evidence.params["missing"]) == (3, "1, 3")


def test_fifty_sites_are_summed_up_like_two() -> None:
    facts = pilot(control(num_sites=50), run("dimat", flat(0.9, 0.9), 50), num_sites=50)
    assert summarise(facts).arms[1].sites_gaining == 50


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "queued"),
        (["completed", "queued"], "running"),
        (["completed", "failed"], "failed"),
        (["completed", "cancelled"], "cancelled"),
        (["paused", "paused"], "paused"),
    ],
)
def test_an_arm_has_one_state(states: list[str], expected: str) -> None:
    assert state_of(states) == expected


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_sentence_is_complete_in_both_languages(lang: str) -> None:
    for own in (0.7, 0.8, 0.9):
        for rest in (0.5, 0.6, 0.7, None):
            base = control() if rest is not None else run("local_only", flat(0.8, None))
            found = summarise(pilot(base, run("dimat", flat(own, rest)), all_site_measured=rest is not None))
            over = Text(
                code="over", params={"num_sites": 2, "of": 3, "arm": "dimat", "control": "local_only"}
            )
            for text in (found.sentence, found.who, found.status, found.evidence, over):
                assert text is not None
                said = say(lang, f"summary.{text.code}", text.params)
                assert not said.startswith("summary.")
                assert not re.search(r"[{}]", said)


def without_the_last(begun: int, until: int | None = None, arm: str = "dimat", **changes: object) -> RunFacts:
    """A run whose third site was silent from a round on, up to the one in which it came back."""
    gone = Absence(site="site-2", from_round=begun, until_round=until)
    whole = run(arm, flat(0.9 if arm == "dimat" else 0.8, 0.9), num_sites=3, **changes)  # type: ignore[arg-type]
    points = tuple(
        replace(
            point,
            away=frozenset({2}),
            own_site=(*point.own_site[:2], None),
            all_site=(*point.all_site[:2], None),
        )
        if gone.covers(point.round)
        else point
        for point in whole.points
    )
    return replace(whole, points=points, absences=(gone,))


def test_who_was_left_out_is_said_and_counts_neither_as_gaining_nor_as_a_site_that_does_not() -> None:
    found = summarise(pilot(without_the_last(3, arm="local_only"), without_the_last(2), num_sites=3))
    assert found.who is not None
    assert (found.who.code, found.who.params["num_sites"]) == ("who_all_gain", 2)
    assert [(arm.mean_over, arm.left_out[0].from_round) for arm in found.arms] == [(2, 3), (2, 2)]
    assert [(text.code, text.params) for text in found.left_out] == [
        ("left_out_to_end", {"site": "Site 2", "round": 3, "names": "local_only"}),
        ("left_out_to_end", {"site": "Site 2", "round": 2, "names": "dimat"}),
    ]
    back = summarise(pilot(control(num_sites=3), without_the_last(2, 4), num_sites=3))
    assert [text.code for text in back.left_out] == ["left_out_until"]
    assert [(arm.mean_over, len(arm.left_out)) for arm in back.arms] == [(3, 0), (3, 1)]


def test_of_a_site_that_was_left_out_more_than_once_the_last_time_is_told_as_such() -> None:
    def without(*gone: tuple[int, int | None]) -> PilotFacts:
        absences = tuple(Absence(site="site-2", from_round=begun, until_round=until) for begun, until in gone)
        twice = replace(run("dimat", flat(0.9, 0.9), num_sites=3), absences=absences)
        return pilot(control(num_sites=3), twice, num_sites=3)

    found = summarise(without((3, 4), (1, 2)))
    assert [(text.code, text.params) for text in found.left_out] == [
        ("left_out_again_until", {"site": "Site 2", "round": 3, "until": 4, "times": 2, "names": "dimat"})
    ]
    (told,) = found.arms[1].left_out
    assert (told.from_round, told.until_round, told.times) == (3, 4, 2)
    assert summarise(without((1, 2), (3, None))).left_out[0].code == "left_out_again_to_end"


def test_rounds_without_a_site_that_seeds_have_in_common_are_one_time() -> None:
    gone = [(1, 3), (2, 4)]
    runs = [
        replace(
            run("dimat", flat(0.9, 0.9), num_sites=3, seed=seed),
            absences=(Absence(site="site-2", from_round=begun, until_round=until),),
        )
        for seed, (begun, until) in enumerate(gone, start=1)
    ]
    (said,) = summarise(
        pilot(*(control(num_sites=3, seed=seed) for seed in (1, 2)), *runs, num_sites=3)
    ).left_out
    assert (said.code, said.params["round"], said.params["until"]) == ("left_out_until", 1, 4)


def test_what_an_arm_fetched_in_vain_is_told_beside_what_it_sent() -> None:
    used = {(1, 0): Usage(num_bytes=30, wasted_bytes=10), (2, 1): Usage(num_bytes=7, wasted_bytes=7)}
    found = summarise(pilot(control(), run("dimat", flat(0.9, 0.9), usage=used)))
    assert [arm.bytes_wasted for arm in found.arms] == [0, 17]


def test_where_a_site_is_in_only_one_of_both_the_sentence_names_what_was_measured_of_the_others() -> None:
    """The site that the control arm went on without is better than the others: a mean with it is none to subtract from."""
    dimat = run("dimat", lambda _r, site: ((0.8, 0.9, 1.0)[site], (0.7, 0.8, 0.9)[site]), num_sites=3)
    found = summarise(pilot(without_the_last(3, arm="local_only"), dimat, num_sites=3))
    assert {name: found.sentence.params[name] for name in ("own", "own_control", "all", "all_control")} == {
        "own": "85.0", "own_control": "80.0", "all": "75.0", "all_control": "90.0"
    }  # fmt: skip
    against = found.arms[1].against
    assert against is not None
    assert (against.num_sites, found.arms[1].mean_over, found.arms[1].own_site_mean) == (2, 3, 0.9)
    assert found.over is not None
    assert (found.over.code, found.over.params) == (
        "over", {"num_sites": 2, "of": 3, "arm": "dimat", "control": "local_only"}
    )  # fmt: skip
    assert summarise(pilot(control(num_sites=3), dimat, num_sites=3)).over is None


def test_of_many_sites_left_out_only_some_are_named() -> None:
    gone = tuple(Absence(site=f"site-{site}", from_round=2) for site in range(5))
    live = replace(run("dimat", flat(0.9, 0.9), num_sites=9, done=1, state="running"), absences=gone)
    said = summarise(pilot(control(num_sites=9), live, num_sites=9)).left_out
    assert [text.code for text in said] == ["left_out", "left_out", "left_out", "left_out_more"]
    assert said[-1].params == {"num_sites": 2}


def test_a_site_that_is_named_is_none_of_those_left_out_besides() -> None:
    """Arms leave the same sites out from different rounds on."""

    def without(arm: str, round: int) -> RunFacts:
        gone = tuple(Absence(site=f"site-{site}", from_round=round) for site in range(2))
        return replace(run(arm, flat(0.9, 0.9), num_sites=9, done=1, state="running"), absences=gone)

    said = summarise(pilot(without("local_only", 2), without("dimat", 3), num_sites=9)).left_out
    assert [text.code for text in said] == ["left_out"] * 3
    assert [text.params["site"] for text in said[:2]] == ["Site 0", "Site 1"]


def test_where_the_arm_trains_otherwise_than_the_control_arm_that_is_said() -> None:
    runs = (control(), run("dimat", flat(0.9, 0.9)))
    labels = (ArmLabel("local_only", "local_only"), ArmLabel("dimat", "dimat", trains_otherwise=True))
    said = summarise(pilot(*runs, arms=labels)).training
    assert said is not None
    assert (said.code, said.params) == ("other_training", {"arm": "dimat", "control": "local_only"})
    assert summarise(pilot(*runs)).training is None


def test_a_comparison_that_an_amendment_ended_says_so_beside_its_round() -> None:
    amended = replace(run("dimat", flat(0.9, 0.9)), comparison_ends=3)
    found = summarise(pilot(control(), amended))
    assert found.arms[1].round == 2
    assert found.ended is not None
    assert (found.ended.code, found.ended.params) == (
        "comparison_ended", {"names": "dimat", "control": "local_only", "round": 3}
    )  # fmt: skip
    yet_to_come = replace(run("dimat", flat(0.9, 0.9), done=1, state="running"), comparison_ends=3)
    assert summarise(pilot(control(), yet_to_come)).ended is None


def changed(round: int, arms: list[str], **settings: tuple[str | int, str | int]) -> Mark:
    """An amendment that changes these settings; `_` in a name stands for the dot in its place."""
    made = [
        SettingChange(
            field=name.replace("_", ".", 1), old=old, new=new, stays=old == new, otherwise=None, limited=[]
        )
        for name, (old, new) in settings.items()
    ]
    return Mark(round, (ArmChanges(round=round, arms=arms, settings=made),), "somebody", "why")


def test_an_arm_that_no_longer_merges_as_it_was_launched_says_since_when_and_how() -> None:
    amendments = (
        changed(3, ["dimat"], method=("dimat", "regmean"), train_epochs=(1, 2)),
        changed(2, ["dimat", "plain_average"], merge_merge_every=(1, 2)),
        changed(2, ["dimat"], topology_kind=("ring", "ring")),
        changed(2, ["dimat"], topology_kind=("ring", "full")),
        changed(4, ["dimat"], method=("regmean", "fisher")),
    )
    arms = (control(), run("dimat", flat(0.9, 0.9), done=3), run("plain_average", flat(0.8, 0.7)))
    found = {arm.arm: arm for arm in summarise(pilot(*arms, amendments=amendments)).arms}
    told = [
        (change.round, change.arms, [one.field for one in change.settings])
        for change in found["dimat"].amended
    ]
    # What comes after the round that is judged is no part of its result.
    assert told == [(2, ["dimat"], ["merge.merge_every", "topology.kind"]), (3, ["dimat"], ["method"])]
    assert [change.round for change in found["plain_average"].amended] == [2]
    assert found["local_only"].amended == []


def test_a_pilot_that_was_cancelled_is_judged_as_far_as_all_its_runs_came() -> None:
    rising = lambda round, _s: (0.8, 0.6 + round / 100)  # noqa: E731
    runs = [
        control(seed=1),
        control(seed=2, done=3, state="cancelled"),
        run("dimat", rising, seed=1, done=3, state="cancelled"),
        run("dimat", rising, seed=2, done=2, state="cancelled"),
    ]
    found = summarise(pilot(*runs))
    assert (found.sentence.code, found.sentence.params["round"]) == ("all_up_own_same", 2)
    assert [(arm.round, arm.num_seeds) for arm in found.arms] == [(2, 2), (2, 2)]
    assert say("en", f"summary.{found.evidence.code}", found.evidence.params) == (
        "Cancelled after round 2 of 4: up to there all arms are compared, with 2 seeds; "
        "fewer than 3 cannot tell a gain from chance. What later rounds would have given is unknown."
    )
    going_on = pilot(*runs[:3], replace(runs[3], state="running"))
    assert summarise(going_on).evidence.code != "evidence_cancelled"
    failed = summarise(pilot(*runs[:3], replace(runs[3], state="failed")))
    assert (failed.sentence.code, failed.sentence.params["round"]) == ("all_up_own_same", 3)
    assert (failed.evidence.code, failed.evidence.params["num_seeds"]) == ("evidence_cancelled", 1)


def test_an_arm_that_was_cancelled_beside_one_that_completed_does_not_shorten_the_comparison() -> None:
    short = run("plain_average", flat(0.95, 0.95), done=1, state="cancelled")
    found = summarise(pilot(control(), run("dimat", flat(0.9, 0.9)), short))
    assert (found.sentence.params["arm"], found.sentence.params["round"]) == ("dimat", 4)
