"""Of restarted runs: what stands for the one that counts, and what was in vain."""

from backend.roi.facts import Usage
from backend.roi.restarts import spent_by_all
from backend.runs.standing import Lineage, in_vain_after


def test_of_a_chain_of_restarts_each_run_stands_up_to_the_lowest_round_on_the_way() -> None:
    runs = [Lineage("a", None, None), Lineage("b", "a", 5), Lineage("c", "b", 3)]
    assert in_vain_after("c", runs) == {
        "a": 3,
        "b": 5,
    }  # of b nothing after round 3 stands, and it began after 5


def test_of_a_run_that_is_no_ancestor_all_its_own_work_was_in_vain() -> None:
    runs = [Lineage("a", None, None), Lineage("b", "a", 5), Lineage("c", "a", 8)]
    assert in_vain_after("c", runs) == {"a": 8, "b": 5}
    assert in_vain_after("c", [Lineage("a", None, None), Lineage("c", None, None)]) == {"a": -1}


def test_what_was_in_vain_is_added_as_such_in_its_round() -> None:
    ours = {(1, 0): Usage(cpu_s=1.0, num_bytes=10), (2, 0): Usage(cpu_s=2.0)}
    theirs = {(1, 0): Usage(cpu_s=1.0, num_bytes=10), (2, 0): Usage(cpu_s=3.0, num_bytes=20, wasted_bytes=5)}
    found = spent_by_all("b", [Lineage("a", None, None), Lineage("b", "a", 1)], {"a": theirs, "b": ours})
    assert found[1, 0] == theirs[1, 0]
    assert found[2, 0] == Usage(cpu_s=5.0, num_bytes=20, wasted_cpu_s=3.0, wasted_bytes=20)


def test_what_stands_is_booked_once_and_with_a_run_that_has_not_begun_too() -> None:
    theirs = {(1, 0): Usage(cpu_s=1.0, num_bytes=10, wasted_bytes=5)}
    assert (
        spent_by_all("b", [Lineage("a", None, None), Lineage("b", "a", 1)], {"a": theirs, "b": {}}) == theirs
    )
