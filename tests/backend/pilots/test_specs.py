"""Stored specs are parsed once; a changed one is another."""

from backend.db.tables import PilotRow
from backend.pilots.specs import stored_spec
from dimat.spec import PilotSpec
from tests.backend.building import spec


def _row(**changes: object) -> PilotRow:
    return PilotRow(spec=PilotSpec.model_validate(spec(["a", "b"], **changes)).model_dump(mode="json"))


def test_stored_spec_is_the_spec_that_was_written() -> None:
    assert stored_spec(_row(rounds=7)) == PilotSpec.model_validate(spec(["a", "b"], rounds=7))


def test_equal_stored_specs_are_parsed_once() -> None:
    assert stored_spec(_row()) is stored_spec(_row())


def test_changed_spec_of_a_draft_is_read_anew() -> None:
    row = _row()
    before = stored_spec(row)
    row.spec = {**row.spec, "rounds": 9}
    assert (before.rounds, stored_spec(row).rounds) == (2, 9)
