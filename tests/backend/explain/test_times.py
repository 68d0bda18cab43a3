"""What an explanation says of times: those of leases, windows and timetables, and of the time in which nobody coordinates."""

from datetime import timedelta

import pytest

from backend.coordinator.ports import PortUnavailable
from backend.coordinator.trouble import Trouble
from backend.runs import asks
from tests.backend.coordinator.stage import BEGAN, SITES, Stage
from tests.backend.coordinator.test_timers import HOUR_S, to_hour
from tests.backend.coordinator.test_timers import pilot as hourly
from tests.backend.coordinator.test_windows import give_window
from tests.backend.explain.test_explain import beat, explained, launched, messages, of, pilot, texts, work


def test_a_lease_runs_from_when_somebody_listens_again(stage: Stage) -> None:
    """Of a server that was restored, or away for long, no time is promised that is over."""
    launched(stage, pilot())
    (message,) = messages(stage, "a")
    stage.begin(stage.take(message))
    stage.turn()
    stage.let_pass(300)
    stage.restart()
    beat(stage, 20, *SITES)
    (wait,) = of(explained(stage), "a").waits_for
    assert wait.code == "no_sign_of_life"
    assert wait.then is not None
    assert wait.then.at is not None
    assert wait.then.at > stage.now()
    while stage.now() < wait.then.at + timedelta(seconds=2):
        beat(stage, 1, *SITES)
    assert of(explained(stage), "a").attempt == 2


def test_while_nobody_coordinates_all_wait_for_that_and_no_site_is_blamed_or_given_a_time(
    stage: Stage,
) -> None:
    launched(stage, pilot())
    (message,) = messages(stage, "a")
    stage.begin(stage.take(message))
    stage.turn()
    heard = stage.now()
    stage.let_pass(26)
    found = explained(stage)
    assert (
        found.text
        == f"The start waits for the server's coordinator, silent since {heard:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert (found.then and found.then.code, found.then and found.then.at) == ("coordinator_back", None)
    assert found.waits_for == []
    assert {(wait.code, wait.since) for site in found.sites for wait in site.waits_for} == {
        ("coordinator_away", heard)
    }
    assert [site.then for site in found.sites] == [None] * 3
    assert of(found, "a").doing == "preparing"
    beat(stage, 2, *SITES)
    assert explained(stage).code == "running_at_start"


def test_while_the_broker_is_away_all_wait_for_that_and_neither_a_site_nor_the_coordinator_is_blamed(
    stage: Stage,
) -> None:
    launched(stage, pilot())
    since = stage.now() + timedelta(seconds=1)
    trouble = Trouble(stage.database, "redis://127.0.0.1:1/0", stage.now)
    for _ in range(6):
        stage.let_pass(5)
        trouble.met(PortUnavailable("gone"), since)
    found = explained(stage)
    assert (
        found.text
        == f"The start waits for the server's broker (Redis or Valkey), which has been away since {since:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert (found.then and found.then.code, found.waits_for) == ("broker_back", [])
    assert {(wait.code, wait.since) for site in found.sites for wait in site.waits_for} == {
        ("broker_away", since)
    }
    stage.let_pass(60)  # the coordinator went as well
    assert explained(stage).code == "coordinator_away_at_start"
    stage.restart()
    beat(stage, 2, *SITES)
    trouble.is_over()
    assert explained(stage).code == "running_at_start"


def test_a_paused_run_waits_for_a_person_and_not_for_who_coordinates(stage: Stage) -> None:
    launched(stage, pilot())
    stage.ask("p/dimat", asks.PAUSE)
    beat(stage, 2, *SITES)
    stage.let_pass(60)
    found = explained(stage)
    assert (found.code, found.then and found.then.code) == ("paused_at_start", "goes_on_when_asked")


def test_a_site_outside_of_its_window_says_when_it_opens_and_its_silence_counts_within_it(
    stage: Stage,
) -> None:
    give_window(stage, "c")  # from 20:00 to 06:00; it is midnight
    stage.let_pass(7 * HOUR_S)
    launched(stage, pilot(limit_s=2 * HOUR_S))
    opens = BEGAN + timedelta(hours=20)
    site = of(explained(stage), "c")
    assert [(wait.code, wait.then and wait.then.at) for wait in site.waits_for] == [("window_closed", opens)]
    assert texts(site) == [f"Its time window is closed until {opens:%Y-%m-%d %H:%M} (UTC)."]
    beat(stage, 15, "a", "b")
    ends = [
        wait.then.at
        for wait in of(explained(stage), "c").waits_for
        if wait.code == "site_silent" and wait.then
    ]
    assert ends == [opens + timedelta(hours=2)]


def test_a_round_that_is_not_due_yet_is_named_with_its_time(stage: Stage) -> None:
    launched(stage, hourly(rounds=3))
    work(stage, *SITES)
    due = BEGAN + timedelta(hours=1)
    found = explained(stage)
    assert {(site.doing, *(wait.code for wait in site.waits_for)) for site in found.sites} == {
        ("waiting", "round_due")
    }
    assert found.then is not None
    assert (found.then.code, found.then.at) == ("round_begins", due)
    assert texts(of(found, "a")) == ["Waiting for the time of round 1: 2026-01-01 10:00 (Asia/Tokyo)."]
    assert found.text == "Waiting for the time of round 1 of 3: 2026-01-01 10:00 (Asia/Tokyo)."


def test_a_round_with_a_time_is_worked_at_since_it_was_opened_and_not_since_the_one_before_was_done(
    stage: Stage,
) -> None:
    launched(stage, hourly(rounds=3))
    work(stage, *SITES)
    to_hour(stage, 1)
    found = explained(stage)
    assert found.text == "At round 1 of 3 since 2026-01-01 01:00:00 UTC: 0 of 3 sites are at work."


def test_a_round_whose_time_has_come_is_about_to_begin_where_no_run_is_behind(stage: Stage) -> None:
    launched(stage, hourly(rounds=3))
    work(stage, *SITES)
    stage.let_pass((BEGAN + timedelta(hours=1) - stage.now()).total_seconds() - 2)
    beat(stage, 1, *SITES)
    stage.let_pass(1)
    found = explained(stage)
    assert found.text == "Round 1 of 3 is due and about to begin."
    assert {wait.code for site in found.sites for wait in site.waits_for} == {"round_begins_now"}


def test_who_waits_for_another_site_is_told_that_the_time_of_the_round_has_to_come_too(stage: Stage) -> None:
    launched(stage, hourly(rounds=3))
    work(stage, "a", "b")
    site = of(explained(stage), "b")
    assert {wait.code for wait in site.waits_for} == {"round_due", "steps_at_start"}
    assert (site.then and site.then.code, site.then and site.then.at) == (
        "round_begins",
        BEGAN + timedelta(hours=1),
    )


@pytest.mark.parametrize("hours", [0, 2])
def test_a_paused_run_waits_for_somebody_who_resumes_it_and_not_for_the_time_of_a_round(
    stage: Stage, hours: int
) -> None:
    launched(stage, hourly(rounds=3))
    work(stage, *SITES)
    stage.ask("p/dimat", asks.PAUSE)
    stage.turn()
    stage.let_pass(hours * HOUR_S)
    beat(stage, 1, *SITES)
    found = explained(stage)
    assert found.then is not None
    assert found.then.code == "goes_on_when_asked"
    assert {
        (site.doing, *(wait.code for wait in site.waits_for), site.then and site.then.code)
        for site in found.sites
    } == {("paused", "run_paused", "goes_on_when_asked")}
