"""What a person does on the pages, in a real browser against a real server, and what must hold on each page."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.browser import context
from tests.browser.watched import Watched, sign_in_link
from tests.system.house import PENDIGITS, House, small_pilot

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def watched(house: House, browser: Browser) -> Iterator[Watched]:
    """One person's browser; the tests below go through the pages with it, one after the other."""
    profile = context(browser)
    yield Watched(profile, house.origin)
    profile.close()


@pytest.fixture(scope="module")
def pilot_id(house: House) -> str:
    """A small pilot that has ended."""
    found = house.launch({**small_pilot(), "name": "ended"})
    house.wait_for_end(found)
    return found


def test_page_asks_to_sign_in_and_a_link_signs_in(house: House, watched: Watched) -> None:
    page = watched.open("/")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    watched.complaints.clear()  # the browser itself reports the 401 that says nobody is signed in
    page.goto("about:blank")
    page.goto(sign_in_link(house))
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
    for box, said in ((rounds, "The value must be at least 1"), (name, "This value is missing. Fill it in.")):
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


def test_a_copy_says_so_in_its_title(watched: Watched) -> None:
    page = watched.open("/pilots")
    page.get_by_role("link", name="Not yet", exact=True).click()
    page.get_by_role("button", name="Copy as draft").click()
    page.get_by_role("dialog").get_by_role("button", name="Copy as draft").click()
    expect(page.get_by_label("Title", exact=True)).to_have_value("Not yet (copy)")


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


def test_language_and_theme_change_without_a_reload_and_survive_one(watched: Watched) -> None:
    page = watched.open("/")
    page.evaluate("window.stillHere = true")
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", name="ホーム", exact=True)).to_be_visible()
    page.get_by_role("button", name="ダーク").click()
    root = page.locator("html")
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    expect(root).to_have_attribute("lang", "ja")
    assert page.evaluate("window.stillHere") is True
    page.reload()
    expect(page.get_by_role("heading", name="ホーム", exact=True)).to_be_visible()
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Light", exact=True).click()
    watched.is_clean()


def test_filter_of_the_history_is_in_the_address(watched: Watched) -> None:
    page = watched.open("/runs?state=completed&method=common_basis")
    expect(page.get_by_role("status").filter(has_text="Runs: 1")).to_be_visible()
    page.get_by_role("button", name="Created").click()
    expect(page).to_have_url(re.compile("sort=created_at"))
    page.reload()
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute("aria-sort", "ascending")


def test_token_is_shown_once_and_can_be_revoked(watched: Watched) -> None:
    page = watched.open("/settings")
    page.get_by_label("Token name *").fill("nightly")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text(re.compile("^awase_"))).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Revoke token nightly")).to_be_visible()
    expect(page.get_by_text(re.compile("^awase_"))).to_have_count(0)
    page.get_by_role("button", name="Revoke token nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("button", name="Revoke token nightly")).to_have_count(0)
    watched.is_clean()


def test_stale_page_says_so_and_comes_back_by_itself(house: House, watched: Watched) -> None:
    page = watched.open("/sites")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    house.kill("api")
    expect(page.get_by_text("Stale: reconnecting…")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
    watched.complaints.clear()  # the browser itself reports the connection that was cut on purpose


def test_assumptions_given_after_the_launch_value_what_was_measured(watched: Watched, pilot_id: str) -> None:
    page = watched.open(f"/pilots/{pilot_id}")
    table = page.get_by_role("table", name="By own-site accuracy")
    expect(page.get_by_text("the pilot has no business assumptions").first).to_be_visible()
    page.get_by_role("button", name="Edit assumptions").click()
    currency = page.get_by_role("combobox", name="Currency")
    currency.click()
    currency.fill("eur")
    page.get_by_role("option", name="EUR – Euro").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(table).to_contain_text("€")
    # Another currency alone makes no figure one's own.
    expect(page.get_by_role("main").get_by_text("Example assumptions").first).to_be_visible()
    page.get_by_role("button", name="Edit assumptions").click()
    page.get_by_label("One-off cost").fill("1234")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("main").get_by_text("Example assumptions")).to_have_count(0)
    watched.is_clean()


def test_run_of_the_control_arm_has_no_roi_panel_but_a_line(
    house: House, watched: Watched, pilot_id: str
) -> None:
    control = next(run for run in house.runs(pilot_id) if run["method"] == "local_only")
    page = watched.open(f"/runs/{control['id']}")
    expect(page.get_by_text("so it has no ROI of its own")).to_be_visible()
    expect(page.get_by_role("heading", name="ROI over time")).to_have_count(0)


def test_events_are_read_to_the_beginning(house: House, watched: Watched, pilot_id: str) -> None:
    page = watched.open(f"/runs/{house.runs(pilot_id)[0]['id']}")
    lines = page.get_by_role("list", name="Events").get_by_role("listitem")
    expect(lines).to_have_count(10)
    older = page.get_by_role("button", name="Show older")
    older.click()
    expect(older).to_have_count(0)
    assert lines.count() > 10


def test_new_remote_site_shows_the_command_to_run_there(watched: Watched) -> None:
    page = watched.open("/sites/new")
    page.get_by_label("Name *", exact=True).fill("far-away")
    page.get_by_role("combobox", name="Where its worker runs").click()
    page.get_by_role("option", name="On a machine of its own").click()
    page.get_by_role("button", name="Create site").click()
    # The form names the command, too; only the site's own page has it ready to be copied.
    command = page.get_by_role("code").filter(has_text="./awase worker --site far-away")
    expect(command).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()


def test_a_site_that_no_worker_serves_is_named_before_the_launch(house: House, watched: Watched) -> None:
    page = watched.open("/pilots/new")
    chosen = page.locator(".mantine-Pill-root")
    expect(chosen.filter(has_text="site-a")).to_have_count(1)
    expect(chosen.filter(has_text="far-away")).to_have_count(0)  # not among those to begin with
    spec = small_pilot(name="with-far-away", title="With a site far away")
    spec["sites"][2] = {"name": "far-away", "data": spec["sites"][0]["data"]}
    pilot = house.post("/pilots", {"spec": spec})
    page = watched.open(f"/pilots/{pilot['id']}")
    page.get_by_role("button", name="Launch", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Not online: far-away. Runs wait for this site.")
    dialog.get_by_role("button", name="Back").click()


def test_audit_speaks_in_sentences_with_names(watched: Watched) -> None:
    page = watched.open("/settings")
    audit = page.get_by_role("table", name="Audit log")
    expect(audit).to_contain_text("Created the site far-away")
    expect(audit).to_contain_text("Made the API token nightly with the role Viewer")
    expect(audit).to_contain_text("Changed the business assumptions of the pilot ended")
    expect(audit.get_by_role("listitem").filter(has_text="Currency")).to_have_text("Currency EUR")


def test_viewer_is_told_before_filling_in_a_form(house: House, browser: Browser) -> None:
    profile = context(browser)
    page = profile.new_page()
    page.goto(house.post("/users", {"name": "Vera", "role": "viewer"})["sign_in_link"])
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    for path in ("/sites/new", "/topologies/new", "/pilots/new"):
        page.goto(house.origin + path)
        expect(page.get_by_text("Your role lets you look at this, but not change it.")).to_be_visible()
        boxes = page.get_by_role("main").get_by_role("textbox")
        expect(boxes.first).to_be_disabled()
        assert all(box.is_disabled() for box in boxes.all())
        expect(page.get_by_role("button", name=re.compile("^(Save|Create)"))).to_have_count(0)
    page.goto(f"{house.origin}/sites")
    expect(page.get_by_role("main").get_by_role("heading", name="Sites", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="New site")).to_have_count(0)
    profile.close()


def test_phone_folds_long_tables_of_what_has_ended(house: House, browser: Browser, pilot_id: str) -> None:
    profile = context(browser, width=390, height=844)
    page = profile.new_page()
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    expect(page).to_have_url(f"{house.origin}/")
    page.goto(f"{house.origin}/pilots/{pilot_id}")
    folded = page.get_by_role("heading", name=re.compile(r"^Runs \(\d+\)$"))
    table = page.get_by_role("table", name="Runs")
    expect(folded).to_be_visible()
    expect(table).to_be_hidden()
    folded.click()
    expect(table).to_be_visible()
    profile.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible_and_fits(
    house: House, browser: Browser, axe: str, pilot_id: str, theme: str, width: int
) -> None:
    profile = context(browser, width=width, theme=theme, language="ja" if width == 390 else "en")
    watched = Watched(profile, house.origin)
    page = watched.open("/sign-in")
    found = check(page, axe)
    watched.complaints.clear()
    page.goto("about:blank")
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    site, run = house.get("/sites?limit=1")["items"][0], house.runs(pilot_id)[1]
    for path in (
        "/", "/sites", "/sites/new", f"/sites/{site['id']}", "/topologies", "/topologies/new", "/pilots",
        "/pilots/new", f"/pilots/{pilot_id}", "/runs", f"/runs/{run['id']}", "/settings", "/help", "/nowhere",
    ):  # fmt: skip
        watched.open(path)
        found += [f"{path}: {problem}" for problem in check(page, axe)]
    profile.close()
    assert found == []
    watched.is_clean()


def check(page: Page, axe: str) -> list[str]:
    """What axe finds, and whether the page is wider than the window."""
    page.locator("h1").first.wait_for()
    page.wait_for_load_state("networkidle") if "/runs" not in page.url else page.wait_for_timeout(1500)
    expect(page.get_by_text(re.compile("^(Loading…|読み込んでいます…)$"))).to_have_count(0)
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    problems = [f"{found['id']}: {found['nodes'][0]['html'][:160]}" for found in result["violations"]]
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return problems + ([f"{wider} px wider than the window"] if wider > 0 else [])


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


def test_a_form_that_a_viewer_may_not_send_is_locked_with_all_that_is_in_it(
    house: House, browser: Browser, pilot_id: str
) -> None:
    profile = context(browser)
    page = profile.new_page()
    page.goto(house.post("/users", {"name": "Looks on", "role": "viewer"})["sign_in_link"])
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    page.goto(f"{house.origin}/topologies/new")
    expect(page.get_by_text("Your role lets you look at this, but not change it.")).to_be_visible()
    links = page.locator(".react-flow__edge")
    expect(links.first).to_be_visible()
    num_links = links.count()
    place = links.first.locator("path").first.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.wait_for_timeout(600)  # the links of a preset come from the server
    expect(links).to_have_count(num_links)
    assert all(box.is_disabled() for box in page.get_by_role("main").get_by_role("textbox").all())
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    profile.close()


def test_names_in_the_graph_can_be_read_on_a_phone(house: House, browser: Browser) -> None:
    towns = ("Osaka", "Nagoya", "Hamamatsu", "Kitakyushu", "Sendai", "Penang", "Brno", "Monterrey")
    names = [f"plant-{number}" for number in range(1, 9)]
    for name, town in zip(names, towns, strict=True):
        house.post("/sites", {"name": name, "display_name": f"{town} plant", "data": PENDIGITS})
    body = {"name": "eight", "site_names": names, "spec": {"kind": "ring"}}
    made = house.post("/topologies", body)
    profile = context(browser, width=390, height=844)
    page = profile.new_page()
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    page.goto(f"{house.origin}/topologies/{made['id']}")
    for preset in ("Ring", "Full", "Star"):
        page.get_by_role("button", name=preset, exact=True).click()
        shown = page.locator(".aw-node")
        expect(shown).to_have_count(8)
        boxes = [box for one in shown.all() if (box := one.bounding_box()) is not None]
        assert len(boxes) == 8
        overlapping = [
            (a, b)
            for at, a in enumerate(boxes)
            for b in boxes[at + 1 :]
            if a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
            and a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"]
        ]  # fmt: skip
        assert overlapping == []
        # The graph is scaled to its frame: what counts is the size on the screen.
        scale = boxes[0]["height"] / shown.first.evaluate("one => one.offsetHeight")
        size = float(shown.first.evaluate("one => parseFloat(getComputedStyle(one).fontSize)"))
        assert size * scale >= 10.5
        assert shown.nth(2).get_attribute("title") == "Hamamatsu plant"
    profile.close()
