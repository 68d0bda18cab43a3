"""What a simulated pilot gave, and the JSON that it shares with a distributed one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimat.absence import RunAbsence
from dimat.plan import Amendment
from dimat.spec import ArmSpec, PilotSpec, spec_sha256

if TYPE_CHECKING:  # whoever only reads a pilot file and finds it wrong does not wait for torch
    from dimat.training.evaluate import Metrics


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What one round gave, by site index. `after_merge` is None in a round without a merge; `bytes_so_far`: sent over links
    by all sites from the start to the end of this round; `cycle_inconsistency`: see `cycles.inconsistency`, None where nothing was
    matched. `merged`, `trained`: indices of the sites whose metrics these are, ascending; None: of all."""

    round: int
    after_merge: "tuple[Metrics, ...] | None"
    after_train: "tuple[Metrics, ...]"
    bytes_so_far: int
    cycle_inconsistency: float | None = None
    merged: tuple[int, ...] | None = None
    trained: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """One arm with one seed.

    Attributes:
        state: `completed` or `failed`. reason: code and params of the end, as the coordinator writes them.
        rounds: 0..R; of a failed run only the rounds that all who take part finished.
        bytes_exchanged: payload over links: a parent's model in an align, each neighbour's in a merge with its second moments
            where the method needs them.
        bytes_wasted: models fetched and refused, because they were not finite.
        bytes_uploaded: all artifacts made by the run's align, merge and train steps.
        busy_s: sum over the run's own steps, without the shared `prepare`. seconds: from first to last step.
        final_artifacts: sha256 of the last model that each site trained, by site index; empty if the run failed, None for a site that
            never took part.
    """

    arm: ArmSpec
    seed: int
    state: str
    reason: tuple[str, dict[str, str | float]]
    rounds: tuple[RoundResult, ...]
    bytes_exchanged: int
    bytes_uploaded: int
    bytes_wasted: int
    busy_s: float
    seconds: float
    final_artifacts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """All runs of a pilot: for each seed the arms in the order of the spec."""

    spec: PilotSpec
    runs: tuple[RunResult, ...]
    amendments: tuple[Amendment, ...] = ()
    absences: tuple[RunAbsence, ...] = ()


DETAILS = ("bytes_so_far", "validation")
"""What studies know of a round, and the shape that `simulate` and `demo` share does not have."""


def as_json(result: SimulationResult, detailed: bool = False) -> dict[str, Any]:
    """The result in the shape that `awase simulate --json` and `awase demo --json` share.

    Accuracies are fractions 0..1, means weigh the sites that take part equally; all-site values are null where the pilot
    has none.

    Args:
        detailed: with `DETAILS` of each round.
    """
    names = result.spec.site_names
    return {
        "pilot": {
            "name": result.spec.name,
            "spec_sha256": spec_sha256(result.spec),
            "sites": list(names),
            "rounds": result.spec.rounds,
            "spec": result.spec.model_dump(mode="json"),
            "amendments": [amendment.model_dump(mode="json") for amendment in result.amendments],
            "absences": [absence.model_dump(mode="json") for absence in result.absences],
        },
        "runs": [_run_json(run, names, detailed) for run in result.runs],
    }


def _run_json(run: RunResult, names: Sequence[str], detailed: bool) -> dict[str, Any]:
    return {
        "arm": run.arm.name,
        "method": run.arm.method,
        "seed": run.seed,
        "state": run.state,
        "reason": {"code": run.reason[0], "params": run.reason[1]},
        "rounds": [round_json(item, names, detailed) for item in run.rounds],
        "bytes_exchanged": run.bytes_exchanged,
        "bytes_uploaded": run.bytes_uploaded,
        "bytes_evaluation": 0,
        "bytes_wasted": run.bytes_wasted,
        "busy_s": run.busy_s,
        "seconds": run.seconds,
        "final_artifacts": {
            name: sha256 for name, sha256 in zip(names, run.final_artifacts, strict=False) if sha256
        },
    }


def round_json(item: RoundResult, names: Sequence[str], detailed: bool) -> dict[str, Any]:
    """One round: just after the merge, and after training on."""
    bare = {
        "round": item.round,
        "merged": item.after_merge is not None,
        "after_merge": _accuracies(item.after_merge, _of(names, item.merged), detailed)
        if item.after_merge
        else None,
        "after_train": _accuracies(item.after_train, _of(names, item.trained), detailed),
        "cycle_inconsistency": item.cycle_inconsistency,
    }
    return bare | {"bytes_so_far": item.bytes_so_far} if detailed else bare


def _of(names: Sequence[str], sites: Sequence[int] | None) -> Sequence[str]:
    return names if sites is None else [names[site] for site in sites]


def _accuracies(metrics: "Sequence[Metrics]", names: Sequence[str], detailed: bool) -> dict[str, Any]:
    all_site = {name: m.all_site for name, m in zip(names, metrics, strict=True) if m.all_site is not None}
    own_site = {name: m.own_site for name, m in zip(names, metrics, strict=True)}
    bare = {"all_site": _mean_and_each(all_site) if all_site else None, "own_site": _mean_and_each(own_site)}
    if not detailed:
        return bare
    validation = {name: m.validation for name, m in zip(names, metrics, strict=True)}
    return bare | {"validation": _mean_and_each(validation)}


def without_details(round_: Mapping[str, Any]) -> dict[str, Any]:
    """A round of `round_json` as it is when not detailed."""
    return {key: _bare(value) for key, value in round_.items() if key not in DETAILS}


def _bare(value: Any) -> Any:
    return {k: v for k, v in value.items() if k not in DETAILS} if isinstance(value, dict) else value


def _mean_and_each(by_site: Mapping[str, float]) -> dict[str, Any]:
    return {"mean": sum(by_site.values()) / len(by_site), "by_site": dict(by_site)}
