"""A person's first hour, in a real browser against a real server: each test goes on where the one before it stopped."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.browser import context
from tests.browser.watched import Watched, sign_in_link
from tests.system.house import House

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def watched(house: House, browser: Browser) -> Iterator[Watched]:
    """One person's browser; the tests below go through the pages with it, one after the other, from an empty Awase on."""
    profile = context(browser)
    yield Watched(profile, house.origin)
    profile.close()


def test_page_asks_to_sign_in_and_a_link_signs_in(house: House, watched: Watched) -> None:
    page = watched.open("/")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    watched.complaints.clear()  # the browser itself reports the 401 that says nobody is signed in
    page.goto(sign_in_link(house))  # into the same tab: only what is behind the # is new
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    assert "#" not in page.url
    watched.is_clean()


def test_first_page_says_what_to_do_when_there_is_nothing(watched: Watched) -> None:
    page = watched.open("/")
    expect(page.get_by_text("No pilot yet")).to_be_visible()
    expect(page.get_by_text("./awase demo")).to_be_visible()


def test_sites_and_a_topology_are_made_with_the_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    for name in ("site-a", "site-b", "site-c"):
        watched.open("/sites/new")
        tab_to(page, "Name *")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    watched.open("/topologies/new")
    tab_to(page, "Name *")
    page.keyboard.type("by-keyboard")
    tab_to(page, re.compile("^site-a, linked to"))
    page.keyboard.press("Enter")
    tab_to(page, re.compile("^site-b, linked to"))
    page.keyboard.press("Enter")
    box = page.get_by_role("checkbox", name="Link between site-a and site-b").first
    expect(box).not_to_be_checked()
    expect(fact(page, "Links")).to_have_text("2")
    tab_to(page, "Link between site-b and site-c")
    page.keyboard.press("Space")
    expect(page.get_by_text(re.compile("is not connected"))).to_be_visible()
    tab_to(page, "Undo", back=True)
    page.keyboard.press("Enter")
    expect(fact(page, "Connected")).to_have_text("Yes")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="by-keyboard")).to_be_visible()
    watched.is_clean()


def test_mouse_toggles_a_link_between_two_sites(watched: Watched) -> None:
    page = watched.open("/topologies/new")
    page.get_by_role("button", name="Full", exact=True).click()
    page.get_by_role("button", name=re.compile("^site-a, linked to")).click()
    page.get_by_role("button", name=re.compile("^site-c, linked to")).click()
    expect(fact(page, "Links")).to_have_text("2")


def test_what_is_wrong_with_a_topology_is_listed_with_links_to_its_inputs(watched: Watched) -> None:
    page = watched.open("/topologies/new")
    for pair in ("site-a and site-b", "site-b and site-c"):
        page.get_by_role("checkbox", name=f"Link between {pair}").first.click()
    expect(fact(page, "Connected")).to_have_text("No")
    page.get_by_role("button", name="Save").click()
    listed = page.get_by_role("main").get_by_role("alert")
    name = page.get_by_label("Name *", exact=True)
    expect(listed.get_by_role("link")).to_have_text(["Name"])
    expect(listed).to_contain_text("This value is missing.")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("This value is missing."))
    name.fill("torn")
    page.get_by_role("button", name="Save").click()
    expect(listed.get_by_role("link")).to_have_text(["Links"])
    expect(listed).to_be_focused()
    listed.get_by_role("link", name="Links").click()
    expect(page.locator("#field-spec")).to_be_focused()
    expect(page.locator("#field-spec")).to_contain_text("is not connected")
    watched.complaints.clear()  # the browser itself reports the 422s that were asked for


def test_wrong_values_are_named_at_their_inputs_and_listed_on_top_with_links(watched: Watched) -> None:
    page = watched.open("/pilots/new")
    name = page.get_by_label("Name *", exact=True)
    name.fill("")
    page.get_by_label("Rounds", exact=True).fill("0")
    page.get_by_role("textbox", name="Seeds").fill("1, 1")
    page.get_by_role("button", name="Save draft").click()
    listed = page.get_by_role("main").get_by_role("alert")
    expect(listed).to_contain_text("2 values need to be corrected")
    expect(listed.get_by_role("link")).to_have_text(["Name", "Rounds"])
    rounds = page.get_by_label("Rounds", exact=True)
    for box, said in (
        (rounds, "0 is too small: it must be at least 1"),
        (name, "This value is missing. Fill it in."),
    ):
        expect(box).to_have_attribute("aria-invalid", "true")
        expect(box).to_have_accessible_description(re.compile(re.escape(said)))
    listed.get_by_role("link", name="Rounds").click()
    expect(rounds).to_be_focused()
    expect(rounds).to_be_in_viewport()

    # What the server looks at together comes once each value alone can be used.
    name.fill("zero")
    rounds.fill("2")
    page.get_by_role("button", name="Save draft").click()
    seeds = page.get_by_role("textbox", name="Seeds")
    expect(seeds).to_have_attribute("aria-invalid", "true")
    expect(listed.get_by_role("link")).to_have_text(["Seeds"])

    seeds.fill("1")
    page.get_by_label("Training rows of each site", exact=True).fill("9000")
    page.get_by_role("button", name="Save draft").click()
    expect(listed.get_by_role("link")).to_have_text(["Training rows of each site"])
    expect(listed).to_contain_text("The data set 'pendigits' has")
    watched.complaints.clear()  # the browser itself reports the 422s that were asked for


def test_a_launch_that_is_not_confirmed_says_that_its_draft_is_kept(watched: Watched) -> None:
    page = watched.open("/pilots/new")
    page.get_by_label("Title", exact=True).fill("Not yet")
    page.get_by_label("Name *", exact=True).fill("not-yet")
    page.get_by_role("button", name="Save and launch…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('saved as the draft "Not yet"')
    dialog.get_by_role("button", name="Back").click()
    expect(page.get_by_text('Your settings are kept as the draft "Not yet" under "Pilots".')).to_be_visible()
    expect(page.get_by_role("heading", name='Edit "Not yet"')).to_be_visible()
    assert page.url.endswith("/edit")


def test_a_copy_says_so_in_its_title_and_has_a_name_of_its_own(watched: Watched) -> None:
    for name in ("not-yet-copy", "not-yet-copy-2"):
        page = watched.open("/pilots")
        page.get_by_role("link", name="Not yet", exact=True).click()
        page.get_by_role("button", name="Copy as draft").click()
        page.get_by_role("dialog").get_by_role("button", name="Copy as draft").click()
        expect(page.get_by_label("Title", exact=True)).to_have_value("Not yet (copy)")
        expect(page.get_by_label("Name *", exact=True)).to_have_value(name)


def test_small_pilot_is_launched_and_its_chart_grows(watched: Watched) -> None:
    page = watched.open("/pilots/new")
    page.get_by_label("Title", exact=True).fill("A small pilot")
    page.get_by_label("Name *", exact=True).fill("small-pilot")
    page.get_by_label("Rounds", exact=True).fill("12")
    for arm in ("plain_average", "dimat"):
        page.get_by_role("button", name=f"Remove the arm {arm}").click()
    page.get_by_role("button", name="Save and launch…").click()
    page.get_by_role("dialog").get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("heading", name="A small pilot")).to_be_visible()
    page.get_by_role("link", name="common_basis", exact=True).first.click()
    expect(page.get_by_role("heading", name="Run of common_basis")).to_be_visible()

    points = page.get_by_role("img", name=re.compile("^Accuracy")).locator("path.point")
    expect(points.first).to_be_attached(timeout=60_000)
    before = points.count()
    expect(page.get_by_text("12 of 12 rounds are finished.")).to_be_visible(timeout=120_000)
    expect(points.nth(before + 5)).to_be_attached()
    expect(page.get_by_text("The run common_basis is completed.")).to_be_visible()
    watched.is_clean()


def test_roi_is_read_in_both_views_and_never_says_go_with_one_seed(watched: Watched) -> None:
    page = watched.open("/pilots")
    page.get_by_role("link", name="A small pilot").click()
    expect(page.get_by_role("heading", name="ROI, in both views")).to_be_visible(timeout=60_000)
    for view in ("By own-site accuracy", "By all-site accuracy"):
        table = page.get_by_role("table", name=view)
        expect(table.get_by_role("cell").first).to_have_text("common_basis")
        expect(table).to_contain_text("¥")
    top = page.locator(".aw-headline")
    expect(top).to_contain_text("After round 12 of 12")
    expect(top.get_by_text("Verdict: Not enough evidence", exact=True)).to_be_visible()
    expect(page.get_by_text("Example assumptions").first).to_be_visible()
    page.get_by_role("button", name="Show as table ROI over time").click()
    expect(page.get_by_role("region", name="ROI over time").get_by_role("row").nth(1)).to_be_visible()


def test_filter_of_the_history_is_in_the_address(watched: Watched) -> None:
    page = watched.open("/runs?state=completed&method=common_basis")
    expect(page.get_by_role("status").filter(has_text="Runs: 1")).to_be_visible()
    page.get_by_role("button", name="Created").click()
    expect(page).to_have_url(re.compile("sort=created_at"))
    page.reload()
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute("aria-sort", "ascending")
    page = watched.open("/runs")
    text = page.get_by_role("search").get_by_role("textbox").first
    text.press_sequentially("comm")
    expect(page).to_have_url(re.compile("q=comm"))
    page.keyboard.type("on")  # typing goes on where it paused
    expect(page).to_have_url(re.compile("q=common"))
    expect(text).to_have_value("common")


def fact(page: Page, name: str) -> Locator:
    """The value beside a term of the topology's facts."""
    return page.locator("dt", has_text=re.compile(f"^{name}$")).locator("xpath=following-sibling::dd[1]")


def tab_to(page: Page, name: "str | re.Pattern[str]", back: bool = False) -> None:
    """Presses Tab until the thing of that accessible name has the focus."""
    wanted = name if isinstance(name, re.Pattern) else re.compile(f"^{re.escape(name.removesuffix(' *'))}")
    for _ in range(120):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        said = page.evaluate(
            "(() => { const e = document.activeElement; return e.getAttribute('aria-label')"
            " ?? (e.labels?.[0]?.textContent || e.textContent || '').trim(); })()"
        )
        if wanted.search(str(said)):
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")
