"""What a page does about what happened elsewhere meanwhile: another person, another tab."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.watched import Watched, sign_in_link, signed_in
from tests.system.house import House, small_pilot

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def watched(house: House, browser: Browser) -> Iterator[Watched]:
    with signed_in(house, browser) as found:
        yield found


def draft(house: House, name: str) -> dict[str, Any]:
    spec = small_pilot(name=name, title=f"Pilot {name}")
    known = {site["name"] for site in house.get("/sites?limit=100")["items"]}
    for site in spec["sites"]:
        if site["name"] not in known:
            house.post("/sites", {"name": site["name"], "data": site["data"]})
    made: dict[str, Any] = house.post("/pilots", {"spec": spec})
    return made


def test_a_draft_that_somebody_changed_is_shown_anew_instead_of_launched(
    house: House, watched: Watched
) -> None:
    pilot = draft(house, "shown")
    page = watched.open(f"/pilots/{pilot['id']}")
    page.get_by_role("button", name="Launch", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 runs of 3 rounds")
    house.patch(f"/pilots/{pilot['id']}", {"spec": {**pilot["spec"], "rounds": 4}})
    dialog.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text('"Pilot shown" was changed meanwhile')
    expect(dialog).to_be_hidden()
    assert house.get(f"/pilots/{pilot['id']}")["state"] == "draft"
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(dialog).to_contain_text("2 runs of 4 rounds")
    dialog.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("button", name="Launch", exact=True)).to_have_count(0)
    assert house.get(f"/pilots/{pilot['id']}")["spec"]["rounds"] == 4


def test_the_form_launches_only_what_it_saved(house: House, watched: Watched) -> None:
    pilot = draft(house, "saved")
    page = watched.open(f"/pilots/{pilot['id']}/edit")
    expect(page.get_by_text("A draft: everything can still be changed.")).to_be_visible()
    expect(page.get_by_text("The defaults are safe to launch.")).to_have_count(0)  # of a new one
    page.get_by_role("button", name="Save and launch…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 runs of 3 rounds")
    house.patch(f"/pilots/{pilot['id']}", {"spec": {**pilot["spec"], "rounds": 5}})
    dialog.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text('"Pilot saved" was changed meanwhile')
    expect(page).to_have_url(f"{house.origin}/pilots/{pilot['id']}")
    assert house.get(f"/pilots/{pilot['id']}")["state"] == "draft"
    expect(page.get_by_role("button", name="Launch", exact=True)).to_be_visible()


def test_entries_stay_until_what_somebody_else_saved_is_loaded_on_purpose(
    house: House, watched: Watched
) -> None:
    pilot = draft(house, "edited")
    site = house.get("/sites?limit=1")["items"][0]
    names = [one["name"] for one in pilot["spec"]["sites"]]
    topology = house.post("/topologies", {"name": "edited", "site_names": names, "spec": {"kind": "ring"}})
    for path, field, change, theirs in (
        (
            f"/pilots/{pilot['id']}/edit",
            "Title",
            {"spec": {**pilot["spec"], "title": "Theirs"}},
            "Theirs",
        ),
        (f"/sites/{site['id']}", "Display name", {"display_name": "Theirs"}, "Theirs"),
        (f"/topologies/{topology['id']}", "Name", {"name": "theirs"}, "theirs"),
    ):
        page = watched.open(path)
        entry = page.get_by_label(field).first
        expect(entry).to_be_visible()
        house.patch(path.removesuffix("/edit"), change)
        entry.fill("mine")
        page.evaluate(
            "window.dispatchEvent(new Event('visibilitychange'))"
        )  # as when the tab is come back to
        page.get_by_role("button", name=re.compile("^Save( draft)?$")).click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("you read revision 1, now it is 2.")
        expect(alert).to_contain_text("What you entered is still here, but not saved.")
        expect(entry).to_have_value("mine")
        alert.get_by_role("button", name="Load what is saved now").click()
        expect(entry).to_have_value(theirs)
        expect(alert).to_have_count(0)
        entry.fill("mine-again")
        page.get_by_role("button", name=re.compile("^Save( draft)?$")).click()
        expect(
            page.get_by_role("heading", name=re.compile("^(Sites|Topologies|mine-again)$"))
        ).to_be_visible()


def test_a_form_whose_answer_never_came_says_so_and_can_be_sent_again(house: House, watched: Watched) -> None:
    pilot = draft(house, "unheard")
    site = house.get("/sites?limit=1")["items"][0]
    for path, thing, opens, button in (
        (f"/sites/{site['id']}", f"sites/{site['id']}", None, "Save"),
        (f"/pilots/{pilot['id']}", f"pilots/{pilot['id']}", "Edit assumptions", "Save"),
    ):
        page = watched.open(path)
        if opens:
            page.get_by_role("button", name=opens).click()
        saves = page.get_by_role("button", name=button, exact=True)
        expect(saves).to_be_visible()
        page.route(
            f"**/api/v1/{thing}",
            lambda route: route.abort() if route.request.method == "PATCH" else route.continue_(),
        )
        saves.click()
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
        page.unroute_all()
        saves.click()
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_tab_goes_on_after_a_sign_in_in_another_one(house: House, watched: Watched) -> None:
    page = watched.open("/settings")
    expect(page.get_by_label("Token name *")).to_be_visible()
    other = watched.profile.new_page()
    other.goto(sign_in_link(house))
    expect(other.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    page.get_by_label("Token name *").fill("first-tab")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Revoke token first-tab")).to_be_visible()
