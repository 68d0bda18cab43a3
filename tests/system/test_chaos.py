"""A handful of faults at random moments, on both databases; `benchmarks/chaos.py` does as many as wanted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import services
from tests.services import Missing, Postgres
from tests.system import chaos, faults, house

ON_SQLITE = ("kill process of the worker", "stop coordinator", "store full", "clock jumps")
ON_POSTGRESQL = (
    "stop worker",
    "kill broker",
    "cut connections to the broker",
    "cut connections to the database",
)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[dict[str, str]]:
    try:
        yield faults.clock(tmp_path)
    except Missing as error:
        pytest.skip(str(error))


def test_faults_change_nothing_of_what_runs_end_in(clock: dict[str, str], tmp_path: Path) -> None:
    _survives(tmp_path, ON_SQLITE, chaos.SETTINGS | clock)


def test_faults_change_nothing_on_postgresql_either(postgres: Postgres, tmp_path: Path) -> None:
    settings = chaos.SETTINGS | {"DATABASE_URL": postgres.url(postgres.create())}
    _survives(tmp_path, ON_POSTGRESQL, settings, postgres)


@pytest.mark.parametrize("policy", ["skip", "stop"])
def test_runs_go_on_without_a_site_or_end_and_say_why(policy: chaos.Policy, tmp_path: Path) -> None:
    with services.broker("between-us") as broker:
        shared = {"BROKER_URL": broker, "AWASE_ARTIFACTS": str(tmp_path / "store")}
        with house.running(tmp_path / "data", **chaos.SETTINGS, **shared) as up:
            with chaos.remote_sites(up, tmp_path, **shared) as workers:
                known = faults.faults(chaos.LONGER_THAN_LEASE_S) | faults.faults_of_sites(
                    workers, chaos.LONGER_THAN_LIMIT_S
                )
                some = {name: known[name] for name in ("stop worker of a site", "kill coordinator")}
                # so many rounds that also on a fast machine no run ends before the site is stopped
                tally = chaos.chaos(up, some, len(some), seed=1, rounds=60, policy=policy)
            processes = up.processes()
    assert tally.wrong == []
    assert (tally.times_without_a_site > 0) == (policy == "skip")
    assert ("failed" in tally.runs) == (policy == "stop")
    assert chaos.left_behind(processes) == []


def _survives(
    folder: Path, names: tuple[str, ...], settings: dict[str, str], postgres: Postgres | None = None
) -> None:
    known = faults.faults(chaos.LONGER_THAN_LEASE_S, postgres)
    with house.running(folder / "data", **settings) as up:
        tally = chaos.chaos(up, {name: known[name] for name in names}, len(names), seed=1, rounds=8)
        processes = up.processes()
    assert tally.wrong == []
    assert set(tally.runs) == {"completed"}
    assert chaos.left_behind(processes) == []
