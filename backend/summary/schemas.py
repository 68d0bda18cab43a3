"""Body of a pilot's summary. Accuracies and differences are fractions (differences: of the accuracies rounded to three digits,
as pages show them); None = not measured."""

from backend.runs.schemas import ArmChanges
from backend.text.schemas import Schema, Text


class SiteOutcome(Schema):
    """How one site came out in an arm."""

    site: str
    display_name: str
    own_site: float | None
    own_site_vs_control: float | None
    all_site: float | None
    all_site_vs_control: float | None


class LeftOutSite(Schema):
    """A site that was silent, in the rounds from `from_round`, which may be without it only in part, up to `until_round`, in which it came back; None: it did not,
    or not yet.
    Of several seeds: the first and the last of these rounds. `times`: how often it was left out; the rounds are those of the last time."""

    site: str
    display_name: str
    from_round: int
    until_round: int | None
    times: int


class Against(Schema):
    """An arm beside the control arm, over the `num_sites` sites that take part in both in that round: where a site was left out of one of
    them, neither mean is that of the arm."""

    num_sites: int
    own_site: float
    own_site_control: float
    all_site: float | None
    all_site_control: float | None


class ArmOutcome(Schema):
    """One arm. Accuracies are those after training in `round`: the last round that the arm and the control
    arm have both finished (without a control arm: that the arm has finished), and no later than the last that
    all arms have in common; None before that. `mean_over`: over how many sites they are. `against`: what the differences
    are between; None where there are none. `bytes_wasted`: those that its runs fetched in vain, of rounds that a restart set aside, too; they are
    not in `bytes_exchanged`. `left_out`: sites that its runs went on without. `amended`: how amendments changed up to
    `round` the way in which it merges."""

    arm: str
    method: str
    is_control: bool
    state: str
    round: int | None
    num_seeds: int
    own_site_mean: float | None
    all_site_mean: float | None
    mean_over: int | None
    own_site_vs_control: float | None
    all_site_vs_control: float | None
    against: Against | None
    bytes_exchanged: int
    bytes_wasted: int
    busy_s: float
    sites_gaining: int | None
    sites_losing: int | None
    left_out: list[LeftOutSite]
    amended: list[ArmChanges]
    by_site: list[SiteOutcome]


class PilotSummary(Schema):
    """`who`: how many sites gain and lose in the arm that `sentence` names. `over`: over which sites these are, where not over all. `training`: that this arm trains otherwise than the control arm. `left_out`: which sites the numbers are without, and from when on. `ended`: why the arms are compared up to
    an earlier round than they have come to. `simulated`: all-site accuracy
    comes from shared rows, which real sites would not have."""

    sentence: Text
    who: Text | None
    over: Text | None
    training: Text | None
    left_out: list[Text]
    ended: Text | None
    status: Text
    arms: list[ArmOutcome]
    evidence: Text
    simulated: bool
