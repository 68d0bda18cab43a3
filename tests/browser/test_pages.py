"""What must hold on each page, in a real browser against a real server."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from measured_pilots import MODEL_BYTES, flat, pilot, run
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from backend.figures import build
from backend.figures.frame import Look
from backend.roi.facts import Traffic, Usage
from tests.browser.browser import context
from tests.browser.watched import Watched, sign_in_link, signed_in
from tests.system.house import PENDIGITS, House, small_pilot

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def watched(house: House, browser: Browser) -> Iterator[Watched]:
    with signed_in(house, browser) as found:
        yield found


@pytest.fixture(scope="module")
def pilot_id(house: House) -> str:
    """A small pilot that has ended."""
    found = house.launch({**small_pilot(), "name": "ended"})
    house.wait_for_end(found)
    return found


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


def test_token_is_shown_once_and_can_be_revoked(watched: Watched) -> None:
    page = watched.open("/settings")
    page.get_by_label("Token name *").fill("nightly")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text(re.compile("^awase_"))).to_be_visible()
    expect(page.get_by_role("table", name="Audit log")).to_contain_text(
        "API token nightly"
    )  # without a reload
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
    expect(page.get_by_text("€1,234", exact=True)).to_be_visible()
    # Nor does one figure make the others one's own: somebody has to say so.
    expect(page.get_by_role("main").get_by_text("Example assumptions").first).to_be_visible()
    page.get_by_role("button", name="Edit assumptions").click()
    page.get_by_label("These are our own figures").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("main").get_by_text("Example assumptions")).to_have_count(0)
    watched.is_clean()


def test_sites_that_wait_for_the_time_of_a_round_say_that_it_follows(house: House, watched: Watched) -> None:
    timed = {**small_pilot(), "name": "timed", "timetable": {"cron": "0 0 29 2 *", "time_zone": "UTC"}}
    pilot = house.launch(timed)
    page = watched.open(f"/runs/{house.runs(pilot)[0]['id']}")
    rows = page.get_by_role("table", name="What every site does").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Round 1 begins on", timeout=90_000)
    # The form for a change says what is in force, and from when on it can count.
    page = watched.open(f"/pilots/{pilot}")
    page.get_by_role("button", name="Change from the next round on").click()
    expect(page.get_by_label("From round")).to_have_attribute("placeholder", "as soon as possible")
    expect(page.get_by_text("Round 1, or 2 if what sites have sent for round 1 does not fit")).to_be_visible()
    expect(page.get_by_label("Epochs in a round")).to_have_attribute("placeholder", "as it is")
    expect(page.get_by_text("Without a change: 1.").first).to_be_visible()
    expect(page.get_by_label("Why *")).to_be_visible()
    house.post(f"/pilots/{pilot}/cancel", {})


def test_a_memory_limit_that_is_too_small_stays_as_typed_and_is_refused_with_the_reason(
    house: House, watched: Watched
) -> None:
    site = house.post("/sites", {"name": "little", "data": PENDIGITS})
    page = watched.open(f"/sites/{site['id']}")
    field = page.get_by_label("Memory in MB, at most")
    field.fill("50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("With a memory limit of 50 MB no step could run")).to_be_visible()
    expect(field).to_have_value("50")
    assert house.get(f"/sites/{site['id']}")["limits"]["memory_mb"] is None


def test_a_list_to_search_is_searched_by_typing_and_keeps_no_value_in_silence(
    house: House, watched: Watched
) -> None:
    site = house.post("/sites", {"name": "zoned", "data": PENDIGITS})
    page = watched.open(f"/sites/{site['id']}")
    page.get_by_role("combobox", name="Time window").click()
    page.get_by_role("option", name="At certain times only").click()
    zone = page.get_by_role("combobox", name="Time zone")
    zone.click()
    page.keyboard.type("Tokyo")
    page.keyboard.press("Tab")  # one zone alone is meant
    expect(zone).to_have_value("Asia/Tokyo")
    zone.click()
    page.keyboard.type("Atlantis")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.keyboard.press("Enter")  # the form does not go with what is not shown
    expect(zone).to_have_value("Atlantis")
    page.keyboard.press("Tab")
    expect(zone).to_have_value("Asia/Tokyo")
    expect(
        page.get_by_text('No one entry of the list fits "Atlantis". Still chosen: Asia/Tokyo.')
    ).to_be_visible()
    assert house.get(f"/sites/{site['id']}")["window"] is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_likeliest_entry_of_a_list_to_search_is_marked_and_can_be_read(
    house: House, browser: Browser, axe: str, theme: str
) -> None:
    profile = context(browser, theme=theme)
    page = profile.new_page()
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    page.goto(f"{house.origin}/sites/new")
    page.get_by_role("combobox", name="Time window").click()
    page.get_by_role("option", name="At certain times only").click()
    zone = page.get_by_role("combobox", name="Time zone")
    zone.fill("jst")
    expect(page.get_by_role("option")).to_have_text("Asia/TokyoJapan Standard Time")
    zone.fill("tok")  # also within Antarctica/Vostok
    expect(page.get_by_role("option").first).to_have_text("Asia/TokyoJapan Standard Time")
    assert [found for found in check(page, axe) if found.startswith("color-contrast")] == []
    zone.press("Enter")
    expect(zone).to_have_value("Asia/Tokyo")
    profile.close()


def at_rest(page: Page, parts: Sequence[Locator]) -> list[FloatRect]:
    """Where they are once a chart has been drawn to its end: it is fitted to its frame after it first appears."""
    boxes: list[FloatRect] = []
    for _ in range(40):
        before, boxes = boxes, [box for part in parts if (box := part.bounding_box()) is not None]
        if boxes == before and len(boxes) == len(parts):
            break
        page.wait_for_timeout(500)
    assert len(boxes) == len(parts)
    return boxes


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_legend_of_many_kinds_keeps_clear_of_the_axis_on_a_phone(
    house: House, browser: Browser, pilot_id: str, language: str
) -> None:
    """The kinds are those of a pilot in which all of them happened; layout and drawing are as always."""
    kinds = {(1, kind): Traffic(MODEL_BYTES, 9000) for kind in ("align", "merge", "moments")}
    in_vain = {(1, 0): Usage(num_bytes=MODEL_BYTES, wasted_bytes=9000)}
    merging = replace(run("dimat", flat(0.7, 0.9)), by_round=kinds, usage=in_vain)
    facts = pilot(run("local_only", flat(0.8, 0.6)), merging)
    figure = build.pilot_figure(facts, "communication", Look(language, "light"))
    assert len(figure.data) == 4
    profile = context(browser, width=390, height=844, language=language)
    page = profile.new_page()
    body = figure.model_dump_json()
    page.route(
        re.compile("/figures/communication"),
        lambda asked: asked.fulfill(body=body, content_type="application/json"),
    )
    page.goto(sign_in_link(house))
    page.get_by_role("main").locator("h1").wait_for()
    page.goto(f"{house.origin}/pilots/{pilot_id}")
    chart = page.locator(".js-plotly-plot").filter(has_text=re.compile("Second moments|2次モーメント"))
    legend, bars, title = at_rest(
        page, [chart.locator(part).first for part in (".legend", ".barlayer", ".xtitle")]
    )
    assert legend["y"] + legend["height"] <= bars["y"]
    assert title["y"] >= bars["y"] + bars["height"]
    assert bars["height"] > 20
    profile.close()


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


def test_a_site_that_no_worker_serves_is_named_before_the_launch(
    house: House, watched: Watched, pilot_id: str
) -> None:
    page = watched.open("/pilots/new")
    chosen = page.locator(".mantine-Pill-root")
    expect(chosen.filter(has_text="site-a")).to_have_count(1)
    expect(chosen.filter(has_text="far-away")).to_have_count(0)  # not among those to begin with
    goes_on = (
        "Not online: far-away. Runs go on without this site as soon as the limit of the pilot is reached."
    )
    ends = "Not online: far-away. Without this site fewer than 2 sites would be left: runs end as soon as the limit of the pilot is reached."
    told = [
        (
            "wait",
            2,
            "Not online: far-away. Runs wait for this site.",
        ),
        ("skip", 2, goes_on),
        ("skip", 1, ends),
    ]
    for policy, others, words in told:
        spec = small_pilot(name=f"with-far-away-{policy}-{others}", title="With a site far away")
        far = {"name": "far-away", "data": spec["sites"][0]["data"]}
        spec["sites"] = [*spec["sites"][:others], far]
        pilot = house.post("/pilots", {"spec": spec | {"silent": {"policy": policy}}})
        page = watched.open(f"/pilots/{pilot['id']}")
        page.get_by_role("button", name="Launch", exact=True).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(words)
        dialog.get_by_role("button", name="Back").click()


def test_audit_speaks_in_sentences_with_names(house: House, watched: Watched, pilot_id: str) -> None:
    house.post("/tokens", {"name": "audited", "role": "viewer"})
    page = watched.open("/settings")
    audit = page.get_by_role("table", name="Audit log")
    expect(audit).to_contain_text("Created the site far-away")
    expect(audit).to_contain_text("Made the API token audited with the role Viewer")
    expect(audit).to_contain_text("Changed the business assumptions of the pilot ended")
    audit_card = page.locator("section, .aw-card").filter(has=audit).last
    audit_card.get_by_role("button", name="Show more").click()  # it is some way back
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
