"""Which sentence stands on top of a pilot's page. Rules only; the words are in the catalogue (section
`summary`).

A result is never called a gain where it is a loss for somebody: own-site and all-site accuracy are always
named together, and `who` says how many sites gain and lose.
"""

from collections.abc import Sequence

from backend.roi.facts import ENDED_EARLY, PilotFacts, how_ended
from backend.roi.numbers import percent, points
from backend.roi.verdict import SEEDS_NEEDED
from backend.summary.schemas import ArmOutcome
from backend.text.schemas import Params, Text

_LIVE = frozenset({"running", "paused", "pausing", "resuming", "cancelling"})
# Half of the last digit shown: a smaller difference would be printed as zero, so it counts as none.
SAME = 0.0005


def status(facts: PilotFacts) -> Text:
    """Where the pilot stands. Runs that failed or were cancelled are counted at once, not only at the end."""
    states = [run.state for run in facts.runs]
    if not states:
        return Text(code="status_draft", params={})
    counts: Params = {
        "num_runs": len(states),
        "completed": states.count("completed"),
        "failed": states.count("failed"),
        "cancelled": states.count("cancelled"),
    }
    some_ended = "_some_ended" if ENDED_EARLY & set(states) else ""
    if {run.state for run in facts.runs if not run.ended} == {"paused"}:
        return Text(code=f"status_paused{some_ended}", params={**counts, **_rounds(facts)})
    if any(state in _LIVE for state in states):
        return Text(code=f"status_running{some_ended}", params={**counts, **_rounds(facts)})
    if "queued" in states:
        return Text(code=f"status_queued{some_ended}", params=counts)
    return Text(code="status_done" if counts["completed"] == len(states) else "status_ended", params=counts)


def _rounds(facts: PilotFacts) -> Params:
    """Over all runs: of runs that go on side by side no single round is that of the pilot."""
    done = sum(max(run.rounds_done, 0) for run in facts.runs)
    return {"rounds_done": done, "rounds_total": facts.rounds * len(facts.runs)}


def sentence(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> Text:
    """Who gains and who loses against training alone, or why that cannot be said."""
    states = {run.state for run in facts.runs}
    if not states:
        return Text(code="not_launched", params={})
    if facts.control_arm is None:
        return Text(code="no_control", params={})
    controls = facts.runs_of(facts.control_arm)
    if controls and all(facts.is_lost(run) for run in controls):
        return Text(code=f"control_{how_ended(controls)}", params={"control": facts.control_arm})
    others = [arm for arm in arms if not arm.is_control]
    if not others:
        return Text(code="only_control", params={"control": facts.control_arm})
    best = _best(facts, arms)
    missing = _missing(facts, arms)
    if best is not None and missing:
        known = [arm.arm for arm in others if arm.own_site_vs_control is not None]
        params: Params = {"known": ", ".join(known), "missing": ", ".join(missing), **_progress(facts)}
        return Text(code="comparing", params=params)
    if best is not None:
        return _result(facts, best)
    if states & _LIVE or "queued" in states:
        return _waiting(facts, states)
    return Text(code="no_arm_completed", params={"num_arms": len(others)})


def who(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> Text | None:
    """How many sites gain and lose on their own data in the arm that `sentence` names, of those that have a value
    in both; None where it names none."""
    best = _best(facts, arms) if facts.control_arm is not None else None
    if best is None or _missing(facts, arms):
        return None
    gaining, losing = best.sites_gaining or 0, best.sites_losing or 0
    num_sites = sum(site.own_site_vs_control is not None for site in best.by_site)
    if num_sites in (gaining, losing):
        code = "who_all_gain" if gaining else "who_all_lose"
    elif gaining and losing:
        code = "who_both"
    else:
        code = "who_some_gain" if gaining else "who_some_lose" if losing else "who_none"
    return Text(code=code, params={"gaining": gaining, "losing": losing, "num_sites": num_sites})


def over(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> Text | None:
    """Over which sites the numbers of `sentence` and `who` are; None: over all, or there are none."""
    best = _best(facts, arms) if facts.control_arm is not None else None
    if best is None or best.against is None or _missing(facts, arms):
        return None
    if best.against.num_sites == len(best.by_site):
        return None
    params: Params = {
        "num_sites": best.against.num_sites,
        "of": len(best.by_site),
        "arm": best.arm,
        "control": facts.control_arm or "",
    }
    return Text(code="over", params=params)


def training(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> Text | None:
    """That the arm which `sentence` names was trained otherwise than the control arm from the launch on; None: it was not, or there is none.
    What an amendment changed of one arm's training ends the comparison instead."""
    best = _best(facts, arms) if facts.control_arm is not None else None
    if best is None or _missing(facts, arms):
        return None
    differs = any(label.trains_otherwise for label in facts.arms if label.name == best.arm)
    params: Params = {"arm": best.arm, "control": facts.control_arm or ""}
    return Text(code="other_training", params=params) if differs else None


def comparison_ended(facts: PilotFacts, shared: int | None) -> Text | None:
    """Why no round after `shared` is compared, where that is because of an amendment."""
    if shared is None or shared >= facts.rounds or facts.control_arm is None:
        return None
    names = [
        label.name
        for label in facts.arms
        if any(run.comparison_ends == shared + 1 for run in facts.standing_of(label.name))
    ]
    params: Params = {"names": ", ".join(names), "control": facts.control_arm, "round": shared + 1}
    return Text(code="comparison_ended", params=params) if names else None


def evidence(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> Text:
    """How far the numbers bear: below three seeds a difference may be chance, while runs go on it may change, and
    seeds that came through where others failed are no fair sample; of a pilot that was cancelled somebody chose the
    moment. Arms of which every run ended early do not count; a seed counts where it completed in all the others."""
    lives = any(run.state in _LIVE or run.state == "queued" for run in facts.runs)
    counted = [arm.arm for arm in arms if facts.standing_of(arm.arm)]
    counting = frozenset.intersection(*map(facts.counting_seeds_of, counted)) if counted else frozenset()
    if len(counting) < SEEDS_NEEDED and (lives or not facts.runs):
        known = any(arm.round is not None for arm in arms)
        return Text(code="evidence_none" if known else "evidence_no_numbers", params={})
    if not counted:
        return Text(code="evidence_no_arm", params={})
    if facts.cancelled_after is not None:
        standing = facts.cancelled_standing
        merging = [run for run in facts.runs if run.id in standing and run.arm != facts.control_arm]
        seeds = len({run.seed for run in merging})
        about: Params = {"num_seeds": seeds, "needed": SEEDS_NEEDED}
        about |= {"round": facts.cancelled_after, "rounds": facts.rounds}
        return Text(code="evidence_cancelled", params=about)
    begun = {seed for arm in counted for seed in facts.seeds_of(arm)}
    lost = sorted({seed for arm in counted for seed in facts.lost_seeds_of(arm)})
    params: Params = {"num_seeds": len(counting), "num_begun": len(begun), "needed": SEEDS_NEEDED}
    if lost:
        missing: Params = {"missing": ", ".join(map(str, lost)), "num_missing": len(lost)}
        return Text(code="evidence_seeds_lost", params={**params, **missing})
    return Text(
        code="evidence_few_seeds" if len(counting) < SEEDS_NEEDED else "evidence_seeds", params=params
    )


def _waiting(facts: PilotFacts, states: set[str]) -> Text:
    if not states & _LIVE:
        return Text(code="waiting_to_start", params={})
    progress = _progress(facts)
    return Text(code="preparing" if progress["round"] == 0 else "no_result_yet", params=progress)


def preparing(said: Text, progress: Sequence[Text]) -> Text:
    """What stands for `said`, that sites prepare, where all that the runs which have begun wait for is that windows of sites open."""
    begun = [text for text in progress if text.code != "queued"]
    if {text.code for text in begun} != {"waiting_for_window_at_start"}:
        return said
    first = min(begun, key=lambda text: str(text.params["opens"]))
    return Text(code="preparing_window", params={**said.params, **first.params})


def _progress(facts: PilotFacts) -> Params:
    """The round that the furthest live run works on."""
    done = [run.rounds_done for run in facts.runs if run.state in _LIVE]
    return {"round": min(max(done, default=-1) + 1, facts.rounds), "rounds": facts.rounds}


def _best(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> ArmOutcome | None:
    """The arm with the largest gain of those that can be compared and have a run that did not end early."""
    comparable = [arm for arm in arms if arm.own_site_vs_control is not None and facts.standing_of(arm.arm)]
    return max(comparable, key=_gain, default=None)


def _missing(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> list[str]:
    """Arms at work that no round can be compared of yet, while others can."""
    return [
        arm.arm
        for arm in arms
        if not arm.is_control and arm.own_site_vs_control is None and facts.is_at_work(arm.arm)
    ]


def _gain(arm: ArmOutcome) -> float:
    wanted = arm.all_site_vs_control if arm.all_site_vs_control is not None else arm.own_site_vs_control
    return wanted or 0.0


def _result(facts: PilotFacts, arm: ArmOutcome) -> Text:
    assert arm.against is not None, "only arms with a difference are the best one"
    against, own = arm.against, arm.own_site_vs_control or 0.0
    params: Params = {
        "arm": arm.arm,
        "round": arm.round,
        "rounds": facts.rounds,
        "own": percent(against.own_site),
        "own_control": percent(against.own_site_control),
        "own_points": points(own),
    }
    rest, ours, theirs = arm.all_site_vs_control, against.all_site, against.all_site_control
    if rest is None or ours is None or theirs is None:
        return Text(code=f"own_{_direction(own)}", params=params)
    params |= {"all": percent(ours), "all_control": percent(theirs), "all_points": points(rest)}
    return Text(code=f"all_{_direction(rest)}_own_{_direction(own)}", params=params)


def _direction(difference: float) -> str:
    if abs(difference) < SAME:
        return "same"
    return "up" if difference > 0 else "down"
