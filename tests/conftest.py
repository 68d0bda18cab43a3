"""Fixtures that every package's tests may use, and the rule about skips.

A test skips only when the machine lacks something. With AWASE_TEST_REQUIRE=all that is a failure, so that
a missing server cannot hide; without it the last lines say what was skipped and how to get it.

What needs a database or a broker is imported by its fixture: the tests of `dimat` run where no driver is installed.
"""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests import services

# No test asserts how long something takes: a busy machine must not turn one red.
settings.register_profile("awase", deadline=None)
settings.load_profile("awase")
REQUIRE_ALL = os.environ.get("AWASE_TEST_REQUIRE") == "all"


@pytest.fixture(scope="session")
def postgres() -> "Iterator[services.Postgres]":
    """A PostgreSQL cluster of this test session."""
    from tests import services

    try:
        with services.postgres() as cluster:
            yield cluster
    except services.Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_template(postgres: "services.Postgres") -> str:
    """The name of a migrated database, copied for each test."""
    from backend.db.migrate import migrate

    name = postgres.create()
    migrate(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, copied for each test."""
    from backend.db.migrate import migrate

    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database of the test's own; the test runs once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "awase.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    cluster: services.Postgres = request.getfixturevalue("postgres")
    name = cluster.create(request.getfixturevalue("postgres_template"))
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As `database_url`, but without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    cluster: services.Postgres = request.getfixturevalue("postgres")
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def broker_of_session() -> Iterator[str]:
    from tests import services

    try:
        with services.broker() as url:
            yield url
    except services.Missing as error:
        pytest.skip(str(error))


@pytest.fixture
def broker_url(broker_of_session: str) -> str:
    """The URL of a real, empty broker."""
    from tests import services

    services.empty_broker(broker_of_session)
    return broker_of_session


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """`tests/cuda` is for machines with a CUDA device: elsewhere there is nothing to get, and it is no skip."""
    folder = Path(__file__).parent / "cuda"
    is_there = folder in (collection_path, *collection_path.parents)
    return True if is_there and not Path("/dev/nvidia0").exists() else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} was skipped, which AWASE_TEST_REQUIRE=all forbids: {_reason(report.longrepr)}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which AWASE_TEST_REQUIRE=all forbids: {_reason(report.longrepr)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = _reason(report.longrepr)
        counts[reason] = counts.get(reason, 0) + 1
    if counts:
        terminalreporter.section("skipped, and how to get it")
        for reason, count in sorted(counts.items()):
            terminalreporter.line(f"{count} tests: {reason}")


def _reason(longrepr: object) -> str:
    reason = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return reason.removeprefix("Skipped: ")
