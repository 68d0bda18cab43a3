"""What the coordinator remembers stays within bounds, however many pilots it has seen."""

from pathlib import Path

from backend.coordinator import memory
from backend.coordinator.memory import Plans
from tests.backend.coordinator.stage import Stage, spec


def test_of_specs_only_the_last_used_are_kept(database_url: str, tmp_path: Path) -> None:
    stage = Stage(database_url, tmp_path)
    plans, num_pilots = Plans(), memory.MOST_SPECS + 10
    with stage.database.write() as session:
        for number in range(num_pilots):
            session.add(stage.pilot(spec(f"p{number}")))
    with stage.database.read() as session:
        first, second = plans.spec(session, "p0"), plans.spec(session, "p1")
        for number in range(num_pilots):
            plans.spec(session, f"p{number}")
            assert plans.spec(session, "p0") is first  # used again and again: kept
        again = plans.spec(session, "p1")
    assert again == second
    assert again is not second
    stage.close()
