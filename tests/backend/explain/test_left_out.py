"""What is said of sites that a run goes on without: why, since when, and whether they take part again."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from backend.explain.facts import Away, RunFacts, SiteFact
from backend.explain.schemas import SiteExplained
from backend.explain.site import explain_site
from backend.runs import asks
from backend.runs.away import spans
from backend.runs.listening import Listening
from backend.text.catalogue import LANGUAGES
from dimat.absence import Absence
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BEGAN, SITES, Stage, spec
from tests.backend.coordinator.test_amending import decided
from tests.backend.coordinator.test_revoked import move
from tests.backend.coordinator.test_silence import LIMIT_S, absences, lead, pilot, until_round
from tests.backend.explain.test_explain import beat, explained, messages, of

A_WHILE = int(LIMIT_S) + 8
AGAIN = "Once it is back, it takes part again from the next round on that has not begun."


def said(site: SiteExplained) -> tuple[str, str, str | None]:
    return site.doing, site.text, site.then and site.then.text


def left_out_of_the_round_at_work(stage: Stage) -> None:
    """c is silent with its training of round 2 to do, which a and b have not done yet."""
    stage.launch(pilot("skip", rounds=40))
    until_round(stage, 1)
    while not absences(stage):
        beat(stage, 1, "a", "b")
        for message in messages(stage, "a", "b"):
            if message.kind != "train" and message.round == 2:
                stage.finish(message, stage.begin(stage.take(message)))
    assert absences(stage) == [("p/dimat", "c", 3, None, [[2, "train"]])]
    assert stage.run("p/dimat").rounds_done == 1


def test_a_site_that_owes_steps_of_the_round_at_work_is_left_out_and_has_not_left_by_plan(
    stage: Stage,
) -> None:
    left_out_of_the_round_at_work(stage)
    found = explained(stage)
    assert said(of(found, "c")) == (
        "left", f"Left out from \"Train\" of round 2 on, since {stage.now():%Y-%m-%d %H:%M:%S} UTC, as it was silent.", AGAIN,
    )  # fmt: skip
    assert (found.round, found.params["total"]) == (2, 2)
    lead(stage, 3, "a", "b")
    assert said(of(explained(stage), "c"))[0] == "left"
    stage.ask("p/dimat", asks.CANCEL)
    lead(stage, 3, "a", "b")
    found = explained(stage)
    assert (found.state, [site.doing for site in found.sites]) == (
        "cancelled",
        ["stopped", "stopped", "left"],
    )


def test_a_site_that_is_ahead_and_owes_steps_of_a_later_round_is_left_out(stage: Stage) -> None:
    """On the line a - b - c: c is a round ahead of a."""
    stage.launch(pilot("skip", rounds=9))
    until_round(stage, 1)
    at_work = stage.run("p/dimat").rounds_done + 1
    for _ in range(20):
        beat(stage, 1, *SITES)
        for message in messages(stage, "b", "c"):
            if (message.kind, message.round) != ("train", at_work + 1):
                stage.finish(message, stage.begin(stage.take(message)))
    beat(stage, A_WHILE, "a", "b")
    assert absences(stage) == [("p/dimat", "c", at_work + 2, None, [[at_work + 1, "train"]])]
    assert explained(stage).round == at_work
    assert said(of(explained(stage), "c"))[0] == "left"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_site_that_was_silent_in_the_last_round_has_not_done_all(stage: Stage, lang: str) -> None:
    stage.launch(pilot("skip", rounds=3))
    while not any(step.round == 3 and step.kind == "merge" for step in stage.steps("p/dimat")):
        lead(stage, 1, *SITES)
    lead(stage, 70, "a", "b")
    assert stage.run("p/dimat").state == "completed"
    assert absences(stage) == [("p/dimat", "c", 4, None, [[3, "train"]])]
    doing, text, then = said(of(explained(stage, lang=lang), "c"))
    start = {
        "en": 'Left out from "Train" of round 3 on, since ',
        "ja": "応答がなかったため、ラウンド3の学習以降、この拠点を外しました（",
    }
    assert (doing, text[: len(start[lang])], then) == ("left", start[lang], None)


def test_a_site_that_was_back_and_left_later_by_plan_has_left_by_plan(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=60))
    until_round(stage, 1)
    lead(stage, A_WHILE, "a", "b")
    assert said(of(explained(stage), "c"))[0] == "left"
    lead(stage, 2, *SITES)
    ((_, _, _, until, _),) = absences(stage)
    assert until is not None
    asked = stage.amend({"members": ["a", "b"]})
    while stage.run("p/dimat").rounds_done < until + 10:
        lead(stage, 1, *SITES)
    last = decided(stage, asked).from_round
    assert last is not None
    told = ("apart", f"Took part up to round {last - 1}; an amendment took it out after that.", None)
    assert said(of(explained(stage), "c")) == told
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, *SITES)
    assert said(of(explained(stage), "c")) == told


def test_a_site_that_is_back_says_from_which_round_on_it_takes_part(stage: Stage) -> None:
    left_out_of_the_round_at_work(stage)
    beat(stage, 2, *SITES)
    ((_, _, _, until, _),) = absences(stage)
    assert until is not None
    doing, text, then = said(of(explained(stage), "c"))
    assert (doing, text[:35]) == ("left", 'Left out from "Train" of round 2 on')
    assert then == f"It is back and takes part again from round {until} on."
    beat(stage, 20, "a", "b")
    doing, text, then = said(of(explained(stage), "c"))
    assert (doing, text.split(". ")[1], then) == (
        "silent", f"Its next step is \"Take over\" of round {until}.", None,
    )  # fmt: skip


def test_a_site_that_is_back_in_a_round_to_which_others_have_not_come_is_not_left_out(stage: Stage) -> None:
    """On the line a - b - c: a is slow, and c has done what follows on b's last model."""
    stage.launch(pilot("skip", rounds=40))
    until_round(stage, 1)
    lead(stage, A_WHILE, "a", "b")
    beat(stage, 2, *SITES)
    ((_, _, _, until, _),) = absences(stage)
    assert until is not None
    for _ in range(20):
        beat(stage, 1, *SITES)
        for message in messages(stage, *SITES):
            if message.context.site.name != "a" or message.round < until - 1:
                stage.finish(message, stage.begin(stage.take(message)))
    assert explained(stage).round == until - 1
    assert StepKey(until, "train", 2) in {
        StepKey(step.round, step.kind, step.site_index) for step in stage.steps("p/dimat") if step.state == "completed"
    }  # fmt: skip
    assert said(of(explained(stage), "c"))[0] == "waiting"


def test_a_silent_site_that_is_to_leave_by_plan_is_not_said_to_take_part_again(stage: Stage) -> None:
    left_out_of_the_round_at_work(stage)
    assert said(of(explained(stage), "c"))[2] == AGAIN
    stage.amend({"members": ["a", "b"]})
    lead(stage, 3, "a", "b")
    doing, text, then = said(of(explained(stage), "c"))
    assert (doing, text[:8], then) == (
        "left", "Left out", "There is no round left in which it could take part.",
    )  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_site_that_could_not_prepare_says_so_and_is_not_counted(stage: Stage, lang: str) -> None:
    stage.launch(pilot("skip", rounds=9, waiting=["c"]))
    beat(stage, 2, *SITES)
    (message,) = messages(stage, "c")
    stage.fail(stage.begin(stage.take(message)), "data_changed", retryable=False)
    lead(stage, 1, "a", "b")
    at = stage.now()
    found = explained(stage, lang=lang)
    told = {
        "en": (
            f'The step "Prepare" at the start failed for good in attempt 1 ({at:%Y-%m-%d %H:%M:%S} UTC).',
            "The run goes on without it. The steps of the start say why it could not prepare.",
        ),
        "ja": (
            f"開始時の準備が1回目の試行で失敗し、再試行はありません（{at:%Y-%m-%d %H:%M:%S} UTC）。",
            "この拠点を除いて実行を続けます。失敗の原因は開始時の手順の表に表示されます。",
        ),
    }
    assert said(of(found, "c")) == ("left", *told[lang])
    assert found.params["total"] == 2
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, "a", "b")
    assert said(of(explained(stage, lang=lang), "c")) == ("left", told[lang][0], None)


def test_a_site_that_takes_no_part_says_whether_it_may_be_taken_in(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=9, waiting=["c"]))
    while stage.run("p/dimat").rounds_done < 1:
        lead(stage, 1, *SITES)
    assert said(of(explained(stage), "c")) == ("apart", "Takes no part.", "An amendment may take it in.")
    move(stage, "revoked", "c")
    lead(stage, 1, "a", "b")
    assert said(of(explained(stage), "c")) == (
        "apart", "Takes no part.", "It was revoked and takes no more work.",
    )  # fmt: skip
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, "a", "b")
    assert said(of(explained(stage), "c")) == ("apart", "Takes no part.", None)


def test_a_site_that_was_revoked_before_it_had_prepared_waits_for_nothing(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=9, waiting=["c"]))
    beat(stage, 2, *SITES)
    move(stage, "revoked", "c")
    lead(stage, 2, "a", "b")
    assert said(of(explained(stage), "c"))[::2] == ("apart", "It was revoked and takes no more work.")


def facts(given: PilotSpec, rounds_done: int, silent: Iterable[Absence] = ()) -> RunFacts:
    """Of a run at work whose sites have prepared, and have done nothing since its last finished round."""
    gone = {one.site: one for one in silent}
    schedule = Schedule.of(given, given.arms[0].name, (), list(gone.values()))
    sites = [
        SiteFact(
            index, name, name, "silent" if name in gone else "online", BEGAN, (),
            away=Away(gone[name], BEGAN) if name in gone else None,
        )
        for index, name in enumerate(given.site_names)
    ]  # fmt: skip
    return RunFacts(
        id="p/dimat", pilot_id="p", state="running", since=BEGAN, rounds=given.rounds, rounds_done=rounds_done,
        resumed_at=None, at_round_since=None, round_open_since=None, reason=None, schedule=schedule, spans=spans(schedule, gone.values()),
        sites=sites, done={StepKey(0, "prepare", site.index) for site in sites}, silent=given.silent, next_round=None,
        slowest=None, listening=Listening(), unheard_since=None, broker_away_since=None, zone=None, silent_after_s=15, lease_s=40, now=BEGAN,
    )  # fmt: skip


def test_a_site_that_owes_only_the_judgement_of_its_start_is_left_out_of_nothing_else() -> None:
    run = facts(spec(rounds=3), -1, [Absence(site="c", from_round=4, undone=((0, "evaluate"),))])
    done = {StepKey(round, kind, 2) for round in range(1, 4) for kind in ("merge", "train")}  # type: ignore[arg-type]  # plain text
    found = explain_site(replace(run, done={*run.done, *done}), run.sites[2])
    assert (found.doing, found.text.code, found.text.params["kind"]) == (
        "left", "left_out_in_at_start", "evaluate",
    )  # fmt: skip


def test_sites_that_take_no_part_are_explained_without_a_look_at_every_round() -> None:
    given = spec(rounds=1000, data={"rows_per_site": 50}).model_dump(mode="json")
    later = [f"d{number}" for number in range(40)]
    data = given["sites"][0]["data"]
    given |= {"sites": [*given["sites"], *({"name": name, "data": data} for name in later)], "waiting": later}
    run, looks = facts(PilotSpec.model_validate(given), 5), 0

    def counted(round: int) -> frozenset[int]:
        nonlocal looks
        looks += 1
        return members(round)

    members = run.schedule.members_of
    run = replace(run, schedule=replace(run.schedule, members_of=counted))
    found = [explain_site(run, site) for site in run.sites]
    assert [site.doing for site in found] == ["waiting"] * 3 + ["apart"] * 40
    assert looks < 3 * len(found)
