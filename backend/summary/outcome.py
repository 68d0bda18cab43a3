"""What came of each arm against training alone. Pure.

Accuracies of an arm and of the control arm are compared after training in the same round: the last one that
both have finished at all sites. While a pilot runs, that round is the same for all arms, or the arm that is
ahead would be judged by more training than the others; of an arm's seeds those that are through count first.
"""

from collections.abc import Sequence

from backend.roi import calculator
from backend.roi.facts import Measure, PilotFacts, RunFacts, Values, over_sites
from backend.summary import amended, left_out, wording
from backend.summary.schemas import Against, ArmOutcome, PilotSummary, SiteOutcome

SHOWN_DIGITS = 3


def summarise(facts: PilotFacts) -> PilotSummary:
    """The arms in the order of the spec, and the sentences on top."""
    shared = shared_round(facts)
    arms = [arm_outcome(facts, label.name, label.method, shared) for label in facts.arms]
    return PilotSummary(
        sentence=wording.sentence(facts, arms),
        who=wording.who(facts, arms),
        over=wording.over(facts, arms),
        training=wording.training(facts, arms),
        left_out=left_out.sentences(facts, arms),
        ended=wording.comparison_ended(facts, shared),
        status=wording.status(facts),
        arms=arms,
        evidence=wording.evidence(facts, arms),
        simulated=facts.simulated,
    )


def shared_round(facts: PilotFacts) -> int | None:
    """The last round in which all arms that still stand can be compared; None while none can. Arms without a round
    that can be compared do not hold the others back, nor do arms that ended early."""
    lasts = [_used(facts, label.name)[1] for label in facts.arms if facts.standing_of(label.name)]
    return min((last for last in lasts if last is not None), default=None)


def arm_outcome(facts: PilotFacts, arm: str, method: str, up_to: int | None = None) -> ArmOutcome:
    """One arm, averaged over the seeds that can be compared.

    Args:
        up_to: a round after which nothing is looked at.
    """
    every = facts.runs_of(arm)
    is_control = arm == facts.control_arm
    used, last = _used(facts, arm)
    compared = [(run, control) for run, control in used if control is not None]
    if last is not None and up_to is not None:
        last = min(last, up_to)
    own, rest = _mean(used, "own_site", last), _mean(used, "all_site", last)
    own_vs, rest_vs = _difference(compared, "own_site", last), _difference(compared, "all_site", last)
    if is_control:
        own_vs = rest_vs = None
        compared = []
    against = _against(compared, last)
    return ArmOutcome(
        arm=arm,
        method=method,
        is_control=is_control,
        state=state_of([run.state for run in every]),
        round=last,
        num_seeds=len(used),
        own_site_mean=_over_sites(own),
        all_site_mean=_over_sites(rest),
        mean_over=None if own is None else sum(value is not None for value in own),
        own_site_vs_control=None if against is None else _apart(against.own_site, against.own_site_control),
        all_site_vs_control=_rest_apart(against),
        against=against,
        bytes_exchanged=sum(run.bytes_exchanged for run in every),
        bytes_wasted=sum(usage.wasted_bytes for run in every for usage in run.usage.values()),
        busy_s=sum(run.busy_s for run in every),
        sites_gaining=None
        if own_vs is None
        else sum(value is not None and value >= wording.SAME for value in own_vs),
        sites_losing=None
        if own_vs is None
        else sum(value is not None and value <= -wording.SAME for value in own_vs),
        left_out=left_out.of_arm(facts, arm),
        amended=amended.of_arm(facts, arm, last),
        by_site=[
            SiteOutcome(
                site=site.name,
                display_name=site.label,
                own_site=own[index] if own else None,
                own_site_vs_control=own_vs[index] if own_vs else None,
                all_site=rest[index] if rest else None,
                all_site_vs_control=rest_vs[index] if rest_vs else None,
            )
            for index, site in enumerate(facts.sites)
        ],
    )


def _used(facts: PilotFacts, arm: str) -> tuple[Sequence[tuple[RunFacts, RunFacts | None]], int | None]:
    """The runs by which an arm is judged, each with the control arm's run, and the last round that they share."""
    is_control = arm == facts.control_arm
    runs = facts.counted_of(arm)
    pairs = [(run, _control(facts, run, is_control)) for run in runs]
    compared = [pair for pair in pairs if pair[1] is not None and _round(*pair) is not None]
    through = [pair for pair in compared if _round(*pair) == facts.rounds]
    if facts.cancelled_after is not None:
        through = []  # all seeds count, up to where the last of them came
    alone = [(run, None) for run in runs if _round(run, None) is not None]
    used: Sequence[tuple[RunFacts, RunFacts | None]] = through or compared or alone
    return used, min((_round(*pair) or 0 for pair in used), default=None)


def state_of(states: Sequence[str]) -> str:
    """One state for an arm's runs: a live one as long as any run lives, else the worst end."""
    if not states:
        return "queued"
    if len(set(states)) == 1:
        return states[0]
    ends = {"completed", "failed", "cancelled"}
    live = [state for state in states if state not in ends]
    if live:
        return "running" if "running" in live or len(live) < len(states) else live[0]
    return "failed" if "failed" in states else "cancelled"


def _control(facts: PilotFacts, run: RunFacts, is_control: bool) -> RunFacts | None:
    if is_control:
        return run
    control = facts.control_of(run)
    return None if control is None or facts.is_lost(control) else control


def _round(run: RunFacts, control: RunFacts | None) -> int | None:
    """The last comparable round; None before round 1."""
    rounds = calculator.gains(run, control or run, "own_site")
    return max(rounds) if len(rounds) > 1 else None


def _mean(
    used: Sequence[tuple[RunFacts, RunFacts | None]], measure: Measure, last: int | None
) -> Values | None:
    """Mean over seeds, per site; None for a site that takes no part."""
    found = [run.after_train(measure).get(last) for run, _ in used] if last is not None else []
    values = [one for one in found if one is not None]
    if not values or len(values) < len(used):
        return None
    return tuple(_over_seeds(at) for at in zip(*values, strict=True))


def _over_seeds(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _difference(
    pairs: Sequence[tuple[RunFacts, RunFacts]], measure: Measure, last: int | None
) -> Values | None:
    ours = _mean([(run, None) for run, _ in pairs], measure, last)
    theirs = _mean([(control, None) for _, control in pairs], measure, last)
    if ours is None or theirs is None:
        return None
    pairs_of_sites = zip(ours, theirs, strict=True)
    return tuple(None if a is None or b is None else _apart(a, b) for a, b in pairs_of_sites)


def _against(pairs: Sequence[tuple[RunFacts, RunFacts]], last: int | None) -> Against | None:
    own, rest = _common_means(pairs, "own_site", last), _common_means(pairs, "all_site", last)
    if own is None:
        return None
    num_sites, ours, theirs = own
    return Against(
        num_sites=num_sites,
        own_site=ours,
        own_site_control=theirs,
        all_site=rest[1] if rest else None,
        all_site_control=rest[2] if rest else None,
    )


def _common_means(
    pairs: Sequence[tuple[RunFacts, RunFacts]], measure: Measure, last: int | None
) -> tuple[int, float, float] | None:
    """How many sites take part in both, and the means over them."""
    ours = _mean([(run, None) for run, _ in pairs], measure, last)
    theirs = _mean([(control, None) for _, control in pairs], measure, last)
    if ours is None or theirs is None:
        return None
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    return (len(both), over_sites([a for a, _ in both]), over_sites([b for _, b in both])) if both else None


def _rest_apart(against: Against | None) -> float | None:
    if against is None or against.all_site is None or against.all_site_control is None:
        return None
    return _apart(against.all_site, against.all_site_control)


def _apart(ours: float, theirs: float) -> float:
    """The difference between the numbers as they are shown, in tenths of a percent: readers subtract those."""
    return round(round(ours, SHOWN_DIGITS) - round(theirs, SHOWN_DIGITS), SHOWN_DIGITS)


def _over_sites(values: Values | None) -> float | None:
    return over_sites(values) if values and any(value is not None for value in values) else None
