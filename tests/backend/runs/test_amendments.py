"""Amendments over HTTP: who may ask, what is told at once, and what stands in the list."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.db.tables import AmendmentRow, RunRow
from backend.runs.effects import Effects
from backend.runs.schemas import AmendmentCreate
from dimat import amending
from dimat.parts import MergePatch, TrainPatch
from dimat.plan import ArmPlan, Patch
from tests.backend.building import add_step, create_pilot, create_sites, launch, measure
from tests.backend.conftest import Api

LONGER = {"patch": {"train": {"epochs": 3}}, "why": "One epoch is too little."}


def turns(field: str, old: Any, new: Any) -> dict[str, Any]:
    return {"field": field, "old": old, "new": new, "stays": False, "otherwise": None, "limited": []}


@pytest.fixture
def pilot(api: Api) -> dict[str, Any]:
    """Launched, of ten rounds; the arm `matched` has finished two."""
    made = create_pilot(api.manager, rounds=10)
    run_id = next(run["id"] for run in launch(api.manager, made) if run["arm"] == "matched")
    with api.database.write() as session:
        measure(session, session.get_one(RunRow, run_id), 2)
    return made


def ask(api: Api, pilot: dict[str, Any], body: dict[str, Any], lang: str = "en") -> Any:
    path = f"/api/v1/pilots/{pilot['id']}/amendments"
    return api.manager.post(path, json={"why": "To see.", **body}, headers={"Accept-Language": lang})


def test_a_manager_asks_and_everybody_reads_who_what_when_and_why(api: Api, pilot: dict[str, Any]) -> None:
    path = f"/api/v1/pilots/{pilot['id']}/amendments"
    assert api.viewer.post(path, json=LONGER).json()["code"] == "permission_missing"
    asked = api.manager.post(path, json=LONGER)
    assert asked.status_code == 201, asked.text
    found = asked.json()
    assert (found["state"], found["asked_round"], found["from_round"]) == ("asked", None, 3)
    assert (found["by"], found["why"]) == ("admin (manager)", "One epoch is too little.")
    settings = [turns("train.epochs", 1, 3)]
    assert found["changes"] == [{"round": 3, "arms": ["alone", "matched"], "settings": settings}]
    assert found["comparison_ends"] == []
    listed = api.viewer.get(path).json()
    assert (listed["items"], listed["total"]) == ([found], 1)
    audited = api.admin.get("/api/v1/audit").json()["items"][0]
    assert audited["action"] == "pilot_amended"
    assert audited["params"] == {
        "name": pilot["name"], "round": 3, "arm": None, "why": "One epoch is too little.",
        "old.train.epochs": 1, "new.train.epochs": 3,
    }  # fmt: skip


def test_the_audit_says_of_which_arm_what_was_changed(api: Api, pilot: dict[str, Any]) -> None:
    patch = {"method": "regmean", "topology": {"kind": "ring"}}
    assert ask(api, pilot, {"arm": "matched", "patch": patch}).status_code == 201
    params = api.admin.get("/api/v1/audit").json()["items"][0]["params"]
    changed = {name: value for name, value in params.items() if "." in name}
    assert params["arm"] == "matched"
    assert (changed["old.method"], changed["new.method"]) == (pilot["spec"]["arms"][1]["method"], "regmean")
    assert changed["new.topology.kind"] == "ring"


def test_the_audit_tells_of_each_setting_how_it_turns_first_and_nothing_that_stays(
    api: Api, pilot: dict[str, Any]
) -> None:
    """When a change that was asked for before would begin, the later one keeps its value: that is no change."""
    assert ask(api, pilot, {"from_round": 6, "patch": {"train": {"epochs": 4}}}).status_code == 201
    at_first = pilot["spec"]["train"]["epochs"]
    for epochs, lr in ((at_first + 2, 0.3), (at_first, 0.2)):
        asked = {"from_round": 4, "patch": {"train": {"epochs": epochs, "lr": lr}}}
        assert ask(api, pilot, asked).status_code == 201
    later, sooner = (one["params"] for one in api.admin.get("/api/v1/audit").json()["items"][:2])
    assert (sooner["old.train.epochs"], sooner["new.train.epochs"]) == (at_first, at_first + 2)
    assert "new.train.epochs" not in later
    assert later["new.train.lr"] == 0.2


def test_the_hub_of_a_topology_is_told_by_the_name_that_people_know(api: Api, pilot: dict[str, Any]) -> None:
    site = pilot["spec"]["sites"][1]
    told = ask(api, pilot, {"patch": {"topology": {"kind": "star", "hub": site["name"]}}}).json()
    settings = {one["field"]: one for one in told["changes"][0]["settings"]}
    assert site["display_name"] != site["name"]
    assert settings["topology.hub"] == turns("topology.hub", None, site["display_name"])


def test_a_run_tells_the_methods_that_followed_on_that_of_its_launch(api: Api, pilot: dict[str, Any]) -> None:
    for round, method in ((5, "regmean"), (7, "plain_average")):
        asked = ask(api, pilot, {"arm": "matched", "from_round": round, "patch": {"method": method}}).json()
        with api.database.write() as session:
            row = session.get_one(AmendmentRow, asked["id"])
            row.state, row.from_round = "in_force", round
    told = {run["arm"]: run["methods_since"] for run in api.viewer.get("/api/v1/runs").json()["items"]}
    followed = [{"round": 5, "method": "regmean"}, {"round": 7, "method": "plain_average"}]
    assert told == {"alone": [], "matched": followed}


def test_an_arm_that_alone_trains_otherwise_is_told_to_be_comparable_no_longer(
    api: Api, pilot: dict[str, Any]
) -> None:
    found = ask(api, pilot, {**LONGER, "arm": "matched", "from_round": 6}).json()
    assert found["comparison_ends"] == [{"arm": "matched", "round": 6}]
    rarer = ask(api, pilot, {"arm": "matched", "patch": {"merge": {"merge_every": 2}}}).json()
    assert rarer["comparison_ends"] == []


def test_who_leaves_and_who_joins_again_is_told_by_the_names_that_people_know(
    api: Api, pilot: dict[str, Any]
) -> None:
    sites = pilot["spec"]["sites"]
    names = [site["name"] for site in sites]
    fewer = ask(api, pilot, {"patch": {"members": names[:-1]}, "from_round": 4}).json()
    gone = [turns("members.leave", None, sites[-1]["display_name"] or names[-1])]
    assert fewer["changes"] == [{"round": 4, "arms": ["alone", "matched"], "settings": gone}]
    back = ask(api, pilot, {"patch": {"members": names}, "from_round": 6}).json()
    assert [one["field"] for one in back["changes"][0]["settings"]] == ["members.join"]
    refused = ask(api, pilot, {"patch": {"members": [*names, "nowhere"]}})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_member")
    assert "nowhere" in ask(api, pilot, {"patch": {"members": [*names, "nowhere"]}}, "ja").json()["title"]


def test_an_amendment_of_epochs_names_the_sites_that_keep_to_fewer_by_their_own_limit(api: Api) -> None:
    names = create_sites(api.manager)
    name = names[-1]
    site = next(one for one in api.viewer.get("/api/v1/sites").json()["items"] if one["name"] == name)
    limits = {"limits": {"max_epochs": 3}}
    assert api.manager.patch(f"/api/v1/sites/{site['id']}", json=limits).status_code == 200
    pilot = create_pilot(api.manager, names, rounds=10)
    launch(api.manager, pilot)

    def limited(patch: dict[str, Any]) -> list[Any]:
        found = ask(api, pilot, {"patch": patch}).json()["changes"]
        return [(one["field"], one["limited"]) for change in found for one in change["settings"]]

    kept = [{"site": name, "display_name": site["display_name"] or name, "epochs": 3}]
    assert limited({"train": {"epochs": 5, "lr": 0.5}}) == [("train.epochs", kept), ("train.lr", [])]
    assert limited({"train": {"epochs": 2}}) == [("train.epochs", [])]
    away = {"members": names[:-1], "train": {"epochs": 7}}
    assert dict(limited(away))["train.epochs"] == []


def test_what_a_row_tells_is_what_is_in_force_in_the_final_order(api: Api, pilot: dict[str, Any]) -> None:
    """One made later that begins sooner decides for its arm, and both rows say so."""
    every = ask(api, pilot, {"patch": {"train": {"epochs": 2}}, "from_round": 7}).json()
    one = ask(api, pilot, {"patch": {"train": {"epochs": 5}}, "arm": "matched", "from_round": 5}).json()
    listed = api.viewer.get(f"/api/v1/pilots/{pilot['id']}/amendments").json()["items"]
    overruled = {
        "fields": ["train.epochs"],
        "amendment_id": one["id"],
        "from_round": 5,
        "by": "admin (manager)",
    }
    assert [row["id"] for row in listed] == [every["id"], one["id"]]
    assert listed[0]["changes"] == [
        {"round": 7, "arms": ["alone"], "settings": [turns("train.epochs", 1, 2)]}
    ]
    assert listed[0]["overruled"] == [{"arms": ["matched"], **overruled}]
    assert listed[1]["changes"] == one["changes"] == [
        {"round": 5, "arms": ["matched"], "settings": [turns("train.epochs", 1, 5)]},
        {"round": 7, "arms": ["matched"], "settings": [
            {"field": "train.epochs", "old": 5, "new": 5, "stays": True, "otherwise": 2, "limited": []}]},
    ]  # fmt: skip
    assert listed[1]["overruled"] == []


def test_a_comparison_ends_only_where_it_does_in_the_final_order(api: Api, pilot: dict[str, Any]) -> None:
    one = ask(api, pilot, {**LONGER, "arm": "matched", "from_round": 6}).json()
    assert one["comparison_ends"] == [{"arm": "matched", "round": 6}]
    ask(api, pilot, {**LONGER, "from_round": 5})
    listed = api.viewer.get(f"/api/v1/pilots/{pilot['id']}/amendments").json()["items"]
    assert [row["comparison_ends"] for row in listed] == [[], []]


def test_four_times_as_many_amendments_take_no_more_than_four_times_as_many_plans(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot = create_pilot(api.manager, rounds=100)
    launch(api.manager, pilot)
    made: list[str] = []

    def noting(name: str, of: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: made.append(name) or of(*args, **more)  # type: ignore[func-returns-value]

    monkeypatch.setattr(ArmPlan, "model_validate", noting("plan", ArmPlan.model_validate))
    monkeypatch.setattr(amending, "training_changes", noting("training", amending.training_changes))

    def made_for(first: int, last: int) -> int:
        with api.database.write() as session:
            for place in range(first, last):
                arm = "matched" if place % 5 == 4 else None
                patch = (
                    {"merge": {"merge_every": 1 + place % 4}}
                    if place % 2
                    else {"train": {"epochs": 1 + place}}
                )
                session.add(
                    AmendmentRow(
                        pilot_id=pilot["id"], arm=arm, state="in_force", from_round=2 + 2 * place, patch=patch,
                        by="m", why="w",
                    )
                )  # fmt: skip
        made.clear()
        assert api.viewer.get(f"/api/v1/pilots/{pilot['id']}/amendments").json()["total"] == last
        return len(made)

    of_ten = made_for(0, 10)
    assert 0 < made_for(10, 40) <= 4 * of_ten


def test_who_asks_is_told_of_that_amendment_and_no_other_is_looked_at(
    api: Api, pilot: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile nobody else can write to SQLite, not the coordinator either."""
    told: list[str] = []
    of = Effects.of
    monkeypatch.setattr(Effects, "of", lambda self, one: told.append(one.id) or of(self, one))  # type: ignore[func-returns-value]
    ids = [ask(api, pilot, {"patch": {"train": {"epochs": epochs}}}).json()["id"] for epochs in (2, 3, 4)]
    assert told == ids


def test_a_run_that_was_restarted_is_not_called_left_out(api: Api, pilot: dict[str, Any]) -> None:
    """Its successor is changed, and a reader would take the arm for left out."""
    ask(api, pilot, LONGER)
    with api.database.write() as session:
        first, second = session.scalars(select(RunRow).order_by(RunRow.arm)).all()
        row = session.scalars(select(AmendmentRow)).one()
        row.state, row.from_round, row.left_out = "in_force", 4, [first.id]
    path = f"/api/v1/pilots/{pilot['id']}/amendments"
    found = api.viewer.get(path).json()["items"][0]
    assert [one["run_id"] for one in found["left_out"]] == [first.id]
    assert found["changes"][0]["arms"] == ["matched"]
    with api.database.write() as session:
        session.get_one(RunRow, first.id).replaced_by = second.id
    assert api.viewer.get(path).json()["items"][0]["left_out"] == []


def test_an_amendment_has_begun_when_a_run_that_counts_has_got_to_its_first_round(
    api: Api, pilot: dict[str, Any]
) -> None:
    for round in (5, 6):
        assert (
            ask(api, pilot, {"patch": {"train": {"epochs": round}}, "from_round": round}).status_code == 201
        )
    path = f"/api/v1/pilots/{pilot['id']}/amendments"
    begun = lambda: [one["begun"] for one in api.viewer.get(path).json()["items"]]  # noqa: E731
    assert begun() == [False, False]
    with api.database.write() as session:
        alone, matched = session.scalars(select(RunRow).order_by(RunRow.arm)).all()
        first, second = session.scalars(select(AmendmentRow).order_by(AmendmentRow.id)).all()
        for row in (first, second):
            row.state, row.from_round = "in_force", row.asked_round
        add_step(session, matched, "train", 4, 0, "completed")
        ids = alone.id, matched.id, first.id
    assert begun() == [False, False]
    with api.database.write() as session:
        add_step(session, session.get_one(RunRow, ids[1]), "merge", 5, 0, "ready")
    assert begun() == [True, False]
    with api.database.write() as session:
        session.get_one(AmendmentRow, ids[2]).left_out = [ids[1]]
    assert begun() == [False, False]
    with api.database.write() as session:
        session.get_one(AmendmentRow, ids[2]).left_out = []
        session.get_one(RunRow, ids[1]).replaced_by = ids[0]
    assert begun() == [False, False]


def test_runs_that_an_amendment_has_not_reached_are_named_those_that_go_on_and_those_that_ended(
    api: Api, pilot: dict[str, Any]
) -> None:
    """It was said to be in force as soon as one arm had begun its round, also where another never did."""
    ask(api, pilot, {"patch": {"train": {"epochs": 3}}, "from_round": 5})
    path = f"/api/v1/pilots/{pilot['id']}/amendments"

    def told() -> tuple[bool, list[str], list[str]]:
        one = api.viewer.get(path).json()["items"][0]
        return one["begun"], *([run["arm"] for run in one[name]] for name in ("ahead", "missed"))

    assert told() == (False, [], [])  # nobody has decided it
    with api.database.write() as session:
        alone, matched = session.scalars(select(RunRow).order_by(RunRow.arm)).all()
        row = session.scalars(select(AmendmentRow)).one()
        row.state, row.from_round = "in_force", 5
        ids = alone.id, matched.id
    assert told() == (False, ["alone", "matched"], [])
    with api.database.write() as session:
        add_step(session, session.get_one(RunRow, ids[0]), "train", 5, 0, "ready")
    assert told() == (True, ["matched"], [])
    with api.database.write() as session:
        session.get_one(RunRow, ids[1]).state = "cancelled"
    assert told() == (True, [], ["matched"])


def test_a_run_that_ended_before_an_amendment_tells_no_method_of_it(api: Api, pilot: dict[str, Any]) -> None:
    ask(api, pilot, {"arm": "matched", "patch": {"method": "regmean"}, "from_round": 5})
    with api.database.write() as session:
        row = session.scalars(select(AmendmentRow)).one()
        row.state, row.from_round = "in_force", 5
        id = session.scalars(select(RunRow.id).where(RunRow.arm == "matched")).one()
    since = lambda: api.viewer.get(f"/api/v1/runs/{id}").json()["methods_since"]  # noqa: E731
    assert since() == [{"round": 5, "method": "regmean"}]
    with api.database.write() as session:
        session.get_one(RunRow, id).state = "cancelled"
    assert since() == []


def test_a_pilot_says_what_a_change_would_begin_with(api: Api, pilot: dict[str, Any]) -> None:
    """So that nobody has to be refused to learn the first free round, or what is in force by then."""
    path = f"/api/v1/pilots/{pilot['id']}/amendable"
    names = [site["name"] for site in pilot["spec"]["sites"]]
    ask(api, pilot, {"patch": {"train": {"epochs": 3}}, "arm": "matched", "from_round": 4})
    ask(api, pilot, {"patch": {"members": names[:-1]}, "from_round": 6})
    alone, matched = api.viewer.get(path).json()["arms"]
    rounds = [(one["arm"], one["next_round"], one["first_free_round"]) for one in (alone, matched)]
    assert rounds == [("alone", 1, 1), ("matched", 3, 4)]
    told = [
        (plan["from_round"], plan["settings"]["train.epochs"], plan["members"]) for plan in matched["plans"]
    ]
    assert told == [(3, 1, names), (4, 3, names), (6, 3, names[:-1])]
    assert [plan["settings"]["train.epochs"] for plan in alone["plans"]] == [1, 1]
    settings = matched["plans"][0]["settings"]
    assert settings["merge.wire.deltas"] is False
    assert (settings["method"], settings["topology.kind"], settings["merge.wire.compress"]) == (
        "dimat",
        "full",
        False,
    )
    for patch, first in (
        ({"wire": {"numbers": "int8"}}, matched["first_free_round"]),
        ({"merge_every": 2}, matched["next_round"]),
    ):
        too_soon = {"patch": {"merge": patch}, "arm": "matched", "from_round": first - 1}
        refused = ask(api, pilot, too_soon).json()
        assert (refused["code"], refused["params"]["first"]) == ("amendment_round_begun", first)
        assert ask(api, pilot, too_soon | {"from_round": first}).status_code == 201
    with api.database.write() as session:
        for run in session.scalars(select(RunRow).where(RunRow.arm == "alone")):
            run.state = "completed"
    ended = api.viewer.get(path).json()["arms"][0]
    assert (ended["next_round"], ended["first_free_round"], ended["plans"]) == (None, None, [])
    draft = create_pilot(api.manager, names, name="second-pilot")
    assert api.viewer.get(f"/api/v1/pilots/{draft['id']}/amendable").json()["arms"] == []


def test_of_an_arm_that_never_merges_only_training_is_told_to_change(api: Api, pilot: dict[str, Any]) -> None:
    patch = {"method": "regmean", "merge": {"merge_every": 2}, "topology": {"kind": "ring"}}
    found = ask(api, pilot, {"patch": patch}).json()
    assert found["changes"] == [
        {
            "round": 3,
            "arms": ["matched"],
            "settings": [
                turns("method", "dimat", "regmean"),
                turns("topology.kind", "full", "ring"),
                turns("merge.merge_every", 1, 2),
            ],
        }
    ]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"patch": {}}, 422, "amendment_changes_nothing", "patch"),
        ({"patch": {"train": {"epochs": 1}}}, 422, "amendment_changes_nothing", "patch"),
        ({"patch": {"method": "regmean"}, "arm": "alone"}, 422, "control_arm_would_merge", "patch.method"),
        ({"patch": {"merge": {"guard": 1}}, "arm": "alone"}, 422, "amendment_changes_nothing", "patch"),
        ({"patch": {"train": {"epochs": 2}}, "arm": "nobody"}, 422, "unknown_arm", "arm"),
        ({"patch": {"members": ["site-01", "site-02"]}, "arm": "matched"}, 422, "members_of_one_arm", "patch.members"),
        ({"patch": {"train": {"epochs": -1}}}, 422, "greater_than_equal", "patch.train.epochs"),
        ({"patch": {"train": {"epochs": 2}}, "why": ""}, 422, "string_too_short", "why"),
        ({"patch": {"train": {"epochs": 2}}, "from_round": 2}, 422, "amendment_round_begun", "from_round"),
        ({"patch": {"merge": {"wire": {"compress": True}}}, "from_round": 3}, 422, "amendment_round_begun", "from_round"),
        ({"patch": {"train": {"epochs": 2}}, "from_round": 11}, 422, "amendment_after_end", "from_round"),
        ({"patch": {"train": {"loss": "balanced_softmax", "class_weights": "balanced"}}}, 422, "classes_counted_twice", "patch.train.class_weights"),
        ({"patch": {"train": {"loss": "mse"}}}, 422, "literal_error", "patch.train.loss"),
        ({"patch": {"merge": {"final_merge": True, "merge_every": 4}}}, 422, "final_merge_missed", "patch.merge.merge_every"),
        ({"patch": {"merge": {"ridge_head": True}}}, 422, "ridge_head_needs_basis", "patch.merge.ridge_head"),
        ({"patch": {"merge": {"merge_every": 50}}}, 422, "merges_no_more", "patch.merge.merge_every"),
        ({"patch": {"topology": {"kind": "star", "hub": "site-99"}}}, 422, "unknown_site", "patch.topology"),
        ({"patch": {"topology": {"kind": "random_regular"}}}, 422, "topology_option_missing", "patch.topology"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_at_its_place_in_both_languages_and_nothing_is_kept(
    api: Api, pilot: dict[str, Any], body: dict[str, Any], status: int, code: str, field: str
) -> None:
    titles = set()
    for lang in ("en", "ja"):
        answer = ask(api, pilot, body, lang)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["field"]) == (status, code, field), problem
        assert problem["remedy"]
        assert "{" not in problem["title"] + problem["remedy"]
        titles.add(problem["title"])
    assert len(titles) == 2
    with api.database.read() as session:
        assert session.scalars(select(AmendmentRow)).all() == []


def test_what_was_asked_for_counts_although_nobody_has_decided_it(api: Api, pilot: dict[str, Any]) -> None:
    """The same twice changes nothing, and two that exclude each other are found."""
    assert ask(api, pilot, LONGER).status_code == 201
    assert ask(api, pilot, LONGER).json()["code"] == "amendment_changes_nothing"
    weights = {"patch": {"train": {"class_weights": "balanced"}}, "from_round": 6}
    assert ask(api, pilot, weights).status_code == 201
    loss = {"patch": {"train": {"loss": "balanced_softmax"}}, "arm": "alone"}
    problem = ask(api, pilot, loss).json()
    assert (problem["code"], problem["params"]["arm"]) == ("classes_counted_twice", "alone")


def test_a_draft_has_no_rounds_to_change_and_a_run_in_its_last_round_none_left(api: Api) -> None:
    draft = create_pilot(api.manager)
    assert ask(api, draft, LONGER).json()["code"] == "pilot_not_launched"
    runs = launch(api.manager, draft)
    with api.database.write() as session:
        for run in runs:
            add_step(session, session.get_one(RunRow, run["id"]), "train", 2, 0, "running")
    answer = ask(api, draft, LONGER)
    assert (answer.status_code, answer.json()["code"]) == (409, "amendment_no_round_left")
    with api.database.write() as session:
        for run in session.scalars(select(RunRow)):
            run.state = "completed"
    assert ask(api, draft, LONGER).json()["code"] == "amendment_runs_ended"


def test_the_page_on_amendments_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "amendments.md").read_text("utf-8")
    for part in (AmendmentCreate, Patch, TrainPatch, MergePatch):
        assert [name for name in part.model_fields if f"`{name}`" not in page] == []
    example = page.partition("-d '")[2].partition("'")[0]
    assert AmendmentCreate.model_validate_json(example).from_round == 20
