"""In which rounds sites move into a common basis, and why then. Pure.

Units of two models that were trained apart stand in no common order: unit 3 of one means what unit 40 of the other does. Methods of a
common basis add models up unit by unit and match nothing when they merge, so somebody has to bring them into one order first. Before
round 0 is too early for a method that an amendment brings in later: models would be added up that never were in one order, which
destroys them, and nothing would say so. What training changes in between does not matter, as a site's own steps keep its order.
"""

from collections.abc import Callable

from dimat.plan import ArmPlan


def aligned_rounds(rounds: int, plan_of: Callable[[int], ArmPlan]) -> frozenset[int]:
    """The rounds before whose merge sites align; 0 stands for before round 0, where the arm begins with such a method.

    Sites align where a method of a common basis begins: in a round that merges so, when the merge before it (or the start)
    was in no common basis. So an amendment changes nothing before the round from which it counts.

    Args:
        rounds: R. plan_of: effective plan of a round 1..R.
    """
    is_common = plan_of(1).in_common_basis
    found = {0} if is_common else set[int]()
    for round in range(1, rounds + 1):
        plan = plan_of(round)
        if not plan.merges_in(round):
            continue
        if plan.in_common_basis and not is_common:
            found.add(round)
        is_common = plan.in_common_basis
    return frozenset(found)
