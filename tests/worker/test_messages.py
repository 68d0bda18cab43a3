"""What may come up from a worker: what can be booked, and nothing else."""

from typing import Any

import pytest
from pydantic import ValidationError

from worker.messages.reports import report


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_bytes": -1}, {"num_bytes": 2**44}, {"seconds": 1e300}, {"from_index": -1}, {"seconds": -0.5}, {"in_place_fraction": 1.5},
        {"matched_correlation": -2.0}, {"rejected": "a\0b"},
    ],
)  # fmt: skip
def test_a_report_holds_only_what_can_be_booked(wrong: dict[str, Any]) -> None:
    exchange = {"from_index": 1, "to_index": 0, "purpose": "merge", "num_bytes": 100, "seconds": 0.1}
    body = {
        "kind": "finished", "worker_id": "w", "step_id": "s", "attempt": 1, "execution_id": "e", "seq": 1, "device": "cpu",
        "artifact": {"sha256": "a" * 64, "num_bytes": 90}, "uploaded_bytes": 90, "seconds": 2.0, "cpu_s": 1.5,
        "accuracies": {"own_site": 0.9, "all_site": 0.8, "validation": 0.7},
    }  # fmt: skip
    report.validate_python(body | {"exchanges": [exchange]})
    delta = {"sha256": "d" * 64, "num_bytes": 40, "against": "b" * 64}
    assert "delta" not in report.validate_python(body).model_dump()  # as workers before differences say it
    assert report.validate_python(body | {"delta": delta}).model_dump()["delta"] == delta
    for against in ("b" * 63, "../" + "b" * 61):
        with pytest.raises(ValidationError, match="against"):
            report.validate_python(body | {"delta": delta | {"against": against}})
    # What came of a difference is the model; one that stands by itself says why.
    report.validate_python(
        body | {"exchanges": [exchange | {"purpose": "difference", "failed": "difference_useless"}]}
    )
    with pytest.raises(ValidationError, match="booked as the model"):
        report.validate_python(body | {"exchanges": [exchange | {"purpose": "difference"}]})
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        report.validate_python(body | {"exchanges": [exchange | wrong]})
    for name, value in {
        "uploaded_bytes": -1,
        "seconds": -1.0,
        "worker_id": "w\0",
        "device": "x" * 300,
    }.items():
        with pytest.raises(ValidationError, match=name):
            report.validate_python(body | {name: value})
    with pytest.raises(ValidationError, match="own_site"):
        report.validate_python(body | {"accuracies": {"own_site": 1.1, "all_site": None, "validation": None}})
