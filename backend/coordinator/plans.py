"""What is known of a run for its whole life, worked out once: spec and schedule.

Kept in memory, because parsing a spec at every step would cost more than deciding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dimat import told
from dimat.absence import Absence
from dimat.methods import MOMENTS_OF
from dimat.plan import Amendment, ArmPlan
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from worker.messages.refs import ArtifactRef, CheckpointRef, DeltaRef
from worker.messages.steps import (
    AdoptMessage,
    AlignMessage,
    EvaluateMessage,
    GatheredRef,
    GatherMessage,
    MergeAllMessage,
    MergeMessage,
    NeighbourRef,
    PrepareMessage,
    SiteContext,
    StepLimits,
    StepMessage,
    TrainMessage,
)

NO_LIMITS = StepLimits()


@dataclass(frozen=True, slots=True)
class Made:
    """What a step left in the store: the model, and beside it what a later step may need."""

    model: ArtifactRef
    momentum: ArtifactRef | None = None
    moments: ArtifactRef | None = None
    mean: ArtifactRef | None = None
    shared: ArtifactRef | None = None
    residual: ArtifactRef | None = None
    delta: DeltaRef | None = None
    alone: ArtifactRef | None = None
    alone_momentum: ArtifactRef | None = None

    @property
    def sent(self) -> ArtifactRef:
        """The model as other sites get it."""
        return self.shared or self.model


Artifacts = dict[StepKey, Made]


@dataclass(frozen=True, slots=True)
class StepId:
    """Which row and try a message is for, and how far a try before it had come with training."""

    step_id: str
    attempt: int
    pilot_id: str
    run_id: str | None
    checkpoint: CheckpointRef | None = None
    limits: StepLimits = NO_LIMITS
    """Of the step's site, as they are now."""


@dataclass
class RunPlan:
    """One run: its arm, seed and schedule; builds the messages of its steps."""

    spec: PilotSpec
    arm: str
    seed: int
    amendments: Sequence[Amendment] = ()
    absences: Sequence[Absence] = ()
    store_id: str | None = None
    schedule: Schedule = field(init=False)
    site_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.site_names = self.spec.site_names  # put together once: every message holds them
        self.schedule = Schedule.of(self.spec, self.arm, self.amendments, self.absences)

    def message(self, key: StepKey, id: StepId, artifacts: Artifacts, fingerprint: str | None) -> StepMessage:
        """The message of a step whose inputs are all in `artifacts`. Raises: KeyError if one is not."""
        about = {
            "step_id": id.step_id, "attempt": id.attempt, "pilot_id": id.pilot_id, "run_id": id.run_id,
            "context": self._context(key.site, fingerprint), "model": self.spec.model,
            "wire": told.wire_of(self.schedule, key), "residual": self._residual(key, artifacts),
            "sent_before": self._sent_before(key, artifacts), "limits": id.limits,
        }  # fmt: skip
        if key.kind == "prepare":
            return PrepareMessage(train=self.spec.train, resume=id.checkpoint, **about)
        own_key, *other_keys = self.schedule.inputs(key)
        own, plan = artifacts[own_key].model, self.schedule.plan_of(max(key.round, 1))
        about_moments = {"tell": told.tells(self.schedule, key)}
        before = told.momentum_of(self.schedule, key)
        match key.kind:
            case "evaluate":
                return EvaluateMessage(
                    round=key.round, own=own, last_loss=told.last_loss(self.schedule, key), **about
                )
            case "train":
                return TrainMessage(
                    round=key.round,
                    rounds=self.spec.rounds,
                    train=self.spec.sites[key.site].trains(plan.train),
                    resume=id.checkpoint,
                    own=own,
                    momentum=artifacts[before].momentum if before is not None else None,
                    last_loss=told.last_loss(self.schedule, key),
                    **self._alone(key, artifacts, plan),
                    **about_moments,
                    **about,
                )
            case "adopt":
                return AdoptMessage(
                    round=key.round,
                    source=self._neighbour(other_keys[0], artifacts, 0.0),
                    **about_moments,
                    **about,
                )
            case "align":
                parents = [self._neighbour(other, artifacts, 0.0) for other in other_keys]
                return AlignMessage(
                    round=key.round,
                    own=own,
                    momentum=artifacts[before].momentum if before is not None else None,
                    parent=parents[0] if parents else None,
                    merge=plan.merge,
                    **about_moments,
                    **about,
                )
            case "gather":
                return GatherMessage(
                    round=key.round,
                    method=plan.method,
                    merge=plan.merge,
                    own=own,
                    branches=tuple(self._neighbour(other, artifacts, 1.0, True) for other in other_keys),
                    **about,
                )
            case "merge" if plan.over != "neighbours":
                return self._merge_all(key, other_keys[0], own, plan, artifacts, about)
            case "merge":
                row = self.schedule.weights(key)
                by_moments, keeps = plan.method in MOMENTS_OF, told.keeps_what_it_fetches(self.schedule, key)
                return MergeMessage(
                    round=key.round,
                    method=plan.method,
                    merge=plan.merge,
                    own=own,
                    own_weight=float(row[key.site]),
                    own_moments=artifacts[own_key].moments if by_moments else None,
                    before=artifacts[before].model
                    if before is not None and plan.remembers == "slow_momentum"
                    else None,
                    momentum=artifacts[before].momentum if before is not None else None,
                    last_loss=told.last_loss(self.schedule, key),
                    neighbours=tuple(
                        self._neighbour(other, artifacts, float(row[other.site]), by_moments, keeps)
                        for other in other_keys
                    ),
                    **about,
                )

    def _merge_all(
        self, key: StepKey, source: StepKey, own: ArtifactRef, plan: ArmPlan, artifacts: Artifacts,
        about: dict[str, Any],
    ) -> MergeAllMessage:  # fmt: skip
        made, before = artifacts[source], told.momentum_of(self.schedule, key)
        is_root = source.kind == "gather"
        if not is_root and made.mean is None:
            raise KeyError(f"{source} left no mean")
        return MergeAllMessage(
            round=key.round,
            method=plan.method,
            merge=plan.merge,
            own=own,
            gathered=GatheredRef(artifact=made.model, moments=made.moments) if is_root else None,
            parent=None if made.mean is None else NeighbourRef(
                index=source.site, name=self.site_names[source.site], artifact=made.mean, weight=1.0
            ),
            before=artifacts[before].model if before is not None and plan.remembers == "slow_momentum" else None,
            momentum=artifacts[before].momentum if before is not None else None,
            last_loss=told.last_loss(self.schedule, key),
            **about,
        )  # fmt: skip

    def _alone(self, key: StepKey, artifacts: Artifacts, plan: ArmPlan) -> dict[str, ArtifactRef | None]:
        before = told.alone_of(self.schedule, key)
        if before is None:
            return {}
        made = artifacts[before]
        momentum = made.alone_momentum if plan.train.keep_momentum else None
        return {"alone": made.alone or made.model, "alone_momentum": momentum}

    def _residual(self, key: StepKey, artifacts: Artifacts) -> ArtifactRef | None:
        before = told.residual_of(self.schedule, key)
        return artifacts[before].residual if before is not None else None

    def _sent_before(self, key: StepKey, artifacts: Artifacts) -> ArtifactRef | None:
        before = told.sent_before(self.schedule, key)
        return artifacts[before].sent if before is not None else None

    def _neighbour(
        self, key: StepKey, artifacts: Artifacts, weight: float, by_moments: bool = False, keeps: bool = False
    ) -> NeighbourRef:
        """`keeps`: whether the step keeps what it fetches, and may have what a difference is against."""
        made, name = artifacts[key], self.site_names[key.site]
        moments, delta = made.moments if by_moments else None, made.delta if keeps else None
        return NeighbourRef(
            index=key.site, name=name, artifact=made.sent, weight=weight, moments=moments, delta=delta
        )

    def _context(self, site: int, fingerprint: str | None) -> SiteContext:
        return SiteContext(
            site=self.spec.sites[site],
            index=site,
            num_sites=len(self.spec.sites),
            site_names=self.site_names,
            seed=self.seed,
            data=self.spec.data,
            evaluation=self.spec.evaluation,
            store_id=self.store_id,
            fingerprint=fingerprint,
        )
