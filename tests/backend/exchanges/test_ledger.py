"""The byte ledger over HTTP: its sums are those of its rows, and each fetch counts once, whatever became of its run."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, RunRow, new_id
from backend.exchanges.raw_data import CARRIES
from backend.exchanges.schemas import FetchedFor
from backend.roi import repository as roi
from tests.backend.building import add_step, create_pilot, launch
from tests.backend.conftest import Api

FETCHES = [
    # (meant for, result, from, to, bytes, unknown)
    ("align", "accepted", 0, 1, 10_007, 0),
    ("merge", "accepted", 0, 1, 20_011, 0),
    ("moments", "accepted", 0, 1, 40_013, 0),
    ("merge", "accepted", 1, 0, 80_021, 0),
    ("join", "accepted", 1, 2, 160_033, 0),
    ("merge", "rejected", 2, 1, 320_027, 0),
    ("merge", "failed", 2, 1, 640_007, 0),
    ("merge", "wasted", 2, 1, 1_280_023, 0),
    ("merge", "unconfirmed", 1, 2, 0, 2_560_021),
]


@dataclass
class Family:
    """Runs of one arm and seed: the first was restarted after round 1, and is replaced by the second; beside them another arm."""

    pilot: str
    replaced: str
    counting: str
    other: str


@pytest.fixture
def family(api: Api) -> Family:
    pilot = create_pilot(api.manager)
    other, first = (run["id"] for run in launch(api.manager, pilot))
    with api.database.write() as session:
        run = session.get_one(RunRow, first)
        second = RunRow(
            id=new_id(), pilot_id=run.pilot_id, arm_id=run.arm_id, arm=run.arm, method=run.method, seed=run.seed,
            rounds=run.rounds, num_sites=run.num_sites, parent_run_id=run.id, from_round=1, state="running",
        )  # fmt: skip
        run.replaced_by, run.state = second.id, "cancelled"
        session.flush()
        session.add(second)
        session.flush()
        for row, rounds in ((run, (1, 2)), (second, (1, 2)), (session.get_one(RunRow, other), (1,))):
            for round in rounds:
                _fetch_all(session, row, round)
        return Family(pilot["id"], first, second.id, other)


def _fetch_all(session: Session, run: RunRow, round: int) -> None:
    steps = {site: add_step(session, run, "merge", round, site, "completed") for site in range(3)}
    for meant, result, source, target, num_bytes, unknown in FETCHES:
        session.add(
            ExchangeRow(
                run_id=run.id, step_id=steps[target].id, attempt=1, round=round, from_index=source, to_index=target,
                purpose=meant, result=result, num_bytes=num_bytes, unknown_bytes=unknown, seconds=0.25,
                wire_format="float16+zstd",
            )
        )  # fmt: skip


def rows(api: Api, run: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.viewer.get(f"/api/v1/runs/{run}/exchanges?limit=4{query}{cursor}").json()
        found += page["items"]
        if page["next_cursor"] is None:
            assert page["total"] == len(found)
            return found
        cursor = f"&cursor={page['next_cursor']}"


def ledger(api: Api, path: str) -> dict[str, Any]:
    found: dict[str, Any] = api.viewer.get(f"/api/v1/{path}/ledger").json()
    return found


def test_totals_by_purpose_and_link_are_the_sums_of_the_rows(api: Api, family: Family) -> None:
    for run in (family.replaced, family.counting, family.other):
        found, listed = ledger(api, f"runs/{run}"), rows(api, run)
        assert len(listed) > 0
        for column in ("num_bytes", "unknown_bytes", "raw_data_bytes", "seconds"):
            total = sum(row[column] for row in listed)
            assert found["total"][column] == total
            assert sum(part[column] for part in found["by_link"]) == total
            by_purpose: Counter[str] = Counter()
            for row in listed:
                by_purpose[row["purpose"]] += row[column]
            assert {part["purpose"]: part[column] for part in found["by_purpose"]} == {
                purpose: by_purpose[purpose] for purpose in ("align", "join", "merge", "evaluate", "wasted")
            }
        links = {(row["from_index"], row["to_index"]) for row in listed}
        assert [(part["from_index"], part["to_index"]) for part in found["by_link"]] == sorted(links)
        wasted = next(part["num_bytes"] for part in found["by_purpose"] if part["purpose"] == "wasted")
        assert sum(part["wasted_bytes"] for part in found["by_link"]) == wasted > 0
        assert found["total"]["num_exchanges"] == len(listed)


def test_what_a_run_did_in_rounds_that_do_not_stand_is_wasted(api: Api, family: Family) -> None:
    def used(run: str, round: int) -> int:
        return sum(
            row["num_bytes"] for row in rows(api, run, f"&round={round}") if row["purpose"] != "wasted"
        )

    accepted = sum(fetch[4] for fetch in FETCHES if fetch[1] == "accepted")
    assert (used(family.replaced, 1), used(family.replaced, 2)) == (accepted, 0)
    assert (used(family.counting, 1), used(family.counting, 2)) == (accepted, accepted)
    assert {row["taken_over"] for row in rows(api, family.counting, "&round=1")} == {True}
    assert {row["taken_over"] for row in rows(api, family.counting, "&round=2")} == {False}


def test_a_pilot_counts_each_fetch_once_and_as_its_roi_does(api: Api, family: Family) -> None:
    of_pilot = ledger(api, f"pilots/{family.pilot}")
    of_runs = [ledger(api, f"runs/{run}") for run in (family.replaced, family.counting, family.other)]
    each = sum(fetch[4] for fetch in FETCHES)
    assert [run["taken_over_bytes"] for run in of_runs] == [0, each, 0]
    served = sum(run["total"]["num_bytes"] - run["taken_over_bytes"] for run in of_runs)
    assert of_pilot["total"]["num_bytes"] == served == 4 * each
    with api.database.read() as session:
        facts = roi.load(session, family.pilot)
    assert facts is not None
    usage = [spent for run in facts.runs for spent in run.usage.values()]
    wasted = next(part["num_bytes"] for part in of_pilot["by_purpose"] if part["purpose"] == "wasted")
    assert sum(spent.num_bytes for spent in usage) == served
    assert sum(spent.wasted_bytes for spent in usage) == wasted


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("&purpose=wasted", 8), ("&purpose=merge", 6), ("&purpose=evaluate", 0), ("&from_index=0&to_index=1", 6),
        ("&to_index=1&purpose=wasted&round=2", 3),
    ],
)  # fmt: skip
def test_the_list_can_be_narrowed_and_taken_as_a_table(
    api: Api, family: Family, query: str, count: int
) -> None:
    listed = rows(api, family.counting, query)
    assert len(listed) == count
    answer = api.viewer.get(f"/api/v1/runs/{family.counting}/exchanges.csv?{query[1:]}")
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in table] == [row["id"] for row in listed]
    for told, row in zip(table, listed, strict=True):
        for name, value in told.items():
            assert value == ("" if row[name] is None else str(row[name])), name


def test_a_table_of_no_run_is_not_found(api: Api) -> None:
    assert api.viewer.get("/api/v1/runs/nothing/exchanges.csv").status_code == 404


def test_of_everything_that_is_fetched_it_is_known_what_it_carries() -> None:
    assert set(CARRIES) == set(FetchedFor.__args__)  # type: ignore[attr-defined]
    assert "rows" not in CARRIES.values()
