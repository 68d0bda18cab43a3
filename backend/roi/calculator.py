"""The arithmetic of ROI: two runs with the same seed, one basis, one set of assumptions. Pure, in Decimal.

For round r and site s, with accuracies after training:

    gain(r, s)  = accuracy(arm) - accuracy(control arm)
    value(r)    = sum over s of gain(r, s) * decisions_per_site_per_round * value_per_correct_decision
    cost(r)     = running costs + what the arm used beyond the control arm:
                  CPU hours, GPU hours (measured by the steps; negative where the arm used less), and GB over links,
                  also those of attempts and transfers that came to nothing, as far as they are known (`Usage`)
    net(r)      = sum of value(1..r) - one_off_cost - sum of cost(0..r)

Round 0 is the start state: it costs, but no decision rests on it. A loss weighs more the more a decision is
worth, so low and high are the worse and the better end, not the values of the low and the high estimate.
Preparing the sites' data is shared by all arms and cancels out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from backend.pilots.assumptions import Assumptions, Blend, ValueBasis
from backend.roi.facts import RunFacts, Usage

BYTES_PER_GB = Decimal(10) ** 9
SECONDS_PER_HOUR = Decimal(3600)
ZERO = Decimal(0)
_NOTHING = Usage()
Gains = tuple[Decimal | None, ...]
"""By site; None for one that takes no part in one of the two runs."""


@dataclass(frozen=True, slots=True)
class Net:
    """Net money at the worse end, as it is likely, and at the better end."""

    low: Decimal
    likely: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """The state after a round. `net` and `cost` are cumulative, `gain` is the mean over sites of that round."""

    round: int
    gain: Decimal
    cost: Decimal
    net: Net


@dataclass(frozen=True, slots=True)
class SiteResult:
    """One site after the last round: gain in that round, net so far."""

    gain: Decimal
    net: Net


@dataclass(frozen=True, slots=True)
class Result:
    """ROI of one run against its control run; `steps` is never empty, `sites` in the pilot's order."""

    steps: tuple[Step, ...]
    sites: tuple[SiteResult, ...]

    @property
    def last(self) -> Step:
        return self.steps[-1]


def gains(arm: RunFacts, control: RunFacts, basis: ValueBasis) -> dict[int, Gains]:
    """Round -> gain per site, for every round that both runs have finished at all sites, from 0 without a
    gap, and before an amendment lets the arm alone train otherwise. Empty when the basis is not measured."""
    if isinstance(basis, Blend):
        own, rest = gains(arm, control, "own_site"), gains(arm, control, "all_site")
        return {
            round: tuple(
                None if a is None or b is None else basis.blend * a + (1 - basis.blend) * b
                for a, b in zip(own[round], rest[round], strict=True)
            )
            for round in own
            if round in rest
        }
    ours, theirs = arm.after_train(basis), control.after_train(basis)
    found: dict[int, Gains] = {}
    rounds = min(len(ours), len(theirs))
    if arm is not control and arm.comparison_ends is not None:
        rounds = min(rounds, arm.comparison_ends)
    for round in range(rounds):
        if round not in ours or round not in theirs:
            break
        pairs = zip(ours[round], theirs[round], strict=True)
        gained = tuple(None if a is None or b is None else _decimal(a) - _decimal(b) for a, b in pairs)
        if not _known(gained):
            break
        found[round] = gained
    return found


def compare(
    arm: RunFacts,
    control: RunFacts,
    basis: ValueBasis,
    assumptions: Assumptions,
    last_round: int | None = None,
) -> Result | None:
    """ROI of `arm` round by round (at most to `last_round`), or None while no round after the start state
    can be compared."""
    measured = gains(arm, control, basis)
    by_round = {r: gain for r, gain in measured.items() if last_round is None or r <= last_round}
    if len(by_round) < 2:
        return None
    num_sites = len(by_round[0])
    gained, latest = [ZERO] * num_sites, [ZERO] * num_sites
    costs = [assumptions.one_off_cost / num_sites] * num_sites
    # The total is kept apart: a share of one_off_cost may be rounded, the sum must not be.
    total = assumptions.one_off_cost
    steps = []
    for round, gain in by_round.items():
        for site in range(num_sites):
            mine = gain[site]
            used = arm.usage.get((round, site)), control.usage.get((round, site))
            cost = _cost(*used, assumptions) + (_running(round, assumptions) if mine is not None else ZERO)
            costs[site] += cost
            total += cost
            if mine is not None:
                latest[site] = mine
                gained[site] += mine if round > 0 else ZERO
        net = _net(sum(gained, ZERO), total, assumptions)
        steps.append(Step(round, _average(_known(gain)), total, net))
    sites = tuple(
        SiteResult(latest[site], _net(gained[site], costs[site], assumptions)) for site in range(num_sites)
    )
    return Result(tuple(steps), sites)


def mean(results: Sequence[Result]) -> Result:
    """The mean over seeds; all results end with the same round."""
    steps = tuple(
        Step(
            at[0].round,
            _average([step.gain for step in at]),
            _average([step.cost for step in at]),
            _average_net([step.net for step in at]),
        )
        for at in zip(*(result.steps for result in results), strict=True)
    )
    sites = tuple(
        SiteResult(_average([site.gain for site in at]), _average_net([site.net for site in at]))
        for at in zip(*(result.sites for result in results), strict=True)
    )
    return Result(steps, sites)


def break_even_round(steps: Sequence[Step]) -> int | None:
    """The first round (from 1) from which the likely net stays at or above zero; None: never."""
    found: int | None = None
    for step in steps:
        if step.net.likely < 0:
            found = None
        elif found is None and step.round > 0:
            found = step.round
    return found


def roi_fraction(step: Step) -> Decimal | None:
    """Likely net per money spent; None where nothing was spent."""
    return step.net.likely / step.cost if step.cost > 0 else None


def _net(gained: Decimal, cost: Decimal, assumptions: Assumptions) -> Net:
    worth = assumptions.value_per_correct_decision
    decisions = gained * assumptions.decisions_per_site_per_round
    ends = sorted((decisions * worth.low, decisions * worth.high))
    return Net(ends[0] - cost, decisions * worth.likely - cost, ends[1] - cost)


def _known(gains: Gains) -> list[Decimal]:
    return [gain for gain in gains if gain is not None]


def _running(round: int, assumptions: Assumptions) -> Decimal:
    """What a site that takes part in the round costs, whatever it computes."""
    return assumptions.running_cost_per_site_per_round if round > 0 else ZERO


def _cost(arm: Usage | None, control: Usage | None, assumptions: Assumptions) -> Decimal:
    ours, theirs = arm or _NOTHING, control or _NOTHING
    cpu_hours = (_decimal(ours.cpu_s) - _decimal(theirs.cpu_s)) / SECONDS_PER_HOUR
    gpu_hours = (_decimal(ours.gpu_s) - _decimal(theirs.gpu_s)) / SECONDS_PER_HOUR
    gigabytes = Decimal(ours.num_bytes - theirs.num_bytes) / BYTES_PER_GB
    return (
        cpu_hours * assumptions.cost_per_cpu_hour
        + gpu_hours * assumptions.cost_per_gpu_hour
        + gigabytes * assumptions.cost_per_gb
    )


def _average(values: Sequence[Decimal]) -> Decimal:
    return sum(values, ZERO) / len(values)


def _average_net(nets: Sequence[Net]) -> Net:
    return Net(
        _average([net.low for net in nets]),
        _average([net.likely for net in nets]),
        _average([net.high for net in nets]),
    )


def _decimal(value: float) -> Decimal:
    # By way of its shortest decimal form: 0.1 is meant as 0.1, not as its binary neighbour.
    return Decimal(repr(value))
