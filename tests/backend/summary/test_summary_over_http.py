"""What the summary says before there is a number: what the sites really wait for."""

from datetime import timedelta

from sqlalchemy import update

from backend.db.tables import RunRow, SiteRow, utc_now
from backend.roi.repository import load
from tests.backend.building import add_step, create_pilot, launch
from tests.backend.conftest import Api


def test_while_a_site_is_outside_of_its_window_it_is_not_said_to_prepare(api: Api) -> None:
    pilot = create_pilot(api.manager)
    runs = launch(api.manager, pilot)
    with api.database.write() as session:
        for one in runs:
            row = session.get_one(RunRow, one["id"])
            row.state, row.started_at = "running", utc_now()
        for site in (0, 2):
            add_step(session, row, "prepare", 0, site, "completed")

    def sentence() -> dict[str, object]:
        found: dict[str, object] = api.viewer.get(f"/api/v1/pilots/{pilot['id']}/summary").json()["sentence"]
        return found

    assert sentence()["code"] == "preparing"
    opens = [(utc_now() + timedelta(hours=hours)).strftime("%H:%M") for hours in (2, 3)]
    with api.database.write() as session:
        session.execute(
            update(SiteRow)
            .where(SiteRow.name == "site-02")
            .values(window={"from": opens[0], "to": opens[1], "time_zone": "UTC"})
        )
    said = sentence()
    assert said["code"] == "preparing_window"
    params = said["params"]
    assert isinstance(params, dict)
    assert (params["waiting"], params["zone"], params["opens"][11:16]) == ("Plant 02", "UTC", opens[0])


def test_which_arms_were_launched_with_other_training_than_the_control_arm_is_known(api: Api) -> None:
    arms = [
        {"name": "alone", "method": "local_only"},
        {"name": "matched", "method": "dimat"},
        {"name": "longer", "method": "dimat", "train": {"epochs": 7}},
        {"name": "as-all", "method": "dimat", "train": {"epochs": 2}},
    ]
    pilot = create_pilot(api.manager, arms=arms, train={"epochs": 2})
    launch(api.manager, pilot)
    with api.database.read() as session:
        facts = load(session, pilot["id"])
    assert facts is not None
    assert [label.name for label in facts.arms if label.trains_otherwise] == ["longer"]
