"""From measured facts to the ROI report. Pure. A missing number is a reason with a code, never a zero."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext

from backend.pilots.assumptions import Assumptions, Blend, ValueBasis
from backend.roi import calculator
from backend.roi.calculator import Net
from backend.roi.compared import Compared, compared_bases, missing_arms, shared_round, why_not
from backend.roi.facts import PilotFacts, RunFacts
from backend.roi.schemas import Amounts, ArmRoi, Basis, RoiBase, RoiPoint, RoiReport, SiteRoi, Wasted
from backend.roi.verdict import evidence_and_verdict, no_result, sentence
from backend.text.schemas import Params, Text

_CENT = Decimal("0.01")
_DIGITS = 60
"""Of money: the largest assumptions over all rounds of all sites, exact to the cent."""


def build(facts: PilotFacts, value_basis: ValueBasis | None = None, run: RunFacts | None = None) -> RoiReport:
    """The report of the pilot, or of one of its runs. The points of each arm go as far as it came; all else looks at the rounds that
    all arms have in common.

    Args:
        value_basis: instead of that of the assumptions.
    """
    with localcontext(prec=_DIGITS):
        return _build(facts, value_basis, run)


def _build(facts: PilotFacts, value_basis: ValueBasis | None, run: RunFacts | None) -> RoiReport:
    assumptions = facts.assumptions
    wanted = value_basis or (assumptions.value_basis if assumptions else None)
    reason = why_not(facts, run)
    over = facts.is_over(run)
    bases = compared_bases(facts, wanted, run) if reason is None and assumptions else []
    judged = compared_bases(facts, wanted, run, shared_round(bases)) if bases and run is None else bases
    shown: list[RoiBase] = []
    for basis in basis_names(wanted):
        pairs = list(zip(dict(judged).get(basis, []), dict(bases).get(basis, []), strict=True))
        shown.append(_base(facts, basis, pairs, reason, assumptions, over))
    missing = missing_arms(facts, bases) if run is None else []
    if missing:
        judged, reason = [], Text(code="comparing", params={"missing": ", ".join(missing)})
    counting = dict(judged).get(basis_name(wanted), []) if wanted else []
    evidence, verdict = evidence_and_verdict(
        counting, assumptions, over, run.seed if run else None, _cancelled(facts)
    )
    said, disagree = sentence(reason, judged, basis_name(wanted), assumptions, over)
    return RoiReport(
        value_basis=wanted,
        currency=assumptions.currency if assumptions else None,
        example=assumptions.example if assumptions else False,
        assumptions_version=facts.assumptions_version,
        control_arm=facts.control_arm,
        round_days=assumptions.round_days if assumptions else None,
        bases=shown,
        disagree=disagree,
        sentence=said,
        evidence=evidence,
        comparison_notes=_comparison_notes(facts, bases, run),
        cost_notes=_cost_notes(facts, run) if any(arms for _, arms in bases) else [],
        verdict=verdict,
    )


def _cancelled(facts: PilotFacts) -> Params | None:
    """Of a pilot that was cancelled and is judged as far as it came: how far that is."""
    last = facts.cancelled_after
    return None if last is None else {"round": last, "rounds": facts.rounds}


def basis_name(basis: ValueBasis | None) -> Basis:
    """The basis as the report names it."""
    return "blend" if isinstance(basis, Blend) else basis or "own_site"


def basis_names(wanted: ValueBasis | None) -> tuple[Basis, ...]:
    return ("own_site", "all_site", "blend") if isinstance(wanted, Blend) else ("own_site", "all_site")


def _base(
    facts: PilotFacts,
    basis: Basis,
    arms: Sequence[tuple[Compared, Compared]],
    reason: Text | None,
    assumptions: Assumptions | None,
    over: bool,
) -> RoiBase:
    """
    Args:
        arms: each as it is judged, and as far as it came.
    """
    if reason is None and basis != "own_site" and not facts.all_site_measured:
        reason = Text(code="all_site_not_measured", params={})
    if reason is None and not arms:
        reason = no_result(over or not any(facts.is_comparable(label.name) for label in facts.arms))
    shown = [_arm(facts, arm, whole) for arm, whole in arms] if assumptions else []
    return RoiBase(basis=basis, reason=reason, arms=shown)


def _arm(facts: PilotFacts, arm: Compared, whole: Compared) -> ArmRoi:
    last = arm.total.last
    fraction = calculator.roi_fraction(last)
    return ArmRoi(
        arm=arm.arm,
        num_seeds=len(arm.per_seed),
        seeds=list(arm.seeds),
        seeds_lost=list(arm.lost),
        comparison_ends=arm.ends,
        points=[
            RoiPoint(round=step.round, gain_mean=float(step.gain), **_amounts(step.net).model_dump())
            for step in whole.total.steps
        ],
        round=last.round,
        cost_so_far=_cents(last.cost),
        wasted=Wasted(
            num_bytes=arm.spent.wasted_bytes,
            cpu_s=arm.spent.wasted_cpu_s,
            gpu_s=arm.spent.wasted_gpu_s,
            attempts_unmeasured=arm.spent.unmeasured,
        ),
        break_even_round=calculator.break_even_round(arm.total.steps),
        net_at_end=_amounts(last.net),
        roi_fraction=None if fraction is None else float(fraction),
        by_site=[
            SiteRoi(site=site.name, display_name=site.label, gain=float(one.gain), net=_amounts(one.net))
            for site, one in zip(facts.sites, arm.total.sites, strict=True)
        ],
    )


def _comparison_notes(
    facts: PilotFacts, bases: Sequence[tuple[Basis, list[Compared]]], run: RunFacts | None
) -> list[Text]:
    """Which arms can be compared up to some round only, because of an amendment, and which not at all."""
    ends = {arm.arm: arm.ends for _, arms in bases for arm in arms}
    arms_until: dict[int, list[str]] = {}
    for arm in [label.name for label in facts.arms] if run is None else [run.arm]:
        if end := ends.get(arm):
            arms_until.setdefault(end, []).append(arm)
        elif arm != facts.control_arm and not facts.is_comparable(arm):
            arms_until.setdefault(0, []).append(arm)
    notes = []
    for end, arms in sorted(arms_until.items()):
        about: Params = {"arms": ", ".join(arms), "round": end, "last": end - 1}
        notes.append(Text(code="comparison_ends" if end else "comparison_never", params=about))
    return notes


def _cost_notes(facts: PilotFacts, run: RunFacts | None) -> list[Text]:
    """What the costs cover; and of how many attempts, those of the control arm too, not all is known."""
    runs = facts.runs if run is None else (run, facts.control_of(run))
    attempts = sum(used.unmeasured for one in runs if one is not None for used in one.usage.values())
    notes = [Text(code="cost_covers", params={})]
    if attempts:
        notes.append(Text(code="cost_unmeasured", params={"attempts": attempts}))
    return notes


def _amounts(net: Net) -> Amounts:
    return Amounts(low=_cents(net.low), likely=_cents(net.likely), high=_cents(net.high))


def _cents(amount: Decimal) -> Decimal:
    # Adding zero turns -0.00 into 0.00.
    return amount.quantize(_CENT, ROUND_HALF_UP) + 0
