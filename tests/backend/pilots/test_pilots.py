"""Pilots over HTTP: a draft can change, every bad value has its place, a launch happens once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import redis
from sqlalchemy import func, select

from backend.db.tables import AmendmentRow, ArmRow, AuditRow, PilotRow, RunRow
from backend.runs.broker import RedisBroker
from dimat.spec import PilotSpec, spec_sha256
from tests.backend.building import PENDIGITS, assumptions, create_pilot, create_sites, launch, spec
from tests.backend.conftest import Api
from tests.services import free_port
from worker.messages.keys import REPORTS_LIST
from worker.messages.reports import Wake, report


def test_draft_keeps_spec_and_assumptions(api: Api) -> None:
    names = create_sites(api.manager)
    pilot = create_pilot(api.manager, names)
    given = PilotSpec.model_validate(spec(names))
    assert PilotSpec.model_validate(pilot["spec"]) == given
    assert pilot["spec_sha256"] == spec_sha256(given)
    assert (pilot["state"], pilot["num_runs"], pilot["assumptions_version"]) == ("draft", 2, 1)
    assert pilot["assumptions"]["value_per_correct_decision"]["low"] == "0.10"
    assert api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json() == pilot


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"rounds": 0}, "greater_than_equal", "spec.rounds"),
        ({"rounds": "many"}, "int_type", "spec.rounds"),
        ({"seeds": [1, 1]}, "duplicate_seed", "spec.seeds"),
        ({"rounds": 100_000, "seeds": list(range(100))}, "pilot_too_large", "spec.rounds"),
        ({"rounds": True}, "int_type", "spec.rounds"),
        ({"sweep": {"train.lr": [0.01, 0.05]}}, "extra_forbidden", "spec.sweep"),
        ({"merge": {"merge_every": 99}}, "never_merges", "spec.merge.merge_every"),
        ({"arms": [{"name": "a", "method": "dimat", "merge": {"merge_every": 99}}]}, "never_merges", "spec.arms.0.merge.merge_every"),
        ({"arms": []}, "too_short", "spec.arms"),
        ({"sites": [{"name": "site-01", "data": PENDIGITS}]}, "too_short", "spec.sites"),
        ({"sites": [{"name": n, "data": PENDIGITS} for n in ("site-01", "nowhere")]}, "unknown_site", "spec.sites.1.name"),
        ({"sites": [{"name": n, "data": {"kind": "sample", "dataset": "letter"}} for n in ("site-01", "site-02")]}, "site_data_differs", "spec.sites.0.data"),
        ({"sites": [{"name": n, "data": {"kind": "given"}} for n in ("site-01", "site-02")]}, "site_data_differs", "spec.sites.0.data"),
        ({"train": {"loss": "mse"}}, "targets_are_classes", "spec.train.loss"),
        ({"topology": {"kind": "custom", "links": [{"a": "site-01", "b": "site-02"}]}}, "topology_disconnected", "spec.topology"),
        ({"topology": {"mixing": "custom", "weights": [[1, 0, 0], [0, 1, 0], [0, 0, 0.5]]}}, "mixing_row_sum", "spec.topology"),
        ({"model": {"kind": "cnn"}}, "model_needs_images", "spec.model"),
        ({"arms": [{"name": "a", "method": "dimat", "train": {"epochs": -1}}]}, "greater_than_equal", "spec.arms.0.train.epochs"),
        ({"unheard": 1}, "extra_forbidden", "spec.unheard"),
    ],
)  # fmt: skip
def test_bad_value_is_named_with_its_place_and_nothing_is_written(
    api: Api, change: dict[str, Any], code: str, field: str
) -> None:
    body = {"spec": spec(create_sites(api.manager), **change)}
    answer = api.manager.post("/api/v1/pilots", json=body)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["code"], problem["field"]) == (422, code, field), problem
    assert problem["type"] == f"urn:awase:error:{code}"
    assert problem["title"]
    assert problem["remedy"]
    assert api.viewer.get("/api/v1/pilots").json()["total"] == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_number_that_is_not_finite_is_refused(api: Api, number: str) -> None:
    text = json.dumps({"spec": spec(create_sites(api.manager), train={"lr": 0.5})}).replace("0.5", number)
    answer = api.manager.post("/api/v1/pilots", content=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (422, "spec.train.lr")


def test_assumptions_out_of_order_are_refused(api: Api) -> None:
    bad = assumptions(value_per_correct_decision={"low": "3", "likely": "2", "high": "1"})
    body = {"spec": spec(create_sites(api.manager)), "assumptions": bad}
    answer = api.manager.post("/api/v1/pilots", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "range_order")


def test_value_basis_has_no_silent_default(api: Api) -> None:
    given = assumptions()
    del given["value_basis"]
    answer = api.manager.post(
        "/api/v1/pilots", json={"spec": spec(create_sites(api.manager)), "assumptions": given}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "assumptions.value_basis")


def test_assumptions_change_as_a_new_version_even_after_launch(api: Api) -> None:
    pilot = create_pilot(api.manager)
    launch(api.manager, pilot)
    changed = api.manager.patch(
        f"/api/v1/pilots/{pilot['id']}", json={"assumptions": assumptions(currency="JPY")}
    )
    assert (changed.json()["assumptions"]["currency"], changed.json()["assumptions_version"]) == ("JPY", 2)


def test_audit_holds_which_assumptions_changed_from_what_to_what(api: Api) -> None:
    pilot = create_pilot(api.manager)
    path, first = f"/api/v1/pilots/{pilot['id']}", assumptions()
    api.manager.patch(path, json={"assumptions": {**first, "one_off_cost": "500.00"}})
    value = {**first["value_per_correct_decision"], "high": "0.5"}
    changed = {
        **first,
        "one_off_cost": "400",
        "value_per_correct_decision": value,
        "value_basis": {"blend": "0.3"},
    }
    api.manager.patch(path, json={"assumptions": changed})
    second, same = api.admin.get("/api/v1/audit").json()["items"][:2]
    assert (same["action"], same["params"]) == ("pilot_updated", {"name": "first-pilot"})
    assert second["action"] == "assumptions_changed"
    assert second["params"] == {
        "name": "first-pilot",
        "old.value_per_correct_decision.high": "0.4", "new.value_per_correct_decision.high": "0.5",
        "old.one_off_cost": "500", "new.one_off_cost": "400",
        "old.value_basis": "own_site", "new.value_basis": "blend 0.3",
    }  # fmt: skip


def test_launched_spec_is_frozen(api: Api) -> None:
    pilot = create_pilot(api.manager)
    launch(api.manager, pilot)
    answer = api.manager.patch(f"/api/v1/pilots/{pilot['id']}", json={"spec": {**pilot["spec"], "rounds": 9}})
    assert (answer.status_code, answer.json()["code"]) == (409, "pilot_launched")
    assert api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()["spec"]["rounds"] == 2


def test_a_new_title_is_that_of_a_draft_s_spec_too_and_leaves_a_frozen_spec_alone(api: Api) -> None:
    pilot = create_pilot(api.manager)
    path = f"/api/v1/pilots/{pilot['id']}"
    changed = api.manager.patch(path, json={"title": "Scrap"}).json()
    assert (changed["title"], changed["spec"]["title"]) == ("Scrap", "Scrap")
    launch(api.manager, changed)
    later = api.manager.patch(path, json={"title": "Scrap, east"}).json()
    assert (later["title"], later["spec"]["title"]) == ("Scrap, east", "Scrap")
    assert later["spec_sha256"] == changed["spec_sha256"]


def test_a_change_of_nothing_is_no_new_revision(api: Api) -> None:
    pilot = create_pilot(api.manager)
    assert api.manager.patch(f"/api/v1/pilots/{pilot['id']}", json={}).headers["etag"] == 'W/"1"'


def test_draft_changes_only_from_the_revision_that_was_read(api: Api) -> None:
    pilot = create_pilot(api.manager)
    path = f"/api/v1/pilots/{pilot['id']}"
    changed = api.manager.patch(
        path, json={"spec": {**pilot["spec"], "rounds": 9}}, headers={"If-Match": 'W/"1"'}
    )
    assert (changed.json()["spec"]["rounds"], changed.headers["etag"]) == (9, 'W/"2"')
    assert changed.json()["spec_sha256"] != pilot["spec_sha256"]
    assert api.manager.patch(path, json={"title": "x"}, headers={"If-Match": 'W/"1"'}).status_code == 412


def test_launch_queues_one_run_per_arm_and_seed(api: Api) -> None:
    pilot = create_pilot(api.manager, seeds=[1, 2])
    answer = api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["runs_summary"]["queued"]) == ("launched", 4)
    runs = api.viewer.get(f"/api/v1/pilots/{pilot['id']}/runs").json()["items"]
    assert [(run["arm"], run["seed"], run["state"]) for run in runs] == [
        ("alone", 1, "queued"), ("alone", 2, "queued"), ("matched", 1, "queued"), ("matched", 2, "queued"),
    ]  # fmt: skip
    with api.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ArmRow)) == 2
        assert session.scalar(select(AuditRow.action).order_by(AuditRow.id.desc())) == "pilot_launched"


def test_a_launch_fixes_how_many_epochs_each_site_allows(api: Api) -> None:
    pilot = create_pilot(api.manager)
    first = api.viewer.get("/api/v1/sites").json()["items"][0]

    def allow(epochs: int) -> None:
        path = f"/api/v1/sites/{first['id']}"
        assert api.manager.patch(path, json={"limits": {"max_epochs": epochs}}).status_code == 200

    def frozen() -> tuple[list[int | None], str]:
        shown = api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()
        return [site.get("max_epochs") for site in shown["spec"]["sites"]], shown["spec_sha256"]

    assert frozen() == ([None, None, None], pilot["spec_sha256"])
    allow(2)
    launch(api.manager, pilot)
    launched = frozen()
    assert launched[0] == [2, None, None]
    assert launched[1] != pilot["spec_sha256"]
    allow(5)
    assert frozen() == launched


def test_same_key_again_gives_the_same_answer_and_no_second_launch(api: Api) -> None:
    pilot = create_pilot(api.manager)
    path = f"/api/v1/pilots/{pilot['id']}/launch"
    first = api.manager.post(path, headers={"Idempotency-Key": "k"})
    second = api.manager.post(path, headers={"Idempotency-Key": "k"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = api.manager.post(path, headers={"Idempotency-Key": "other"})
    assert (other.status_code, other.json()["code"]) == (409, "pilot_already_launched")
    assert api.viewer.get("/api/v1/runs").json()["total"] == 2


def test_launch_takes_only_the_revision_that_was_read(api: Api) -> None:
    pilot = create_pilot(api.manager)
    path = f"/api/v1/pilots/{pilot['id']}"
    read = api.manager.get(path).headers["ETag"]
    changed = api.manager.patch(path, json={"spec": {**pilot["spec"], "rounds": 9}}).headers["ETag"]
    launch_with = {"Idempotency-Key": "k"}
    stale = api.manager.post(f"{path}/launch", headers={**launch_with, "If-Match": read})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
    assert stale.json()["params"] == {"given": "1", "current": 2}
    assert "you read revision 1, now it is 2" in stale.json()["title"]
    assert (api.viewer.get(path).json()["state"], api.viewer.get("/api/v1/runs").json()["total"]) == (
        "draft",
        0,
    )
    launched = api.manager.post(f"{path}/launch", headers={**launch_with, "If-Match": changed})
    assert (launched.status_code, launched.json()["spec"]["rounds"]) == (201, 9)
    # Sent again after a lost answer: what was read then is old by the launch itself, and by nothing else.
    again = api.manager.post(f"{path}/launch", headers={**launch_with, "If-Match": changed})
    assert (again.status_code, again.json()) == (200, launched.json())


def test_launch_needs_a_key(api: Api) -> None:
    pilot = create_pilot(api.manager)
    answer = api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch")
    assert (answer.status_code, answer.json()["code"]) == (400, "header_needed")


def test_many_launches_at_once_queue_the_runs_once(api: Api) -> None:
    pilot = create_pilot(api.manager)

    def one(number: int) -> int:
        path = f"/api/v1/pilots/{pilot['id']}/launch"
        return api.manager.post(path, headers={"Idempotency-Key": f"k{number}"}).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(one, range(6)))
    assert statuses == [201, 409, 409, 409, 409, 409]
    assert api.viewer.get("/api/v1/runs").json()["total"] == 2


def test_site_that_changed_since_the_draft_stops_the_launch_whole(api: Api) -> None:
    pilot = create_pilot(api.manager)
    site = api.viewer.get("/api/v1/sites").json()["items"][1]
    api.manager.patch(f"/api/v1/sites/{site['id']}", json={"state": "revoked"})
    answer = api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "site_revoked",
        "spec.sites.1.name",
    )
    with api.database.read() as session:
        assert session.scalar(select(PilotRow.state)) == "draft"
        assert session.scalar(select(func.count()).select_from(RunRow)) == 0


def test_launch_wakes_the_coordinator_after_the_commit(api: Api, broker_url: str) -> None:
    api.app.state.broker = RedisBroker(broker_url)
    launch(api.manager, create_pilot(api.manager))
    with redis.Redis.from_url(broker_url) as connection:
        reports = connection.lrange(REPORTS_LIST, 0, -1)
    assert [type(report.validate_json(one)) for one in reports] == [Wake]
    api.app.state.broker.close()


def test_launch_succeeds_while_the_broker_is_down(api: Api) -> None:
    api.app.state.broker = RedisBroker(f"redis://127.0.0.1:{free_port()}/0")
    assert len(launch(api.manager, create_pilot(api.manager))) == 2


def test_clone_is_a_draft_of_its_own(api: Api) -> None:
    pilot = create_pilot(api.manager)
    launch(api.manager, pilot)
    clone = api.manager.post(f"/api/v1/pilots/{pilot['id']}/clone", json={"name": "second-pilot"})
    assert clone.status_code == 201
    assert (clone.json()["state"], clone.json()["spec"]["name"]) == ("draft", "second-pilot")
    assert clone.json()["assumptions"] == pilot["assumptions"]
    taken = api.manager.post(f"/api/v1/pilots/{pilot['id']}/clone", json={"name": "second-pilot"})
    assert taken.status_code == 409


def test_clone_has_the_title_that_was_asked_for_or_that_of_the_original(api: Api) -> None:
    pilot = create_pilot(api.manager, title="Weekly merges")
    path = f"/api/v1/pilots/{pilot['id']}/clone"
    same = api.manager.post(path, json={"name": "second-pilot"}).json()
    other = api.manager.post(path, json={"name": "third-pilot", "title": "Weekly merges (copy)"}).json()
    assert (same["title"], same["spec"]["title"]) == ("Weekly merges", "Weekly merges")
    assert (other["title"], other["spec"]["title"]) == ("Weekly merges (copy)", "Weekly merges (copy)")


def test_a_pilot_has_a_result_when_all_its_arms_have_finished_a_round_with_some_seed(api: Api) -> None:
    """The start page tells the last of these: a younger one that has just begun has nothing to tell."""
    done = create_pilot(api.manager, seeds=[1, 2])
    names = [site["name"] for site in done["spec"]["sites"]]
    launch(api.manager, done)
    young = create_pilot(api.manager, names, name="young")
    launch(api.manager, young, "k2")
    create_pilot(api.manager, names, name="draft")
    found = lambda: [  # noqa: E731
        one["name"] for one in api.viewer.get("/api/v1/pilots?with_result=true").json()["items"]
    ]

    def come_to(pilot: dict[str, Any], arm: str, seed: int, **values: Any) -> None:
        with api.database.write() as session:
            mine = {"pilot_id": pilot["id"], "arm": arm, "seed": seed}
            row = session.scalars(select(RunRow).filter_by(**mine)).one()
            for name, value in values.items():
                setattr(row, name, value)

    assert found() == []
    come_to(done, "matched", 1, rounds_done=2)
    come_to(done, "alone", 2, rounds_done=1)
    assert found() == []  # not with the same seed
    come_to(done, "alone", 1, rounds_done=1)
    assert found() == ["first-pilot"]
    come_to(done, "alone", 1, state="cancelled")
    assert found() == []  # what the other is compared with is gone, and it goes on
    come_to(done, "matched", 1, state="failed")
    assert found() == []
    come_to(done, "matched", 1, state="cancelled")
    assert found() == ["first-pilot"]
    come_to(done, "alone", 1, state="failed")
    assert found() == []
    come_to(young, "alone", 1, rounds_done=1)
    come_to(young, "matched", 1, rounds_done=0, state="cancelled")
    assert found() == []
    come_to(young, "matched", 1, rounds_done=1)
    assert found() == ["young"]
    assert len(api.viewer.get("/api/v1/pilots").json()["items"]) == 3


def test_list_filters_by_state_and_text_newest_first(api: Api) -> None:
    pilot = create_pilot(api.manager)
    api.manager.post(f"/api/v1/pilots/{pilot['id']}/clone", json={"name": "second-pilot"})
    launch(api.manager, pilot)
    listed = api.viewer.get("/api/v1/pilots").json()
    assert [one["name"] for one in listed["items"]] == ["second-pilot", "first-pilot"]
    assert api.viewer.get("/api/v1/pilots?state=draft").json()["total"] == 1
    assert api.viewer.get("/api/v1/pilots?q=FIRST").json()["items"][0]["name"] == "first-pilot"


@pytest.mark.parametrize("change", [{"seeds": [-1]}, {"model": {"kind": "mlp", "hidden": [99_999_999]}}])
def test_a_list_with_a_wrong_entry_is_not_called_too_short(api: Api, change: dict[str, Any]) -> None:
    body = {"spec": spec(create_sites(api.manager), **change)}
    said = api.manager.post("/api/v1/pilots", json=body).json()
    assert [error["code"] for error in said["errors"]] == [said["code"]]
    assert said["code"] in ("greater_than_equal", "less_than_equal")


@pytest.mark.parametrize("given", ["yen", "Yen", "JP", "", "¥"])
def test_a_currency_is_three_capital_letters(api: Api, given: str) -> None:
    body = {"spec": spec(create_sites(api.manager)), "assumptions": assumptions(currency=given)}
    said = api.manager.post("/api/v1/pilots", json=body).json()
    assert (said["code"], said["field"]) == ("currency_code", "assumptions.currency")
    assert said["title"] == f"'{given}' is no currency."


def test_why_runs_are_paused_have_failed_or_were_cancelled_is_said_once_for_all_that_share_the_reason(
    api: Api,
) -> None:
    runs = launch(api.manager, pilot := create_pilot(api.manager, seeds=[1, 2]))
    silent = {"code": "site_silent_too_long", "params": {"site": "Plant 03", "round": 1, "seconds": 60}}
    paused = {"code": "paused_why", "params": {"who": "Ito", "at": "2026-11-27T02:00:00Z", "why": "repair"}}
    cancelled = {
        "code": "cancelled_why",
        "params": {"who": "Ito", "at": "2026-11-27T03:00:00Z", "why": "goal"},
    }
    with api.database.write() as session:
        for run in runs:
            row = session.get_one(RunRow, run["id"])
            row.state, row.reason = "failed", silent
            row.finished_at = datetime(2026, 11, 27, 4, row.seed, tzinfo=UTC)
            if row.arm == "matched" and row.seed == 2:
                row.reason = {
                    **silent,
                    "params": {**silent["params"], "seconds": 61, "round": 3, "kind": "train"},
                }
            elif row.arm == "matched":
                row.state, row.reason, row.finished_at = "paused", paused, None
            elif row.arm == "alone" and row.seed == 2:
                row.state, row.reason = "cancelled", cancelled
    assert api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()["halts"] == [
        {
            "state": "failed",
            "reason": silent,
            "arms": ["alone", "matched"],
            "num_runs": 2,
            "ended_at": "2026-11-27T04:01:00Z",
        },
        {
            "state": "cancelled",
            "reason": cancelled,
            "arms": ["alone"],
            "num_runs": 1,
            "ended_at": "2026-11-27T04:02:00Z",
        },
        {"state": "paused", "reason": paused, "arms": ["matched"], "num_runs": 1, "ended_at": None},
    ]


def test_the_list_of_the_pilots_of_a_site_tells_until_which_round_it_takes_part(api: Api) -> None:
    pilot = create_pilot(api.manager, rounds=9)
    launch(api.manager, pilot)

    def until(site: str) -> int | None:
        (found,) = api.viewer.get("/api/v1/pilots", params={"site": site}).json()["items"]
        return cast(int | None, found["site_until"])

    def amend(round: int, *members: str) -> None:
        with api.database.write() as session:
            session.add(
                AmendmentRow(
                    pilot_id=pilot["id"], arm=None, state="in_force", from_round=round,
                    patch={"members": list(members)}, left_out=[], by="m", why="w",
                )
            )  # fmt: skip

    amend(4, "site-01", "site-02")
    assert (until("site-01"), until("site-03")) == (None, 3)
    amend(6, "site-02", "site-03")
    assert (until("site-01"), until("site-03")) == (5, None)
    assert api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()["site_until"] is None


def test_pilots_are_found_by_their_paused_runs_and_by_their_sites(api: Api) -> None:
    names = create_sites(api.manager)
    first = create_pilot(api.manager, names[:2])
    second = create_pilot(api.manager, names, name="second-pilot")
    create_pilot(api.manager, names, name="draft")

    def found(**query: Any) -> list[str]:
        return [one["name"] for one in api.viewer.get("/api/v1/pilots", params=query).json()["items"]]

    launch(api.manager, first, "k1")
    runs = launch(api.manager, second, "k2")
    assert found(paused=True) == []
    with api.database.write() as session:
        session.get_one(RunRow, runs[0]["id"]).state = "paused"
    assert found(paused=True) == ["second-pilot"]
    assert found(site="site-01") == ["second-pilot", "first-pilot"]
    assert found(site="site-03") == ["second-pilot"]
