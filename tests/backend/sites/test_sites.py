"""Sites over HTTP: made, found, changed with a revision, revoked."""

import pytest

from backend.db.tables import RunRow, SiteRow
from tests.backend.building import PENDIGITS, add_step, create_pilot, create_sites, launch
from tests.backend.conftest import Api


def test_site_is_created_with_its_revision_as_etag(api: Api) -> None:
    answer = api.manager.post(
        "/api/v1/sites", json={"name": "osaka", "display_name": "Osaka 大阪", "data": PENDIGITS}
    )
    assert answer.status_code == 201
    assert answer.headers["etag"] == 'W/"1"'
    body = answer.json()
    assert (body["state"], body["placement"], body["doing"], body["num_rows"]) == (
        "invited",
        "local",
        None,
        None,
    )
    assert api.viewer.get(f"/api/v1/sites/{body['id']}").json() == body


def test_name_that_is_taken_is_a_conflict_with_its_field(api: Api) -> None:
    create_sites(api.manager, 1)
    answer = api.manager.post("/api/v1/sites", json={"name": "site-01", "data": PENDIGITS})
    problem = answer.json()
    assert answer.status_code == 409
    assert (problem["code"], problem["field"], problem["params"]["name"]) == ("name_taken", "name", "site-01")


def test_change_of_an_older_revision_is_refused_and_nothing_changes(api: Api) -> None:
    create_sites(api.manager, 1)
    site = api.viewer.get("/api/v1/sites").json()["items"][0]
    path = f"/api/v1/sites/{site['id']}"
    first = api.manager.patch(path, json={"display_name": "One"}, headers={"If-Match": 'W/"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, 'W/"2"')
    stale = api.manager.patch(path, json={"display_name": "Two"}, headers={"If-Match": 'W/"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
    assert api.viewer.get(path).json()["display_name"] == "One"


def test_a_window_is_set_kept_and_taken_away(api: Api) -> None:
    create_sites(api.manager, 1)
    site = api.viewer.get("/api/v1/sites").json()["items"][0]
    path = f"/api/v1/sites/{site['id']}"
    assert (site["window"], site["window_opens_at"]) == (None, None)
    night = {"from": "20:00", "to": "06:00", "days": ["fri"], "time_zone": "Asia/Tokyo"}
    assert api.manager.patch(path, json={"window": night}).json()["window"] == night
    assert api.manager.patch(path, json={"display_name": "One"}).json()["window"] == night
    problem = api.manager.patch(path, json={"window": {**night, "time_zone": "Asia/Toky"}}).json()
    assert (problem["code"], problem["field"]) == ("unknown_time_zone", "window.time_zone")
    assert api.manager.patch(path, json={"window": None}).json()["window"] is None


def test_list_is_paged_filtered_and_counted(api: Api) -> None:
    names = create_sites(api.manager, 5)
    seen: list[str] = []
    cursor = None
    while True:
        page = api.viewer.get(
            "/api/v1/sites", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        assert page["total"] == 5
        seen += [site["name"] for site in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == names
    found = api.viewer.get("/api/v1/sites", params={"q": "PLANT 03"}).json()
    assert [site["name"] for site in found["items"]] == ["site-03"]
    assert api.viewer.get("/api/v1/sites", params={"q": "%"}).json()["total"] == 0


def test_foreign_cursor_is_bad_input(api: Api) -> None:
    half_of_a_pair = "WyJcdWQ4MDAiXQ"  # ["\\ud800"]
    for cursor in ("nonsense", "W10", "WzFd", "%%%", half_of_a_pair):
        answer = api.viewer.get("/api/v1/sites", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_revoked_site_cannot_change_any_more(api: Api) -> None:
    create_sites(api.manager, 1)
    path = f"/api/v1/sites/{api.viewer.get('/api/v1/sites').json()['items'][0]['id']}"
    assert api.manager.patch(path, json={"state": "revoked"}).json()["state"] == "revoked"
    answer = api.manager.patch(path, json={"display_name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "site_revoked")


def test_unknown_data_set_and_bad_name_are_named_with_their_fields(api: Api) -> None:
    answer = api.manager.post(
        "/api/v1/sites", json={"name": "Bad Name", "data": {"kind": "sample", "dataset": "mnist"}}
    )
    problem = answer.json()
    assert answer.status_code == 422
    assert {error["field"]: error["code"] for error in problem["errors"]} == {
        "name": "name_pattern",
        "data.dataset": "unknown_sample",
    }
    assert api.viewer.get("/api/v1/sites").json()["total"] == 0


def test_samples_say_what_a_site_can_start_with(api: Api) -> None:
    names = [sample["name"] for sample in api.viewer.get("/api/v1/samples").json()]
    assert "pendigits" in names


def test_a_site_may_have_limits_from_the_start(api: Api) -> None:
    given = {"name": "small", "data": PENDIGITS, "limits": {"max_epochs": 2, "memory_mb": 2000}}
    made = api.manager.post("/api/v1/sites", json=given)
    assert made.status_code == 201, made.text
    assert made.json()["limits"] == {"max_epochs": 2, "threads": None, "memory_mb": 2000}


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_memory_limit_under_which_no_step_can_run_is_refused_with_the_reason(api: Api, lang: str) -> None:
    """It had been taken, or turned into another by the form, and ended every run of the site."""
    create_sites(api.manager, 1)
    site = api.viewer.get("/api/v1/sites").json()["items"][0]
    path, told = f"/api/v1/sites/{site['id']}", {"Accept-Language": lang}
    new = {"name": "small", "data": PENDIGITS, "limits": {"memory_mb": 50}}
    for refused in (
        api.manager.patch(path, json={"limits": {"memory_mb": 299}}, headers=told),
        api.manager.post("/api/v1/sites", json=new, headers=told),
    ):
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (422, "memory_limit_too_small")
        assert problem["field"] == "limits.memory_mb"
        assert "300 MB" in problem["remedy"]
    assert api.manager.patch(path, json={"limits": {"memory_mb": 300}}).status_code == 200
    with api.database.write() as session:
        session.get_one(SiteRow, site["id"]).limits = {"memory_mb": 100}
    assert api.viewer.get(path).json()["limits"]["memory_mb"] == 100


def test_limits_are_shown_replaced_as_a_whole_and_lifted(api: Api) -> None:
    create_sites(api.manager, 1)
    site = api.viewer.get("/api/v1/sites").json()["items"][0]
    none = {"max_epochs": None, "threads": None, "memory_mb": None}
    assert site["limits"] == none
    path = f"/api/v1/sites/{site['id']}"

    def put(**limits: int) -> dict[str, int | None]:
        answer = api.manager.patch(path, json={"limits": limits})
        assert answer.status_code == 200, answer.text
        shown: dict[str, int | None] = api.viewer.get(path).json()["limits"]
        return shown

    assert put(max_epochs=2, memory_mb=2000) == {**none, "max_epochs": 2, "memory_mb": 2000}
    assert put(threads=1) == {**none, "threads": 1}
    assert put() == none
    refused = api.manager.patch(path, json={"limits": {"memory_mb": 1}})
    assert (refused.status_code, refused.json()["field"]) == (422, "limits.memory_mb")


def test_what_a_site_does_now_names_the_pilot_it_does_it_for(api: Api) -> None:
    pilot = create_pilot(api.manager, title="Scrap detection")
    runs = launch(api.manager, pilot)
    with api.database.write() as session:
        run = session.get_one(RunRow, runs[0]["id"])
        add_step(session, run, "train", 2, 0, "running")
    doing = api.viewer.get("/api/v1/sites").json()["items"][0]["doing"]
    where = (doing["pilot_id"], doing["pilot_name"], doing["pilot_title"], doing["arm"], doing["round"])
    assert where == (pilot["id"], "first-pilot", "Scrap detection", "alone", 2)
