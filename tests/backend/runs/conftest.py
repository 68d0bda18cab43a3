"""A coordinator whose rows are read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.coordinator.stage import Stage


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(database_url, tmp_path, max_attempts=3)
    yield made
    made.close()
