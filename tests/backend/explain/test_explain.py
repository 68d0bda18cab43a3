"""What is said of a run at a moment: what every site does, since when, what it waits for, and what follows."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import backend.explain
from backend.db.tables import RunRow, SiteRow, utc_now
from backend.explain import service
from backend.explain.limits import _ENDINGS
from backend.explain.run import _FOLLOWS
from backend.explain.schemas import RunExplained, SiteExplained
from backend.runs import asks
from backend.runs.attempts import STORE_ATTEMPTS
from backend.runs.states import STEP_LIVE
from backend.settings import Settings
from backend.text.catalogue import LANGUAGES, find
from dimat.spec import PilotSpec
from tests.backend.building import create_pilot, launch
from tests.backend.conftest import Api
from tests.backend.coordinator.stage import BEGAN, SITES, Stage, spec
from tests.backend.coordinator.test_joining import joiner_never_connected
from tests.backend.coordinator.test_restart import restarted
from tests.backend.coordinator.test_silence import absences, lead
from worker.messages.reports import StepBeat
from worker.messages.steps import StepMessage

LIMIT_S = 48.0


def pilot(policy: str = "wait", limit_s: float | None = LIMIT_S, **changes: Any) -> PilotSpec:
    """Over a line of three sites: a - b - c."""
    given = spec(**{"rounds": 4, **changes}).model_dump(mode="json")
    return PilotSpec.model_validate({**given, "silent": {"policy": policy, "limit_s": limit_s}})


def explained(stage: Stage, run_id: str = "p/dimat", lang: str = "en") -> RunExplained:
    with stage.database.read() as session:
        settings = Settings(max_attempts=3)
        return service.explain(session, run_id, settings, lang, stage.now())


def of(found: RunExplained, name: str) -> SiteExplained:
    (site,) = [site for site in found.sites if site.site == name]
    return site


def texts(site: SiteExplained) -> list[str]:
    return [wait.text for wait in site.waits_for]


def beat(stage: Stage, seconds: int, *online: str) -> None:
    for _ in range(seconds):
        stage.beat("w", *online)
        stage.turn()


def messages(stage: Stage, *sites: str) -> list[StepMessage]:
    return [message for message in stage.waiting() if message.context.site.name in sites]


def work(stage: Stage, *sites: str) -> None:
    """All that these sites get, and what follows from it, while all are online."""
    for _ in range(50):
        beat(stage, 1, *SITES)
        found = messages(stage, *sites)
        if not found:
            return
        for message in found:
            stage.finish(message, stage.begin(stage.take(message)))


def launched(stage: Stage, given: PilotSpec) -> None:
    stage.launch(given)
    beat(stage, 15, *SITES)


def prepared(stage: Stage, given: PilotSpec) -> None:
    """All have prepared; a and b have done all they can without c, which has its first steps to do."""
    launched(stage, given)
    for message in stage.waiting():
        stage.finish(message, stage.begin(stage.take(message)))
    work(stage, "a", "b")


def test_a_site_at_work_says_at_what_how_far_and_since_when(stage: Stage) -> None:
    launched(stage, pilot())
    (message,) = messages(stage, "a")
    about = stage.begin(stage.take(message))
    stage.turn()
    began = stage.now()
    stage.post.report(StepBeat(progress=0.4, **about))
    stage.turn()
    found = explained(stage)
    site = of(found, "a")
    assert (site.doing, site.kind, site.round, site.progress) == ("preparing", "prepare", 0, 0.4)
    assert (site.attempt, site.attempts, site.since) == (1, 3, began)
    assert site.text == f'At the start, at the step "Prepare" since {began:%Y-%m-%d %H:%M:%S} UTC: 40% done.'
    assert site.then is not None
    assert site.then.text == 'Then comes "Merge" of round 1.'
    assert found.text.endswith("1 of 3 sites is at work.")
    assert (found.round, found.rounds, found.state) == (0, 4, "running")


def test_who_waits_names_the_sites_and_the_steps_that_it_waits_for(stage: Stage) -> None:
    prepared(stage, pilot())
    found = explained(stage)
    a, b = of(found, "a"), of(found, "b")
    assert (a.doing, a.kind, a.round, a.attempt) == ("waiting", "merge", 3, None)
    assert (texts(a), a.waits_for[0].sites) == (['Waiting for b to finish "Train" of round 2.'], ["b"])
    assert b.then is not None
    assert b.then.text == "It begins as soon as the wait is over."
    assert (texts(b), b.waits_for[0].sites) == (['Waiting for c to finish "Train" of round 1.'], ["c"])
    trained = [step for step in stage.steps() if (step.round, step.kind, step.site_index) == (2, "train", 0)]
    assert a.since == trained[0].finished_at
    # The cause lies at c, which has not begun what it was sent.
    assert [(wait.site, wait.code) for wait in found.waits_for] == [("c", "site_to_begin")]


def test_of_a_site_that_was_never_connected_no_last_sign_of_life_is_told(stage: Stage) -> None:
    stage.launch(pilot("stop"))
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == "c").values(state="invited", last_seen_at=None))
    beat(stage, int(LIMIT_S) + 30, "a", "b")
    assert stage.run("p/dimat").state == "failed"
    c = of(explained(stage), "c")
    assert (c.doing, c.text) == ("silent", "It was never connected: the run ended because of it.")


def test_a_silent_site_says_since_when_and_who_waits_for_it_says_that_it_is_silent(stage: Stage) -> None:
    prepared(stage, pilot())
    seen = stage.now()
    beat(stage, 20, "a", "b")
    found = explained(stage)
    c, b = of(found, "c"), of(found, "b")
    assert (c.doing, c.since) == ("silent", seen)
    assert c.waits_for[0].code == "site_silent"
    assert texts(b) == ['Waiting for c (silent) to finish "Train" of round 1.']
    assert [wait.site for wait in found.waits_for] == ["c"]
    assert found.then == c.then


@pytest.mark.parametrize(
    ("policy", "follows", "end", "in_a_step"),
    [
        ("wait", "run_fails", "site_silent_too_long_at_start", True), ("skip", "goes_on_without", None, True),
        ("stop", "run_stops", "stopped_for_silent_site_at_start", False),
    ],
)  # fmt: skip
def test_the_moment_that_is_told_is_that_at_which_the_run_gives_up_on_the_site(
    stage: Stage, policy: str, follows: str, end: str | None, in_a_step: bool
) -> None:
    prepared(stage, pilot(policy))
    if in_a_step:  # its attempt is lost meanwhile and sent again, which begins no new wait
        for message in messages(stage, "c"):
            stage.begin(stage.take(message))
        beat(stage, 1, *SITES)
    seen = stage.now()
    beat(stage, 20, "a", "b")
    told = of(explained(stage), "c").then
    assert told is not None
    assert told.code == follows
    assert told.at is not None
    assert timedelta() <= told.at - seen - timedelta(seconds=LIMIT_S) <= timedelta(seconds=2)
    while stage.now() < told.at - timedelta(seconds=3):
        beat(stage, 1, "a", "b")
        again = of(explained(stage), "c").then
        assert again is not None
        assert again.code == follows  # between two tries as well
        assert again.at is not None
        assert abs(again.at - told.at) <= timedelta(seconds=3)
    assert stage.run("p/dimat").state == "running"
    assert stage.events("p/dimat")["site_left_out"] == 0
    beat(stage, 9, "a", "b")
    run = stage.run("p/dimat")
    found = explained(stage)
    if end is None:
        assert stage.events("p/dimat")["site_left_out"] == 1
        assert of(found, "c").doing == "left"
        assert of(found, "c").code == "left_out_in"
        return
    assert (run.state, (run.reason or {})["code"]) == ("failed", end)
    assert found.reason is not None
    assert found.reason.text.startswith(("Site 'c' kept the run waiting", "Stopped as this pilot says"))
    assert found.reason.text.count('choose "Copy as draft" on the pilot\'s page and launch the copy.') == 1
    assert "restart" not in found.reason.text  # it has no round to restart from
    assert [site.doing for site in found.sites] == ["stopped", "stopped", "silent"]
    assert (
        of(found, "c").text
        == f"No sign of life since {seen:%Y-%m-%d %H:%M:%S} UTC: the run ended because of it."
    )
    beat(stage, 2, *SITES)
    assert of(explained(stage), "c").code == "ended_run_back"


@pytest.mark.parametrize("arm", ["dimat", "local_only"])
def test_the_run_ends_also_where_the_round_is_short_from_which_on_the_site_would_leave(
    stage: Stage, arm: str
) -> None:
    """Its part in round 2 is taken in already; in round 3 the pilot has two members, and it is one."""
    stage.launch(pilot("skip", rounds=5, arms=(arm,)))
    stage.amend({"members": ["a", "b"]}, round=3)
    while stage.run(f"p/{arm}").rounds_done < 1:
        lead(stage, 1, *SITES)
    said: list[str] = []
    while stage.run(f"p/{arm}").state == "running":
        if (then := of(explained(stage, f"p/{arm}"), "a").then) is not None:
            said.append(then.code)
        lead(stage, 1, "b", "c")
    assert (stage.run(f"p/{arm}").reason or {})["code"] == "too_few_sites_left"
    assert said[-1] == "run_ends_short"


def test_of_a_site_without_which_too_few_would_be_left_it_is_said_that_the_run_ends(stage: Stage) -> None:
    launched(stage, pilot("skip"))
    for message in stage.waiting():
        stage.finish(message, stage.begin(stage.take(message)))
    beat(stage, 2, *SITES)
    beat(stage, 4, "a", "b")
    beat(stage, 20, "a")
    first, last = (of(explained(stage), name).then for name in ("c", "b"))
    assert first is not None
    assert first.at is not None
    assert last is not None
    assert last.at is not None
    assert (first.code, last.code) == ("goes_on_without", "run_ends_short")
    assert timedelta() < last.at - first.at <= timedelta(seconds=6)
    assert "fewer than 2 sites would be left" in last.text
    while stage.events("p/dimat")["site_left_out"] == 0:
        beat(stage, 1, "a")
    assert abs(stage.now() - first.at) <= timedelta(seconds=3)
    again = of(explained(stage), "b").then
    assert again is not None
    assert again.code == "run_ends_short"
    while stage.run("p/dimat").state == "running":
        beat(stage, 1, "a")
    assert (stage.run("p/dimat").reason or {})["code"].startswith("too_few_sites_left")
    assert abs(stage.now() - last.at) <= timedelta(seconds=3)


def test_where_two_of_three_sites_fall_silent_at_once_the_run_is_not_said_to_go_on(stage: Stage) -> None:
    """It goes on without the first, and ends for the second in the same moment."""
    stage.launch(pilot("skip", rounds=6, topology={"kind": "full"}))
    while stage.run("p/dimat").rounds_done < 1:
        lead(stage, 1, *SITES)
    lead(stage, 2, *SITES)
    lead(stage, 20, "a")
    found = explained(stage)
    b, c = (of(found, name).then for name in ("b", "c"))
    assert b is not None
    assert c is not None
    assert (b.code, c.code, b.at) == ("goes_on_without", "run_ends_short", c.at)
    assert found.then == c
    while stage.run("p/dimat").state == "running":
        assert explained(stage).then == c
        lead(stage, 1, "a")
    assert (stage.run("p/dimat").reason or {})["params"]["site"] == "c"


def test_a_site_between_two_tries_counts_among_those_without_which_too_few_would_be_left(
    stage: Stage,
) -> None:
    """The attempt of b is lost by its lease as its limit is near: the run goes on without b, and c comes after it."""
    launched(stage, pilot("skip", 40.0))
    for message in messages(stage, "b"):
        stage.begin(stage.take(message))
    beat(stage, 2, *SITES)
    beat(stage, 10, "a", "c")
    said: set[tuple[str | None, str | None]] = set()
    while stage.run("p/dimat").state == "running":
        beat(stage, 1, "a")
        found = explained(stage)
        if found.state == "running" and {of(found, name).doing for name in ("b", "c")} == {"silent"}:
            said.add(tuple(then and then.code for name in ("b", "c") for then in [of(found, name).then]))
    assert said == {("goes_on_without", "run_ends_short")}
    assert [site for _, site, *_ in absences(stage)] == ["b"]
    assert any((step.site_name, step.attempt) == ("b", 2) for step in stage.steps())


@pytest.mark.parametrize(("policy", "left_out", "ended_by"), [("skip", ["b"], "c"), ("stop", [], "b")])
def test_of_sites_that_fell_silent_at_once_that_one_ends_the_run_of_which_it_is_told(
    stage: Stage, policy: str, left_out: list[str], ended_by: str
) -> None:
    """Whichever was asked for its step first: here c."""
    launched(stage, pilot(policy))
    for sites in (SITES, ("c",), ("b",)):
        for message in messages(stage, *sites):
            stage.finish(message, stage.begin(stage.take(message)))
        beat(stage, 2, *SITES)
    asked = {step.site_name: step.id for step in stage.steps() if step.state in STEP_LIVE}
    assert asked["c"] < asked["b"]
    beat(stage, 20, "a")
    found = explained(stage)
    assert found.then is not None
    assert found.then == of(found, ended_by).then
    while stage.run("p/dimat").state == "running":
        beat(stage, 1, "a")
    assert [site for _, site, *_ in absences(stage)] == left_out
    assert (stage.run("p/dimat").reason or {})["params"]["site"] == ended_by


def test_a_pilot_without_a_limit_says_that_it_waits_on(stage: Stage) -> None:
    prepared(stage, pilot(limit_s=None))
    beat(stage, 20, "a", "b")
    then = of(explained(stage), "c").then
    assert then is not None
    assert (then.code, then.at) == ("waits_on", None)


def test_a_step_that_is_tried_again_says_when_why_and_how_often_yet(stage: Stage) -> None:
    launched(stage, pilot())
    for _ in range(2):
        (message,) = messages(stage, "a")
        stage.fail(stage.begin(stage.take(message)), "worker_lost", retryable=True)
        beat(stage, 1, *SITES)
        waiting = of(explained(stage), "a")
        beat(stage, 3, *SITES)
    assert (waiting.doing, waiting.attempt, waiting.attempts) == ("waiting", 3, 3)
    (wait,) = waiting.waits_for
    assert (wait.code, wait.params["cause"]) == ("next_attempt", "worker_lost")
    assert "the worker stopped" in wait.text
    assert wait.then is not None
    assert wait.then.at is not None
    assert timedelta() < wait.then.at - stage.now() + timedelta(seconds=3) <= timedelta(seconds=3)
    # Of a store that is away many more attempts are made.
    (message,) = messages(stage, "b")
    stage.fail(stage.begin(stage.take(message)), "store_unreachable", retryable=True)
    beat(stage, 1, *SITES)
    assert of(explained(stage), "b").attempts == STORE_ATTEMPTS


def test_a_step_whose_process_is_silent_at_a_site_that_is_not_is_told_with_its_lease(stage: Stage) -> None:
    launched(stage, pilot())
    (message,) = messages(stage, "a")
    stage.begin(stage.take(message))
    beat(stage, 20, *SITES)
    site = of(explained(stage), "a")
    (wait,) = site.waits_for
    assert (site.doing, wait.code) == ("preparing", "no_sign_of_life")
    assert wait.then is not None
    assert wait.then.at is not None
    assert wait.since is not None
    assert wait.then.at - wait.since == timedelta(seconds=40)
    while stage.now() < wait.then.at + timedelta(seconds=2):
        beat(stage, 1, *SITES)
    assert of(explained(stage), "a").attempt == 2


def test_since_when_a_run_is_being_paused_is_told_to_the_second(stage: Stage) -> None:
    prepared(stage, pilot())
    before = utc_now()
    stage.ask("p/dimat", asks.PAUSE)
    found = explained(stage)
    assert found.state == "pausing"
    assert before <= found.since <= utc_now()
    assert {site.doing for site in found.sites} == {"paused"}
    assert all(site.since is not None and site.since >= found.since for site in found.sites)
    reason = stage.run("p/dimat").reason
    assert found.reason is not None
    assert found.reason.text == f"Paused by a manager on {found.since:%Y-%m-%d %H:%M:%S} UTC."
    assert reason is not None
    # As it was stored before, to the minute.
    with stage.database.write() as session:
        params = {**reason["params"], "at": "2026-01-01 00:07 UTC"}
        session.get_one(RunRow, "p/dimat").reason = {**reason, "params": params}
    assert explained(stage).since == BEGAN + timedelta(minutes=7)


def test_a_site_that_was_left_out_before_it_had_prepared_is_said_to_be(stage: Stage) -> None:
    launched(stage, pilot("skip"))
    for message in messages(stage, "a", "b"):
        stage.finish(message, stage.begin(stage.take(message)))
    while stage.events("p/dimat")["site_left_out"] == 0:
        beat(stage, 1, "a", "b")
    found = explained(stage)
    c = of(found, "c")
    assert (c.doing, c.code, c.then and c.then.code) == ("left", "left_out", "takes_part_again")
    assert found.params["total"] == 2
    beat(stage, 2, *SITES)
    assert of(explained(stage), "c").kind == "prepare"  # back, and at what it owes


def test_a_paused_run_says_who_paused_it_and_that_somebody_must_resume_it(stage: Stage) -> None:
    prepared(stage, pilot())
    stage.ask("p/dimat", asks.PAUSE, "maintenance")
    beat(stage, 3, *SITES)
    found = explained(stage)
    assert (found.state, found.code) == ("paused", "paused_at_start")
    assert found.reason is not None
    assert found.reason.text.startswith("Paused by a manager on ")
    assert found.reason.text.endswith(": maintenance")
    assert found.then is not None
    assert found.then.code == "goes_on_when_asked"
    assert {site.doing for site in found.sites} == {"paused"}
    assert {site.then and site.then.code for site in found.sites} == {"goes_on_when_asked"}
    assert any(wait.code == "run_paused" for wait in of(found, "c").waits_for)
    assert found.waits_for == []


def test_a_site_whose_worker_is_busy_elsewhere_says_with_what(stage: Stage) -> None:
    stage.launch(pilot(name="other"))
    beat(stage, 2, *SITES)
    (busy,) = messages(stage, "a")
    stage.begin(stage.take(busy))
    stage.launch(pilot())
    beat(stage, 2, *SITES)
    a = of(explained(stage), "a")
    assert (a.doing, texts(a)) == (
        "waiting", ["Waits behind the pilot \"other\", which shares the worker."],
    )  # fmt: skip
    (other,) = [site for site in explained(stage, "other/dimat").sites if site.site == "b"]
    assert other.waits_for[0].code == "turn_behind_start"


def test_what_nobody_has_begun_is_said_so(stage: Stage) -> None:
    launched(stage, pilot())
    a = of(explained(stage), "a")
    assert [wait.code for wait in a.waits_for] == ["site_to_begin"]
    assert a.since == stage.step(messages(stage, "a")[0]).dispatched_at


def test_a_site_that_joins_later_and_one_that_is_left_out_are_not_waited_for(stage: Stage) -> None:
    given = pilot().model_dump(mode="json")
    stage.launch(PilotSpec.model_validate({**given, "waiting": ["c"]}))
    work(stage, "a")
    amendment = stage.amend({"members": ["a", "b", "c"]}, round=3)
    beat(stage, 2, *SITES)
    for message in messages(stage, "c"):  # it prepares, though it joins later
        stage.finish(message, stage.begin(stage.take(message)))
    beat(stage, 2, *SITES)
    assert amendment
    c = of(explained(stage), "c")
    assert (c.doing, c.text) == ("apart", "Takes no part yet; it joins in round 3.")


def test_nobody_waits_for_a_site_that_joins_later_and_it_is_not_counted(stage: Stage) -> None:
    given = pilot().model_dump(mode="json")
    stage.launch(PilotSpec.model_validate({**given, "waiting": ["c"]}))
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == "c").values(state="invited", last_seen_at=None))

    def told() -> tuple[str, str, list[str], int | None]:
        found, c = explained(stage), of(explained(stage), "c")
        assert [wait.site for wait in found.waits_for if wait.site == "c"] == []
        total = found.params["total"]
        assert isinstance(total, int)
        return c.doing, c.text, texts(c), total

    beat(stage, 20, "a", "b")
    assert told() == ("apart", "Takes no part.", [], 2)
    beat(stage, 1, *SITES)
    beat(stage, 20, "a", "b")  # it was there, and is silent
    assert told() == ("apart", "Takes no part.", [], 2)
    stage.amend({"members": ["a", "b", "c"]}, round=3)
    beat(stage, 2, "a", "b")
    doing, text, waits, total = told()
    assert (doing, text, total) == ("apart", "Takes no part yet; it joins in round 3.", 2)
    assert len(waits) == 1
    assert waits[0].startswith("No sign of life since ")
    beat(stage, 2, *SITES)
    for message in messages(stage, "c"):
        stage.begin(stage.take(message))
    beat(stage, 2, *SITES)
    assert told()[0::3] == ("preparing", 2)
    assert explained(stage).text.endswith(": 0 of 2 sites are at work.")


def test_the_wait_for_a_site_that_joins_is_told_from_its_round_on(stage: Stage) -> None:
    joiner_never_connected(stage, "stop")
    told = of(explained(stage), "c").then
    assert told is not None
    assert told.at is not None
    assert timedelta(seconds=25) <= told.at - stage.now() <= timedelta(seconds=30)  # its limit


def test_a_completed_run_has_nothing_more_to_wait_for(stage: Stage) -> None:
    stage.launch(pilot())
    stage.work_until_quiet()
    found = explained(stage)
    assert (found.state, found.code, found.then, found.waits_for) == ("completed", "completed", None, [])
    assert {site.doing for site in found.sites} == {"done"}


def test_a_restarted_run_is_at_work_since_it_was_restarted_and_not_since_the_round_of_its_parent(
    stage: Stage,
) -> None:
    stage.launch(pilot())
    stage.work_until_quiet()
    beat(stage, 60, *SITES)
    child = restarted(stage, "p/dimat", 2).run.id
    beat(stage, 2, *SITES)
    found, began = explained(stage, child), stage.run(child).started_at
    assert began is not None
    assert found.params["since"] == began.isoformat(timespec="seconds")


def test_a_step_that_fails_for_good_is_named_at_its_site(stage: Stage) -> None:
    launched(stage, pilot())
    (message,) = messages(stage, "b")
    stage.fail(stage.begin(stage.take(message)), "data_changed", retryable=False)
    beat(stage, 2, *SITES)
    found = explained(stage)
    assert [site.doing for site in found.sites] == ["stopped", "failed", "stopped"]
    assert found.reason is not None
    assert found.reason.code == "data_changed"


def _said(found: RunExplained) -> Sequence[str]:
    tree = found.model_dump_json()
    return re.findall(r'"text":"((?:[^"\\]|\\.)*)"', tree)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_is_said_whole_in_both_languages(stage: Stage, lang: str) -> None:
    prepared(stage, pilot())
    beat(stage, 20, "a", "b")
    said = list(_said(explained(stage, lang=lang)))
    stage.ask("p/dimat", asks.PAUSE)
    beat(stage, 2, "a", "b")
    said += _said(explained(stage, lang=lang))
    assert len(said) > 10
    assert [text for text in said if "{" in text or text.startswith("explain.")] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_of_an_explanation_can_be_said(lang: str) -> None:
    source = "".join(path.read_text() for path in Path(backend.explain.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'(?:told|of_step)\(\s*"(\w+)"', source)) | set(
        re.findall(r'code = "(\w+)"', source)
    )
    codes |= set(_ENDINGS.values()) | set(_FOLLOWS.values())
    codes |= {f"{part}_{what}" for part in ("broker", "coordinator") for what in ("away", "back")}
    assert {"site_silent", "tried_again", "left_out", "run_fails", "begins"} <= codes
    known = {f"{part}.{code}" for part in ("site", "wait", "then") for code in codes}
    said = {key for key in known if find(lang, f"explain.{key}") or find(lang, f"explain.{key}_at_start")}
    assert {code for code in codes if not any(key.endswith(f".{code}") for key in said)} == set()
    for state in (
        "queued",
        "running",
        "pausing",
        "paused",
        "resuming",
        "cancelling",
        "cancelled",
        "failed",
        "completed",
    ):
        assert find(lang, f"explain.run.{state}")
        if state not in ("running", "completed", "cancelled", "failed"):
            assert find(lang, f"explain.wait.run_{state}")


def test_a_viewer_reads_it_in_the_language_that_is_asked_for(api: Api) -> None:
    runs = launch(api.manager, create_pilot(api.manager))
    path = f"/api/v1/runs/{runs[0]['id']}/explain"
    english = api.viewer.get(path).json()
    assert english["text"].startswith("Waiting to begin since ")
    assert english["then"]["text"] == "It begins as soon as the server takes it up."
    assert [site["doing"] for site in english["sites"]] == ["silent"] * 3  # none was ever connected
    japanese = api.viewer.get(path, params={"lang": "ja"}).json()
    assert japanese["text"].endswith("から開始を待っています。")
    by_header = api.viewer.get(path, headers={"Accept-Language": "ja"}).json()
    assert by_header["text"] == japanese["text"]
    assert api.anonymous.get(path).status_code == 401
    assert api.viewer.get("/api/v1/runs/none/explain").status_code == 404


@pytest.mark.parametrize("policy", ["stop", "wait"])
def test_of_limits_that_a_break_puts_off_to_one_moment_the_one_that_was_over_first_is_told(
    stage: Stage, policy: str
) -> None:
    """As the coordinator, which ends the run for that site."""
    stage.launch(pilot(policy, 36.0, rounds=8, topology={"kind": "full"}))
    while stage.run("p/dimat").rounds_done < 1:
        lead(stage, 1, *SITES)
    lead(stage, 2, *SITES)
    for _ in range(3):  # c falls silent first
        stage.beat("w", "a", "b")
        stage.turn()
        for message in list(stage.post.queues.get("a", ())):
            stage.finish(message, stage.begin(stage.take(message)))
    lead(stage, 27, "a")
    stage.let_pass(120)
    stage.restart()
    lead(stage, 1, "a")
    said = ""
    while stage.run("p/dimat").state == "running":
        follows = explained(stage).then
        assert follows is not None
        said = follows.text
        lead(stage, 1, "a")
    reason = stage.run("p/dimat").reason
    assert reason is not None
    assert reason["params"]["site"] == "c"
    assert said.startswith("Without a sign of life from c the run")
