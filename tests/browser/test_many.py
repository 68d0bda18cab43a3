"""What must hold where there are many of a thing: more than one answer of the server holds, more than a phone is wide."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browser import context
from tests.browser.test_pages import check
from tests.browser.watched import sign_in_link
from tests.system.house import PENDIGITS, House, small_pilot

pytestmark = pytest.mark.timeout(300)
FIRST, LAST = "a-first", "z-last"


@pytest.fixture(scope="module")
def house(house: House) -> House:
    """With more sites than one answer holds; none of them has a worker."""
    for name in (FIRST, *(f"site-{number:03}" for number in range(200)), LAST):
        house.post(
            "/sites",
            {"name": name, "display_name": f"Plant {name}", "data": PENDIGITS, "placement": "remote"},
        )
    return house


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    profile = context(browser)
    found = profile.new_page()
    found.goto(sign_in_link(house))
    expect(found.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    yield found
    profile.close()


def test_every_site_that_is_away_is_named_however_many_sites_there_are(house: House, page: Page) -> None:
    sites = [{"name": name, "data": PENDIGITS} for name in (FIRST, "site-100", LAST)]
    pilot = house.post("/pilots", {"spec": {**small_pilot(name="wide"), "sites": sites}})
    page.goto(f"{house.origin}/pilots/{pilot['id']}")
    page.get_by_role("button", name="Launch", exact=True).click()
    dialog = page.get_by_role("dialog")
    for name in (FIRST, LAST):
        expect(dialog).to_contain_text(f"Plant {name}")
    dialog.get_by_role("button", name="Back").click()


def test_a_site_beyond_the_first_answer_can_be_chosen_for_a_topology(house: House, page: Page) -> None:
    page.goto(f"{house.origin}/topologies/new")
    box = page.get_by_role("combobox", name="Sites")
    for name in (FIRST, LAST):
        box.fill(name)
        expect(page.get_by_role("option", name=f"Plant {name}")).to_be_visible()


def test_thirteen_sites_are_numbered_on_a_phone_and_named_below(
    house: House, browser: Browser, axe: str
) -> None:
    names = [f"site-{number:03}" for number in range(13)]
    made = house.post("/topologies", {"name": "thirteen", "site_names": names, "spec": {"kind": "ring"}})
    profile = context(browser, width=390, height=844)
    page = profile.new_page()
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    page.goto(f"{house.origin}/topologies/{made['id']}")
    nodes = page.locator(".aw-node")
    expect(nodes).to_have_text([str(number) for number in range(1, 14)])
    expect(nodes.nth(12)).to_have_accessible_name(re.compile("^13 Plant site-012, linked to"))
    listed = page.get_by_role("list", name="Sites").get_by_role("listitem")
    expect(listed).to_have_text([f"Plant {name}" for name in names])
    # The graph is scaled to its frame: what counts is the size on the screen.
    boxes = [box for one in nodes.all() if (box := one.bounding_box()) is not None]
    assert len(boxes) == 13
    assert min(box["width"] for box in boxes) >= 30
    assert [
        (a, b)
        for at, a in enumerate(boxes)
        for b in boxes[at + 1 :]
        if abs(a["x"] - b["x"]) < a["width"] and abs(a["y"] - b["y"]) < a["height"]
    ] == []
    nodes.nth(0).click()
    nodes.nth(6).click()
    expect(nodes.nth(6)).to_have_accessible_name(re.compile("Plant site-000"))
    assert check(page, axe) == []
    profile.close()
