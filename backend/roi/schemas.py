"""Bodies of the ROI answers. Money is a decimal string in the report's currency, gains are fractions."""

from decimal import Decimal
from typing import Literal

from backend.pilots.assumptions import ValueBasis
from backend.text.schemas import Schema, Text

Basis = Literal["own_site", "all_site", "blend"]
Verdict = Literal["none", "not_enough_evidence", "unclear", "go", "stop"]


class Amounts(Schema):
    """Net money under the low, likely and high value of a correct decision; low <= likely <= high."""

    low: Decimal
    likely: Decimal
    high: Decimal


class RoiPoint(Schema):
    """Where an arm stands after a round: net so far, and the mean accuracy gain over sites in that round."""

    round: int
    low: Decimal
    likely: Decimal
    high: Decimal
    gain_mean: float


class SiteRoi(Schema):
    """Whether it is worth it for one site; its share of `one_off_cost` is the same as every site's."""

    site: str
    display_name: str
    gain: float
    net: Amounts


class Wasted(Schema):
    """What the arm's runs spent on transfers and attempts that came to nothing, in all seeds compared. It is in the costs.

    `attempts_unmeasured`: of these only the time up to the last sign of life is known, and counted.
    """

    num_bytes: int
    cpu_s: float
    gpu_s: float
    attempts_unmeasured: int


class ArmRoi(Schema):
    """One arm against the control arm: `points` as far as it came, all else up to `round`, the last that all arms that did not end early
    have in common. `cost_so_far` is what it costs beyond the control arm, `wasted` included.

    `num_seeds`: those that the figures are the mean of, of `seeds` begun. `seeds_lost`: those that cannot count, because the
    arm's run or the control arm's failed or was cancelled; while there are any, there is no verdict `go`.
    `comparison_ends`: the round from which on an amendment lets the arm train otherwise than the control arm; `points` stop before.
    """

    arm: str
    num_seeds: int
    seeds: list[int]
    seeds_lost: list[int]
    comparison_ends: int | None
    points: list[RoiPoint]
    round: int
    cost_so_far: Decimal
    wasted: Wasted
    break_even_round: int | None
    net_at_end: Amounts
    roi_fraction: float | None
    by_site: list[SiteRoi]


class RoiBase(Schema):
    """ROI when this accuracy counts. `reason` says why there are no arms."""

    basis: Basis
    reason: Text | None
    arms: list[ArmRoi]


class RoiReport(Schema):
    """ROI of a pilot or of one run. `bases` always has own_site and all_site, and blend when asked for.

    `verdict` `none`: there is nothing to judge yet. `sentence`, `evidence` and the notes are texts of section
    `roi`; `cost_notes` say what the costs cover and what of them is not known, `comparison_notes` where an amendment ends a comparison.
    """

    value_basis: ValueBasis | None
    currency: str | None
    example: bool
    assumptions_version: int | None
    control_arm: str | None
    round_days: Decimal | None
    bases: list[RoiBase]
    disagree: bool
    sentence: Text
    evidence: Text
    cost_notes: list[Text]
    comparison_notes: list[Text]
    verdict: Verdict
