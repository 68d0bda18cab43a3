"""The next stage of a pilot: a draft with the same spec and more sites."""

from typing import Any

import pytest
from sqlalchemy import select, update

from backend.db.tables import AmendmentRow, RunRow, StepRow
from tests.backend.building import PENDIGITS, create_pilot, launch
from tests.backend.conftest import Api


def ended(api: Api, **changes: object) -> dict[str, object]:
    """A pilot over site-01 to site-03 whose runs are completed, and two sites more."""
    pilot: dict[str, object] = create_pilot(api.manager, **changes)
    launch(api.manager, pilot)
    complete(api)
    for name in ("site-04", "site-05"):
        assert api.manager.post("/api/v1/sites", json={"name": name, "data": PENDIGITS}).status_code == 201
    return pilot


def complete(api: Api) -> None:
    """All runs, with a step of their last round."""
    with api.database.write() as session:
        for run in session.scalars(select(RunRow)):
            run.state = "completed"
            where: dict[str, Any] = {
                "pilot_id": run.pilot_id,
                "run_id": run.id,
                "run_key": run.id,
                "seed": run.seed,
            }
            session.add(StepRow(round=run.rounds, kind="train", site_index=0, site_name="site-01", **where))


def test_the_next_stage_is_a_draft_with_all_other_sites(api: Api) -> None:
    pilot = ended(api, title="Scrap", topology={"kind": "ring"})
    shoes = {"kind": "sample", "dataset": "letter"}
    api.manager.post("/api/v1/sites", json={"name": "other-data", "data": shoes})
    answer = api.manager.post(f"/api/v1/pilots/{pilot['id']}/next-stage", json={})
    assert answer.status_code == 201, answer.json()
    draft = answer.json()
    assert (draft["state"], draft["name"], draft["title"]) == ("draft", "first-pilot-stage-2", "Scrap (2)")
    assert [site["name"] for site in draft["spec"]["sites"]] == [f"site-0{number}" for number in range(1, 6)]
    assert draft["spec"]["topology"] == pilot["spec"]["topology"]  # type: ignore[index]
    assert draft["spec"]["arms"] == pilot["spec"]["arms"]  # type: ignore[index]
    assert draft["assumptions"] == pilot["assumptions"]
    assert (draft["follows_pilot_id"], draft["follows"]["name"]) == (pilot["id"], "first-pilot")
    before = api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()
    assert [one["id"] for one in before["followed_by"]] == [draft["id"]]


def test_a_stage_of_a_stage_is_the_third_and_a_second_try_gets_a_name_of_its_own(api: Api) -> None:
    path = f"/api/v1/pilots/{ended(api)['id']}/next-stage"
    second = api.manager.post(path, json={"sites": ["site-04"]}).json()
    again = api.manager.post(path, json={"sites": ["site-05"]}).json()
    assert [site["name"] for site in second["spec"]["sites"]][3:] == ["site-04"]
    assert again["name"] == "first-pilot-stage-2-2"
    launch(api.manager, second)
    with api.database.write() as session:
        session.execute(update(RunRow).values(state="failed"))
    third = api.manager.post(f"/api/v1/pilots/{second['id']}/next-stage", json={}).json()
    assert (third["name"], len(third["spec"]["sites"])) == ("first-pilot-stage-3", 5)


def test_links_drawn_by_hand_are_replaced_where_sites_join(api: Api) -> None:
    links = [{"a": "site-01", "b": "site-02"}, {"a": "site-02", "b": "site-03"}]
    path = f"/api/v1/pilots/{ended(api, topology={'kind': 'custom', 'links': links})['id']}/next-stage"
    assert api.manager.post(path, json={}).json()["spec"]["topology"]["kind"] == "full"
    same = api.manager.post(path, json={"sites": []}).json()["spec"]["topology"]
    assert (same["kind"], same["links"]) == ("custom", links)


def test_a_pilot_at_work_and_an_unknown_site_are_refused(api: Api) -> None:
    pilot = ended(api)
    path = f"/api/v1/pilots/{pilot['id']}/next-stage"
    unknown = api.manager.post(path, json={"sites": ["nowhere"]})
    assert (unknown.status_code, unknown.json()["code"], unknown.json()["field"]) == (
        422,
        "unknown_site",
        "sites.0",
    )
    with api.database.write() as session:
        session.execute(update(RunRow).values(state="running"))
    refused = api.manager.post(path, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "pilot_not_ended")


def test_a_site_that_takes_part_already_is_refused_and_named(api: Api) -> None:
    path = f"/api/v1/pilots/{ended(api)['id']}/next-stage"
    answer = api.manager.post(path, json={"sites": ["site-04", "site-01"]})
    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (422, "site_takes_part", "sites.1")
    assert "'site-01'" in told["title"]


@pytest.mark.parametrize(
    ("title", "following"), [("不良検査", "不良検査（2）"), ("Qualité – café", "Qualité – café (2)")]
)
def test_the_title_of_a_stage_has_the_brackets_of_its_script(title: str, following: str, api: Api) -> None:
    path = f"/api/v1/pilots/{ended(api, title=title)['id']}/next-stage"
    assert api.manager.post(path, json={}).json()["title"] == following


def test_where_the_rows_do_not_suffice_for_all_sites_each_gets_fewer(api: Api) -> None:
    """Who asks for all sites gets a draft to change; who names them is told that they are too many."""
    pilot = ended(api, data={"rows_per_site": 2_000})
    path = f"/api/v1/pilots/{pilot['id']}/next-stage"
    named = api.manager.post(path, json={"sites": ["site-04", "site-05"]})
    told = named.json()
    assert (named.status_code, told["code"], told["field"]) == (422, "rows_run_out", "sites")
    answer = api.manager.post(path, json={})
    assert answer.status_code == 201, answer.json()
    spec = answer.json()["spec"]
    assert (len(spec["sites"]), spec["data"]["rows_per_site"]) == (5, told["params"]["most"])


def test_the_next_stage_goes_on_as_amendments_left_the_pilot(api: Api) -> None:
    """What a pilot found out while it ran is not lost."""
    pilot = create_pilot(api.manager, rounds=6)
    launch(api.manager, pilot)
    with api.database.write() as session:
        for arm, patch in ((None, {"train": {"epochs": 4}}), ("matched", {"merge": {"merge_every": 2}})):
            session.add(
                AmendmentRow(
                    pilot_id=pilot["id"], arm=arm, state="in_force", from_round=3, patch=patch, left_out=[], by="m", why="w",
                )
            )  # fmt: skip
    complete(api)
    spec = api.manager.post(f"/api/v1/pilots/{pilot['id']}/next-stage", json={}).json()["spec"]
    arms = {arm["name"]: arm for arm in spec["arms"]}
    assert spec["train"]["epochs"] == 4
    assert arms["matched"]["merge"]["merge_every"] == 2
    copy = api.manager.post(f"/api/v1/pilots/{pilot['id']}/clone", json={"name": "a-copy"}).json()["spec"]
    assert copy["train"]["epochs"] == pilot["spec"]["train"]["epochs"]


def test_a_site_that_an_amendment_took_out_comes_back_only_where_somebody_names_it(api: Api) -> None:
    pilot = ended(api, rounds=6)
    with api.database.write() as session:
        session.add(
            AmendmentRow(
                pilot_id=pilot["id"], arm=None, state="in_force", from_round=3,
                patch={"members": ["site-01", "site-02"]}, left_out=[], by="m", why="w",
            )
        )  # fmt: skip
    path = f"/api/v1/pilots/{pilot['id']}/next-stage"

    def sites(**body: object) -> list[str]:
        draft = api.manager.post(path, json=body).json()
        return [site["name"] for site in draft["spec"]["sites"]]

    assert sites() == ["site-01", "site-02", "site-04", "site-05"]
    assert sites(sites=["site-03"]) == ["site-01", "site-02", "site-03"]
    assert sites(sites=[]) == ["site-01", "site-02"]
