"""What may be said about an ROI: the sentence, the evidence, the verdict. Pure rules; the words are in the
catalogue.

"go" needs at least three seeds, all of those that were begun completed, figures that are the pilot's own, and a gain even at
the worse end; one seed is chance as much as merit. Nothing is concluded while seeds of the arm or of its control arm
failed or were cancelled: those that came through may be the ones in which all went well. Nor where the pilot was cancelled: somebody
chose that moment, and may have seen the figures. "stop" says so of every arm.
"""

from collections.abc import Sequence
from decimal import Decimal

from backend.pilots.assumptions import Assumptions
from backend.roi.compared import Compared
from backend.roi.numbers import money
from backend.roi.schemas import Basis, Verdict
from backend.text.schemas import Params, Text

SEEDS_NEEDED = 3


def evidence_and_verdict(
    arms: Sequence[Compared], assumptions: Assumptions | None, over: bool, alone: int | None = None,
    cancelled: Params | None = None,
) -> tuple[Text, Verdict]:  # fmt: skip
    """How far the result bears, and what follows for the basis that counts.

    Args:
        over: whether every run has ended, so that no more will come.
        alone: the seed, where a single run is looked at: of how many seeds completed it knows nothing.
        cancelled: of a pilot that was, the round up to which all its runs count.
    """
    if assumptions is None or not arms:
        code = "nothing_was_judged" if over and assumptions is not None else "nothing_to_judge"
        return Text(code=code, params={}), "none"
    if alone is not None:
        return Text(code="one_run", params={"seed": alone}), "not_enough_evidence"
    best = _best(arms)
    params: Params = {
        "num_seeds": best.num_completed,
        "num_begun": len(best.seeds),
        "needed": SEEDS_NEEDED,
        "arm": best.arm,
    }
    if cancelled is not None:
        return Text(code="cancelled", params={**params, **cancelled}), "not_enough_evidence"
    if best.lost:
        lost: Params = {**params, "missing": ", ".join(map(str, best.lost)), "num_missing": len(best.lost)}
        return Text(code="seeds_lost", params=lost), "not_enough_evidence"
    if best.num_completed < SEEDS_NEEDED:
        return Text(code="not_enough_evidence", params=params), "not_enough_evidence"
    if not _is_whole(best):
        return Text(code="seeds_at_work", params=params), "not_enough_evidence"
    if assumptions.example:
        return Text(code="example_assumptions", params={}), "not_enough_evidence"
    evidence = Text(code="enough_seeds", params=params)
    if best.stands and best.total.last.net.low > 0 and all(one.last.net.likely > 0 for one in best.per_seed):
        return evidence, "go"
    if all(_is_whole(arm) and all(one.last.net.high < 0 for one in arm.per_seed) for arm in arms):
        return evidence, "stop"
    return evidence, "unclear"


def sentence(
    reason: Text | None,
    bases: Sequence[tuple[Basis, list[Compared]]],
    counting: Basis,
    assumptions: Assumptions | None,
    over: bool,
) -> tuple[Text, bool]:
    """The one sentence, and whether own-site and all-site value disagree about any arm: about what is left after costs,
    about whether there is a gain, or about where it goes."""
    if reason is not None or assumptions is None:
        return reason or Text(code="no_assumptions", params={}), False
    by_name = {name: {arm.arm: arm for arm in arms} for name, arms in bases}
    own, rest = by_name["own_site"], by_name["all_site"]
    if not own:
        return no_result(over), False
    ranked = sorted(
        by_name.get(counting) or own, key=lambda name: _rank((by_name.get(counting) or own)[name])
    )
    if not rest:
        arm = own[ranked[-1]]
        code = "own_pays" if _pays(arm) else "own_does_not_pay"
        return Text(code=code, params=_params(arm, None, assumptions)), False
    both = [name for name in reversed(ranked) if name in own and name in rest]
    # Where the best arm pays whichever view one takes, what the others do is no news.
    for disputed in () if both and _pays(own[both[0]]) and _pays(rest[both[0]]) else both:
        dispute = _dispute(own[disputed], rest[disputed])
        if dispute is not None:
            return Text(code=dispute, params=_params(own[disputed], rest[disputed], assumptions)), True
    if not both:
        return no_result(over), False
    first = both[0]
    # Of a run, or of the only arm that can be compared, nothing is known about others.
    loses = "neither_pays" if len(both) > 1 else "does_not_pay"
    code = "both_pay" if _pays(own[first]) else loses
    return Text(code=code, params=_params(own[first], rest[first], assumptions)), False


def no_result(over: bool) -> Text:
    """Why no round can be compared: none has been finished so far, or none was before every run ended."""
    return Text(code="no_result" if over else "no_result_yet", params={})


def _is_whole(arm: Compared) -> bool:
    """Whether all seeds that were begun, and enough of them, have completed."""
    return arm.num_completed == len(arm.seeds) >= SEEDS_NEEDED


def _best(arms: Sequence[Compared]) -> Compared:
    return max(arms, key=_rank)


def _rank(arm: Compared) -> tuple[bool, Decimal]:
    return (arm.stands, arm.total.last.net.likely)


def _pays(arm: Compared) -> bool:
    return arm.total.last.net.likely > 0


def _dispute(own: Compared, rest: Compared) -> str | None:
    """How the two bases disagree: about what is left after costs; else about whether there is a gain at all;
    else about where it goes, since early losses may outweigh a gain that lasts."""
    if _pays(own) != _pays(rest):
        return "disagree_all_pays" if _pays(rest) else "disagree_own_pays"
    if _pays(own):
        return None
    if (_value(own) > 0) != (_value(rest) > 0):
        return "disagree_all_gains" if _value(rest) > 0 else "disagree_own_gains"
    if (_latest(own) > 0) != (_latest(rest) > 0):
        return "disagree_all_rises" if _latest(rest) > 0 else "disagree_own_rises"
    return None


def _value(arm: Compared) -> Decimal:
    """Likely value before costs."""
    return arm.total.last.net.likely + arm.total.last.cost


def _latest(arm: Compared) -> Decimal:
    """Likely value of the last round alone, before costs."""
    before = arm.total.steps[-2]
    return _value(arm) - before.net.likely - before.cost


def _params(own: Compared, rest: Compared | None, assumptions: Assumptions) -> Params:
    params: Params = {"arm": own.arm, "round": own.total.last.round}
    for view, arm in (("own", own), ("all", rest)):
        if arm is None:
            continue
        net = arm.total.last.net
        amounts = {"": net.likely, "_low": net.low, "_high": net.high, "_latest": _latest(arm)}
        params |= {f"{view}{name}": money(amount, assumptions.currency) for name, amount in amounts.items()}
    return params
