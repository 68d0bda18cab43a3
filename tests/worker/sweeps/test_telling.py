"""Results as lines of text."""

from typing import Any

import pytest

from worker.sweeps.telling import table


@pytest.mark.parametrize(
    ("num_bytes", "said"),
    [
        (None, "-"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (45_890, "45.9 kB"),
        (999_949, "999.9 kB"), (999_950, "1.0 MB"), (12_345_678, "12.3 MB"),
    ],
)  # fmt: skip
def test_what_was_exchanged_is_told_in_a_unit_that_shows_it(num_bytes: int | None, said: str) -> None:
    """A run that sent little must not read as one that sent nothing."""
    run: dict[str, Any] = {"arm": "a", "seed": 1, "state": "completed", "rounds": [], "seconds": 2.0}
    head, line = table({"runs": [run | {"bytes_exchanged": num_bytes}]}).splitlines()
    assert line.split("-", maxsplit=2)[2].strip().removesuffix("2.0 s").strip() == said
    assert len(line) == len(head)
