"""What a pilot is: one frozen definition that serves as HTTP body, database JSON, message and TOML.

A spec that can be built can be run: names, links and weights are checked here, and every problem is
reported with its place and a code of the catalogue. Business assumptions are not part of it: they may
change after launch without changing what runs.
"""

import hashlib
import json
from typing import Annotated, Self

from pydantic import Field, model_validator

from dimat.data_spec import AnyData, ColumnPartition, ConditionShift, DataSpec, SampleData
from dimat.errors import (
    ClassesCountedTwice,
    DataSetsDiffer,
    DeltasNeedNeighbours,
    DuplicateSeed,
    FinalMergeMissed,
    NeverMerges,
    NumbersHaveNoClasses,
    PilotTooLarge,
    RidgeHeadNeedsBasis,
    RidgeHeadNeedsRounds,
    RotationNeedsImages,
    RowsRunOut,
    SkipNeedsNeighbours,
    TargetsAreClasses,
    TargetsAreNumbers,
    TooFewGroups,
    UnknownColumn,
)
from dimat.fit import check_fits
from dimat.frozen import PLAIN, Frozen, Name, Whole
from dimat.members import among, in_order
from dimat.methods import CONTROL_METHOD, SUMMED_METHODS, Method
from dimat.model_spec import MlpSpec, ModelSpec
from dimat.parts import (
    EvaluationSpec,
    MergePatch,
    MergeSpec,
    SilentSpec,
    TrainPatch,
    TrainSpec,
    counts_classes_twice,
)
from dimat.samples import SAMPLES, SampleInfo
from dimat.timetable import Timetable
from dimat.topology_spec import TopologySpec
from dimat.validation import at, at_most, check_unique

ROUNDING_ROWS = 100
MAX_SITE_ROUNDS = 10_000_000
"""Arms x seeds x rounds x sites: ten arms with ten seeds for a thousand sites over a hundred rounds."""


def _is_empty(value: tuple[str, ...]) -> bool:
    return not value


def _is_none(value: object) -> bool:
    return value is None


def _is_usual(value: SilentSpec) -> bool:
    return value == SilentSpec()


class SiteSpec(Frozen):
    """A site as the pilot sees it. `max_epochs`: it trains no more in a round, whatever the pilot asks for, as it stood at the launch;
    training alone before round 0 is no round. None: no limit."""

    name: Name
    display_name: str = Field("", max_length=80, pattern=PLAIN)
    data: AnyData
    max_epochs: Annotated[Whole, Field(ge=1, le=1000)] | None = Field(None, exclude_if=_is_none)

    def trains(self, train: TrainSpec) -> TrainSpec:
        """How the site trains in a round in which the pilot trains so. Rates go by the share of the round that is done, so a site of
        fewer epochs goes through the same ones in larger strides."""
        if self.max_epochs is None or train.epochs <= self.max_epochs:
            return train
        return train.model_copy(update={"epochs": self.max_epochs})


class ArmSpec(Frozen):
    """One treatment compared in a pilot: a method and what differs from the pilot's settings."""

    name: Name
    method: Method
    topology: TopologySpec | None = None
    train: TrainPatch | None = None
    merge: MergePatch | None = None


class PilotSpec(Frozen):
    """A study: sites, topology, arms and how they train and merge."""

    name: Name
    title: str = Field("", max_length=200, pattern=PLAIN)
    sites: Annotated[tuple[SiteSpec, ...], at_most(1_000)] = Field(min_length=2, max_length=1_000)
    # Left out of JSON where they say nothing: digests of pilots from before they existed stay as they are.
    waiting: Annotated[tuple[Name, ...], at_most(1_000)] = Field((), exclude_if=_is_empty)
    """Sites that take no part at first, and may join by an amendment."""
    silent: SilentSpec = Field(SilentSpec(), exclude_if=_is_usual)
    timetable: Timetable | None = Field(None, exclude_if=_is_none)
    """When rounds may begin; None: each as soon as the one before is done."""
    topology: TopologySpec = TopologySpec()
    data: DataSpec = DataSpec()
    model: ModelSpec = MlpSpec()
    train: TrainSpec = TrainSpec()
    merge: MergeSpec = MergeSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    rounds: Whole = Field(ge=1, le=100_000)
    seeds: Annotated[tuple[Annotated[Whole, Field(ge=0, lt=2**31)], ...], at_most(100)] = Field(
        (1,), min_length=1, max_length=100
    )
    arms: Annotated[tuple[ArmSpec, ...], at_most(100)] = Field(min_length=1, max_length=100)

    @property
    def site_names(self) -> tuple[str, ...]:
        return tuple(site.name for site in self.sites)

    @property
    def first_members(self) -> tuple[str, ...]:
        """Who takes part from the start."""
        waiting = set(self.waiting)
        return tuple(name for name in self.site_names if name not in waiting)

    def arm(self, name: str) -> ArmSpec:
        """The arm of that name. Raises: KeyError."""
        return {arm.name: arm for arm in self.arms}[name]

    @property
    def control_arm(self) -> ArmSpec | None:
        """The first arm that never merges: what every gain is measured against."""
        return next((arm for arm in self.arms if arm.method == CONTROL_METHOD), None)

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        with at("sites"):
            check_unique("site", self.site_names)
        with at("arms"):
            check_unique("arm", [arm.name for arm in self.arms])
        with at("waiting"):
            check_unique("site", self.waiting)
            in_order(self.site_names, (*self.first_members, *self.waiting))
            members = in_order(self.site_names, self.first_members)
        with at("sites"):
            samples = self._samples()
        with at("seeds"):
            self._seeds_differ()
        with at("rounds"):
            self._is_of_a_size_that_can_be_run()
        places = {self.topology: "topology"}
        for position, arm in enumerate(self.arms):
            places.setdefault(arm.topology or self.topology, f"arms.{position}.topology")
        for topology, place in places.items():
            with at(place):
                topology.check(self.site_names)
                if self.waiting:
                    among(topology, self.site_names, members).check(members)
        for position, arm in enumerate(self.arms):
            with at(f"arms.{position}.merge.merge_every" if arm.merge else "merge.merge_every"):
                self._merges_when_it_should(arm)
            with at(f"arms.{position}.merge.ridge_head" if arm.merge else "merge.ridge_head"):
                self._can_end_with_its_head(arm)
            with at(f"arms.{position}.merge.wire.deltas"):
                self._can_send_differences(arm)
            with at("silent.policy"):
                self._can_leave_out(arm)
            with at(f"arms.{position}.train"):
                self._counts_classes_once(arm)
                self._keeps_to_its_targets(arm)
        with at("merge.wire.deltas"):
            self._some_arm_can_send_differences()
        for sample in samples:
            self._fits_sample(sample)
        return self

    def _fits_sample(self, sample: SampleInfo) -> None:
        with at("train.loss"):
            if self.train.loss == "mse":
                raise TargetsAreClasses(data=sample.name)
        with at("model"):
            check_fits(self.model, sample.shape, sample.name)
        with at("data.partition.column"):
            self._groups_suffice(sample)
        with at("data.shift.rotation"):
            self._can_be_turned(sample)
        with at("data.rows_per_site"):
            self._rows_suffice(sample)

    def _merges_when_it_should(self, arm: ArmSpec) -> None:
        own = arm.merge or MergePatch()
        every = own.merge_every or self.merge.merge_every
        about: dict[str, str | int] = {"arm": arm.name, "merge_every": every, "rounds": self.rounds}
        if arm.method == CONTROL_METHOD:
            return
        if every > self.rounds:
            raise NeverMerges(**about)
        if self._ends_with_its_head(arm):
            return
        is_last = self.merge.final_merge if own.final_merge is None else own.final_merge
        if is_last and self.rounds % every:
            raise FinalMergeMissed(**about)

    def _ends_with_its_head(self, arm: ArmSpec) -> bool:
        own = (arm.merge or MergePatch()).ridge_head
        return arm.method != CONTROL_METHOD and (self.merge.ridge_head if own is None else own)

    def _can_end_with_its_head(self, arm: ArmSpec) -> None:
        if not self._ends_with_its_head(arm):
            return
        if arm.method not in SUMMED_METHODS:
            raise RidgeHeadNeedsBasis(arm=arm.name, method=arm.method)
        if self.rounds < 2:
            raise RidgeHeadNeedsRounds(arm=arm.name, rounds=self.rounds)

    def _goes_over_all(self, arm: ArmSpec) -> bool:
        own = arm.merge or MergePatch()
        is_summed = (own.over or self.merge.over) == "tree" and arm.method in SUMMED_METHODS
        return is_summed or arm.method == "federated_average"

    def _can_leave_out(self, arm: ArmSpec) -> None:
        if self.silent.policy == "skip" and self._goes_over_all(arm):
            raise SkipNeedsNeighbours(arm=arm.name)

    def _can_send_differences(self, arm: ArmSpec) -> None:
        """Of an arm that asks for them itself."""
        asks = arm.merge is not None and arm.merge.wire is not None and arm.merge.wire.deltas
        if asks and (arm.method == CONTROL_METHOD or self._goes_over_all(arm)):
            raise DeltasNeedNeighbours(arm=arm.name)

    def _some_arm_can_send_differences(self) -> None:
        """Of arms that the pilot asks for them, one is enough: the others are there to be compared."""
        if not self.merge.wire.deltas:
            return
        merging = [arm for arm in self.arms if arm.method != CONTROL_METHOD]
        asked = [arm for arm in merging if arm.merge is None or arm.merge.wire is None]
        if asked and all(self._goes_over_all(arm) for arm in asked):
            raise DeltasNeedNeighbours(arm=asked[0].name)

    def _counts_classes_once(self, arm: ArmSpec) -> None:
        own = arm.train or TrainPatch()
        if counts_classes_twice(own.loss or self.train.loss, own.class_weights or self.train.class_weights):
            raise ClassesCountedTwice

    def _keeps_to_its_targets(self, arm: ArmSpec) -> None:
        own = arm.train or TrainPatch()
        if self.train.loss != "mse":
            return
        if own.loss:
            raise TargetsAreNumbers(data=self.name, loss=own.loss)
        if own.class_weights == "balanced":
            raise NumbersHaveNoClasses(class_weights=own.class_weights)

    def _samples(self) -> tuple[SampleInfo, ...]:
        """The sample data set that all sites share; none where the rows are given."""
        names = sorted(
            {
                site.data.dataset if isinstance(site.data, SampleData) else site.data.kind
                for site in self.sites
            }
        )
        if len(names) > 1:
            raise DataSetsDiffer(names=", ".join(names))
        return tuple(SAMPLES[name] for name in names if name in SAMPLES)

    def _seeds_differ(self) -> None:
        for position, seed in enumerate(self.seeds):
            if seed in self.seeds[:position]:
                raise DuplicateSeed(seed=seed)

    def _is_of_a_size_that_can_be_run(self) -> None:
        runs = len(self.arms) * len(self.seeds)
        site_rounds = runs * self.rounds * len(self.sites)
        if site_rounds > MAX_SITE_ROUNDS:
            raise PilotTooLarge(
                runs=runs,
                rounds=self.rounds,
                sites=len(self.sites),
                site_rounds=site_rounds,
                limit=MAX_SITE_ROUNDS,
            )

    def _groups_suffice(self, sample: SampleInfo) -> None:
        partition = self.data.partition
        if not isinstance(partition, ColumnPartition):
            return
        num_values = {column.name: column.num_values for column in sample.columns}
        if partition.column not in num_values:
            known = ", ".join(num_values) or "-"
            raise UnknownColumn(dataset=sample.name, column=partition.column, known=known)
        if num_values[partition.column] < len(self.sites):
            raise TooFewGroups(
                column=partition.column, groups=num_values[partition.column], sites=len(self.sites)
            )

    def _can_be_turned(self, sample: SampleInfo) -> None:
        shift = self.data.shift
        if isinstance(shift, ConditionShift) and shift.rotation and not sample.has_images:
            raise RotationNeedsImages(dataset=sample.name, shape=str(sample.shape))

    def _rows_suffice(self, sample: SampleInfo) -> None:
        """Simulated sites share one data set out: it must be enough for all. Natural groups have what they have."""
        if isinstance(self.data.partition, ColumnPartition):
            return
        split, needed = self.data.split, self.data.rows_per_site
        pool = int(sample.num_rows * (1 - split.test_fraction - split.validation_fraction))
        total = needed * len(self.sites)
        # The split rounds class by class; a few rows more or less are the partition's to say.
        if pool + ROUNDING_ROWS < total:
            raise RowsRunOut(
                dataset=sample.name, pool=pool, sites=len(self.sites), needed=needed, total=total,
                most=pool // len(self.sites),
            )  # fmt: skip


def spec_sha256(spec: PilotSpec) -> str:
    """Hex digest of the spec's canonical JSON: equal specs, equal digests, whatever they were read from."""
    canonical = json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
