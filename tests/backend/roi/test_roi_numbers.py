"""Numbers as people read them."""

import pytest

from backend.roi.numbers import num_bytes


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (999_951_000, "1.0 GB"),
        (10**15, "1,000.0 TB"),
    ],
)
def test_bytes_have_at_most_three_digits_before_the_point(count: int, said: str) -> None:
    assert num_bytes(count) == said
