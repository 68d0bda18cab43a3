"""Runs over HTTP: found, read in words, their measurements, their result, their end."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.db.tables import AmendmentRow, RunRow, SiteRow, StepRow, utc_now
from backend.runs import repository
from tests.backend.building import add_step, create_pilot, launch, measure
from tests.backend.conftest import Api
from tests.backend.coordinator.test_cost import statements


@pytest.fixture
def run(api: Api) -> dict[str, Any]:
    """The run of the arm `matched`, with round 1 finished at all three sites."""
    runs = launch(api.manager, create_pilot(api.manager))
    with api.database.write() as session:
        row = session.get(RunRow, runs[1]["id"])
        assert row is not None
        measure(session, row, rounds_done=1)
    body: dict[str, Any] = api.viewer.get(f"/api/v1/runs/{runs[1]['id']}").json()
    return body


def test_run_shows_means_over_sites_of_its_last_finished_round(run: dict[str, Any]) -> None:
    assert run["own_site_mean"] == pytest.approx(0.61)
    assert run["all_site_mean"] == pytest.approx(0.51)
    assert run["mean_over"] == 3
    assert (run["rounds_done"], run["pilot_name"], run["state"]) == (1, "first-pilot", "running")
    assert run["progress"]["code"] == "starting_round"


def test_many_runs_are_read_with_as_many_statements_as_two(api: Api, run: dict[str, Any]) -> None:
    """Of one pilot, and of several."""
    path = f"/api/v1/pilots/{run['pilot_id']}/runs"

    def read(path: str, num: int) -> int:
        with statements(api.database) as asked:
            assert len(api.viewer.get(path).json()["items"]) == num
        return len(asked)

    few = read(path, 2), read("/api/v1/runs", 2)
    names = [site["name"] for site in api.viewer.get("/api/v1/sites").json()["items"]]
    for number in range(2):
        launch(api.manager, create_pilot(api.manager, names, name=f"other-{number}"), key=f"o{number}")
    with api.database.write() as session:
        row = session.get_one(RunRow, run["id"])
        like = {
            column: getattr(row, column)
            for column in (
                "pilot_id",
                "arm_id",
                "arm",
                "method",
                "rounds",
                "num_sites",
                "rounds_done",
                "state",
            )
        }
        session.add_all(RunRow(id=f"r{seed}", seed=seed, **like) for seed in range(2, 10))
    assert (read(path, 10), read("/api/v1/runs", 14)) == few


def test_runs_in_a_list_tell_their_own_steps_and_what_they_share_with_their_seed(api: Api) -> None:
    runs = launch(api.manager, create_pilot(api.manager, seeds=[1, 2]))
    of = {(run["arm"], run["seed"]): run["id"] for run in runs}
    with api.database.write() as session:
        rows = {key: session.get_one(RunRow, id) for key, id in of.items()}
        for row in rows.values():
            row.state = "running"
        for site in range(3):
            add_step(session, rows["alone", 1], "prepare", 0, site, "completed")
        add_step(session, rows["alone", 2], "prepare", 0, 0, "running")
        add_step(session, rows["matched", 1], "align", 0, 1, "running")
        rows["alone", 1].rounds_done = 1
        add_step(session, rows["alone", 1], "train", 1, 0, "completed")
        add_step(session, rows["alone", 1], "train", 2, 2, "running")
    with api.database.read() as session:
        live = [session.get_one(RunRow, id) for id in of.values()]
        together = repository.open_steps(session, live)
        steps = {
            key: [(s.kind, s.seed, s.round, s.site_index) for s in together[id]] for key, id in of.items()
        }
    prepared = [("prepare", 1, 0, site) for site in range(3)]
    assert steps == {
        ("alone", 1): [("train", 1, 1, 0), ("train", 1, 2, 2)],
        ("matched", 1): [*prepared, ("align", 1, 0, 1)],
        ("alone", 2): [("prepare", 2, 0, 0)],
        ("matched", 2): [("prepare", 2, 0, 0)],
    }


def test_progress_follows_the_steps(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        add_step(session, row, "merge", 2, 0, "completed")
        add_step(session, row, "merge", 2, 1, "running")
    progress = api.viewer.get(f"/api/v1/runs/{run['id']}").json()["progress"]
    assert progress["code"] == "merging_waiting"
    assert (progress["params"]["round"], progress["params"]["done"]) == (2, 1)
    assert progress["params"]["waiting"] == "Plant 02, Plant 03"


def test_steps_of_a_round_include_those_that_wait_and_for_whom(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        add_step(session, row, "merge", 2, 0, "completed", seconds=1.25)
        add_step(session, row, "merge", 2, 1, "running", progress=0.5)
    page = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=2").json()
    found = {(step["kind"], step["site_name"]): step for step in page["items"]}
    assert page["total"] == 6
    assert found["merge", "site-01"]["words"]["code"] == "merge.completed"
    assert found["merge", "site-02"]["words"]["params"]["percent"] == 50
    assert (found["merge", "site-03"]["state"], found["merge", "site-03"]["waits_for"]) == ("waiting", [])
    assert found["train", "site-02"]["waits_for"] == ["Plant 02"]
    assert found["train", "site-02"]["id"] is None


def test_what_only_its_paused_run_holds_back_says_so_and_names_no_site(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get_one(RunRow, run["id"])
        row.state = "paused"
        add_step(session, row, "merge", 2, 0, "completed")
        add_step(session, row, "merge", 2, 1, "ready")

    def codes() -> dict[tuple[str, str], str]:
        page = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=2").json()
        return {(step["kind"], step["site_name"][-1]): step["words"]["code"] for step in page["items"]}

    found = codes()
    assert [found["merge", site] for site in "23"] == ["any.waiting_for_run"] * 2
    assert [found["train", site] for site in "12"] == ["any.waiting_for_run", "any.waiting_own"]
    with api.database.write() as session:
        session.get_one(RunRow, run["id"]).state = "running"
    found = codes()
    assert [found["merge", "2"], found["merge", "3"]] == ["merge.ready", "any.begins_soon"]


def test_behind_a_step_of_its_own_that_waits_for_its_window_a_step_names_no_other_site(api: Api) -> None:
    run = launch(api.manager, create_pilot(api.manager, rounds=3))[1]
    with api.database.write() as session:
        measure(session, session.get_one(RunRow, run["id"]), rounds_done=1)
        add_step(session, session.get_one(RunRow, run["id"]), "merge", 2, 1, "ready")
        from_, to = (f"{utc_now() + timedelta(hours=hours):%H:%M}" for hours in (2, 4))
        session.execute(
            update(SiteRow)
            .where(SiteRow.name == "site-02")
            .values(window={"from": from_, "to": to, "time_zone": "UTC"})
        )
    page = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=2").json()
    found = {(step["kind"], step["site_name"][-1]): step for step in page["items"]}
    assert found["merge", "2"]["words"]["code"] == "any.waiting_for_window"
    assert found["train", "2"]["words"]["code"] == "any.waiting_own"
    page = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=3").json()
    found = {(step["kind"], step["site_name"][-1]): step for step in page["items"]}
    words = found["merge", "2"]["words"]
    assert (words["code"], words["params"]["waiting"]) == ("merge.waiting", "Plant 01, Plant 03")
    words = found["merge", "1"]["words"]
    assert (words["code"], words["params"]["names"]) == ("any.waiting_for_windows", "Plant 02")
    assert words["params"]["waiting"] == "Plant 02, Plant 03"


def test_a_step_that_is_ready_says_behind_whose_steps_it_waits(api: Api, run: dict[str, Any]) -> None:
    """At its own site, or at another one that the same worker serves; what was sent waits only for what runs."""
    names = [f"site-{number:02}" for number in (1, 2, 3)]
    others = launch(
        api.manager, create_pilot(api.manager, names, name="other", title="The other pilot"), "k2"
    )
    with api.database.write() as session:
        mine, other = session.get_one(RunRow, run["id"]), session.get_one(RunRow, others[0]["id"])
        for site in session.scalars(select(SiteRow)):
            site.worker_id = None if site.name == "site-03" else "w"
        add_step(session, mine, "merge", 2, 0, "ready")
        add_step(session, mine, "merge", 2, 1, "dispatched")
        add_step(session, mine, "merge", 2, 2, "ready")
        add_step(session, other, "train", 1, 0, "dispatched")

    def behind() -> list[dict[str, Any] | None]:
        page = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=2").json()
        merges = [step for step in page["items"] if step["kind"] == "merge"]
        assert [step["words"]["code"] == "merge.held" for step in merges] == [
            step["state"] == "ready" and step["behind"] is not None for step in merges
        ]
        return [step["behind"] for step in merges]

    named = {"code": "turn_behind_pilot", "params": {"pilot": "The other pilot"}}
    assert behind() == [named, None, None]
    with api.database.write() as session:
        session.execute(update(StepRow).where(StepRow.run_id == others[0]["id"]).values(state="running"))
        add_step(session, mine, "train", 2, 2, "running")
    assert behind() == [named, named, {"code": "turn_behind_run", "params": {}}]


def test_steps_are_paged_with_and_without_a_round(api: Api, run: dict[str, Any]) -> None:
    for query, total in (("", 12), ("round=1", 6)):
        path = f"/api/v1/runs/{run['id']}/steps?limit=5&{query}"
        seen: list[str] = []
        page = api.viewer.get(path).json()
        while True:
            seen += [step["id"] for step in page["items"]]
            if page["next_cursor"] is None:
                break
            page = api.viewer.get(f"{path}&cursor={page['next_cursor']}").json()
        assert page["total"] == total
        assert len(seen) == len(set(seen)) == total


def test_no_step_of_a_round_is_skipped_or_repeated_when_steps_begin_between_pages(
    api: Api, run: dict[str, Any]
) -> None:
    path = f"/api/v1/runs/{run['id']}/steps?round=2&limit=2"
    seen: list[tuple[str, str]] = []
    cursor: str | None = ""
    begins = [2, 0, 1]
    while cursor is not None:
        page = api.viewer.get(path + cursor).json()
        seen += [(step["kind"], step["site_name"]) for step in page["items"]]
        cursor = None if page["next_cursor"] is None else f"&cursor={page['next_cursor']}"
        with api.database.write() as session:
            row = session.get(RunRow, run["id"])
            assert row is not None
            add_step(session, row, "merge", 2, begins.pop(0), "running")
    assert seen == [(kind, f"site-0{site}") for kind in ("merge", "train") for site in (1, 2, 3)]


@pytest.mark.parametrize("cursor", ["WzFd", "WyJhIiwxXQ", "WzEsdHJ1ZV0", "not-one"])
def test_a_cursor_of_another_list_is_refused(api: Api, run: dict[str, Any], cursor: str) -> None:
    answer = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=1&cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_metrics_and_exchanges_carry_names_of_sites(api: Api, run: dict[str, Any]) -> None:
    metrics = api.viewer.get(f"/api/v1/runs/{run['id']}/metrics").json()
    assert metrics["total"] == 9
    assert metrics["items"][0]["site_name"] == "site-01"
    assert [m["round"] for m in metrics["items"]] == [0] * 3 + [1] * 6
    assert api.viewer.get(f"/api/v1/runs/{run['id']}/metrics?since=1").json()["total"] == 6
    exchanges = api.viewer.get(f"/api/v1/runs/{run['id']}/exchanges?limit=2").json()
    assert exchanges["total"] == 3
    assert (exchanges["items"][0]["from_site"], exchanges["items"][0]["to_site"]) == ("site-02", "site-01")
    rest = api.viewer.get(
        f"/api/v1/runs/{run['id']}/exchanges?limit=2&cursor={exchanges['next_cursor']}"
    ).json()
    assert len(rest["items"]) == 1


def test_result_has_the_shape_that_others_rely_on(api: Api, run: dict[str, Any]) -> None:
    result = api.viewer.get(f"/api/v1/pilots/{run['pilot_id']}/result").json()
    assert result["pilot"]["sites"] == ["site-01", "site-02", "site-03"]
    assert result["pilot"]["rounds"] == 2
    pilot = api.viewer.get(f"/api/v1/pilots/{run['pilot_id']}").json()
    assert result["pilot"]["spec"] == pilot["spec"]
    alone, matched = result["runs"]
    assert (alone["arm"], alone["rounds"], alone["final_artifacts"]) == ("alone", [], {})
    assert [(r["round"], r["merged"], r["after_merge"] is None) for r in matched["rounds"]] == [
        (0, False, True),
        (1, True, False),
    ]
    own = matched["rounds"][1]["after_train"]["own_site"]
    assert own["mean"] == pytest.approx(0.61)
    assert own["by_site"] == pytest.approx({"site-01": 0.6, "site-02": 0.61, "site-03": 0.62})
    assert matched["final_artifacts"] == {f"site-{site + 1:02}": f"1{site}" * 32 for site in range(3)}
    assert set(matched) == {
        "arm", "method", "seed", "state", "reason", "rounds", "bytes_exchanged", "bytes_uploaded",
        "bytes_evaluation", "bytes_wasted", "busy_s", "seconds", "final_artifacts",
    }  # fmt: skip
    entry = api.viewer.get(f"/api/v1/runs/{run['id']}/result").json()
    assert entry["rounds"] == matched["rounds"]


def test_steps_and_result_follow_an_amendment_from_its_round_on(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        amendment = AmendmentRow(
            pilot_id=run["pilot_id"], arm="matched", state="in_force", from_round=1, patch={"merge": {"merge_every": 2}},
            by="m", why="w",
        )  # fmt: skip
        session.add(amendment)
    rounds = api.viewer.get(f"/api/v1/runs/{run['id']}/result").json()["rounds"]
    assert [(r["round"], r["merged"]) for r in rounds] == [(0, False), (1, False)]
    with api.database.write() as session:
        session.get_one(AmendmentRow, amendment.id).patch = {"method": "local_only"}
        session.get_one(AmendmentRow, amendment.id).from_round = 2
    rounds = api.viewer.get(f"/api/v1/runs/{run['id']}/result").json()["rounds"]
    assert [(r["round"], r["merged"]) for r in rounds] == [(0, False), (1, True)]
    steps = api.viewer.get(f"/api/v1/runs/{run['id']}/steps?round=2").json()["items"]
    assert [step["kind"] for step in steps] == ["train"] * 3


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=running", 1), ("state=queued", 1), ("pilot=first-pilot", 2), ("pilot=other", 0), ("arm=alone", 1),
        ("method=dimat", 1), ("q=MATCH", 1), ("q=first", 2), ("q=_", 0),
    ],
)  # fmt: skip
def test_history_is_filtered(api: Api, run: dict[str, Any], query: str, count: int) -> None:
    assert api.viewer.get(f"/api/v1/runs?{query}").json()["total"] == count


@pytest.mark.parametrize(
    "sort", ["created_at", "-created_at", "arm", "-arm", "state", "-bytes_exchanged", "method"]
)
def test_history_is_sorted_and_pages_meet_without_gap(api: Api, run: dict[str, Any], sort: str) -> None:
    whole = [one["id"] for one in api.viewer.get(f"/api/v1/runs?sort={sort}").json()["items"]]
    first = api.viewer.get(f"/api/v1/runs?sort={sort}&limit=1").json()
    second = api.viewer.get(f"/api/v1/runs?sort={sort}&limit=1&cursor={first['next_cursor']}").json()
    assert [one["id"] for one in (*first["items"], *second["items"])] == whole
    assert second["next_cursor"] is None


def test_cancel_asks_once_and_leaves_the_end_to_the_coordinator(api: Api, run: dict[str, Any]) -> None:
    before = utc_now()
    first = api.manager.post(f"/api/v1/runs/{run['id']}/cancel")
    assert (first.status_code, first.json()["state"]) == (202, "cancelling")
    reason = first.json()["reason"]
    assert (reason["code"], reason["params"]["who"]) == (
        "cancelled",
        "admin (manager)",
    )  # the token's user, and the token
    assert before <= datetime.fromisoformat(reason["params"]["at"]) <= utc_now()
    again = api.manager.post(f"/api/v1/runs/{run['id']}/cancel")
    assert again.json()["reason"] == reason
    assert again.json()["revision"] == first.json()["revision"] == run["revision"] + 1
    newest = api.admin.get("/api/v1/audit?limit=1").json()["items"]
    assert [(entry["action"], entry["actor_name"]) for entry in newest] == [
        ("run_cancelled", "admin (manager)")
    ]


def test_run_that_has_ended_cannot_be_cancelled(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        row.state, row.reason = "completed", {"code": "completed", "params": {}}
    answer = api.manager.post(f"/api/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "run_has_ended")


def test_a_pause_says_who_asked_and_why_and_what_still_runs(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        add_step(session, row, "merge", 2, 1, "running")
    path = f"/api/v1/runs/{run['id']}"
    first = api.manager.post(f"{path}/pause", json={"why": " stocktaking "})
    assert (first.status_code, first.json()["state"]) == (202, "pausing")
    reason, progress = first.json()["reason"], first.json()["progress"]
    assert (reason["code"], reason["params"]["why"]) == ("paused_why", "stocktaking")
    assert (progress["code"], progress["params"]["running"]) == ("pausing_behind", "Plant 02")
    again = api.manager.post(f"{path}/pause")
    assert (again.status_code, again.json()["revision"]) == (202, run["revision"] + 1)
    resumed = api.manager.post(f"{path}/resume").json()
    assert (resumed["state"], resumed["reason"]["code"]) == ("resuming", "resumed")
    assert api.manager.post(f"{path}/resume").json()["revision"] == resumed["revision"]
    assert [entry["action"] for entry in api.admin.get("/api/v1/audit?limit=2").json()["items"]] == [
        "run_resumed",
        "run_paused",
    ]


@pytest.mark.parametrize("question", ["pause", "resume", "cancel"])
@pytest.mark.parametrize(
    ("state", "code"),
    [("completed", "run_has_ended"), ("cancelled", "run_has_ended"), ("cancelling", "run_is_cancelling")],
)
def test_what_ends_is_neither_paused_nor_resumed_nor_cancelled_once_more(
    api: Api, run: dict[str, Any], question: str, state: str, code: str
) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        row.state = state
    answer = api.manager.post(f"/api/v1/runs/{run['id']}/{question}")
    if (question, state) == ("cancel", "cancelling"):  # the same question, which changes nothing
        assert (answer.status_code, answer.json()["revision"]) == (202, run["revision"])
        return
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_all_runs_of_a_pilot_are_paused_resumed_and_cancelled_at_once(api: Api, run: dict[str, Any]) -> None:
    path = f"/api/v1/pilots/{run['pilot_id']}"

    def asked(question: str) -> tuple[int, list[str]]:
        answer = api.manager.post(f"{path}/{question}", json={"why": f" To {question}. "})
        assert answer.status_code == 202
        runs = api.viewer.get(f"{path}/runs").json()["items"]
        return answer.json()["num_runs"], [one["state"] for one in runs]

    assert asked("pause") == (2, ["pausing", "pausing"])
    assert asked("pause") == (0, ["pausing", "pausing"])
    assert asked("resume") == (2, ["resuming", "resuming"])
    assert asked("cancel") == (2, ["cancelling", "cancelling"])
    newest = api.admin.get("/api/v1/audit?limit=1").json()["items"][0]
    assert newest["action"] == "pilot_cancelled"
    assert newest["params"] == {"name": "first-pilot", "num_runs": 2, "why": "To cancel."}
    with api.database.write() as session:
        for state, row in zip(("paused", "cancelled"), session.query(RunRow), strict=True):
            row.state = state
    summary = api.viewer.get(path).json()["runs_summary"]
    assert (summary["paused"], summary["running"], summary["cancelled"]) == (1, 0, 1)
    with api.database.write() as session:
        for row in session.query(RunRow):
            row.state = "cancelled"
    refused = api.manager.post(f"{path}/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_live_runs")
    assert api.viewer.post(f"{path}/pause").status_code == 403


def test_site_says_which_step_it_works_on(api: Api, run: dict[str, Any]) -> None:
    with api.database.write() as session:
        row = session.get(RunRow, run["id"])
        assert row is not None
        add_step(session, row, "merge", 2, 1, "running")
    doing = {site["name"]: site["doing"] for site in api.viewer.get("/api/v1/sites").json()["items"]}
    assert doing["site-01"] is None
    assert (doing["site-02"]["arm"], doing["site-02"]["kind"], doing["site-02"]["round"]) == (
        "matched",
        "merge",
        2,
    )


def test_unknown_run_is_not_found_everywhere(api: Api) -> None:
    for end in ("", "/steps", "/metrics", "/exchanges", "/result"):
        answer = api.viewer.get(f"/api/v1/runs/0190a000-0000-7000-8000-000000000000{end}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), end
