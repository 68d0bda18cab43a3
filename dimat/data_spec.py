"""What a pilot sets of its data: which set, how it is shared out and split, and under which conditions sites see it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dimat.errors import UnknownSample
from dimat.frozen import PLAIN, Frozen, Name, Whole
from dimat.samples import SAMPLES
from dimat.validation import as_pydantic, kind_needed

MIN_ROWS = 10
"""Training rows without which a site cannot take part."""


class SampleData(Frozen):
    """A share of a data set that ships with the product, divided by the pilot's `partition`."""

    kind: Literal["sample"] = "sample"
    dataset: str

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SAMPLES:
            raise as_pydantic(UnknownSample(name=name, known=", ".join(SAMPLES)))
        return name


class GivenData(Frozen):
    """Rows that the caller of `dimat.simulate` gives (`rows_of`); no worker has them. Nothing is known of them before."""

    kind: Literal["given"] = "given"


# What a worker can read. A tagged union of one: csv, parquet, npz, images, series and sql join here.
SiteData = SampleData


def _kind_of_data(given: Any) -> Any:
    """A sample where nothing is said."""
    return given.get("kind", "sample") if isinstance(given, Mapping) else getattr(given, "kind", None)


AnyData = Annotated[
    Annotated[SiteData, Tag("sample")] | Annotated[GivenData, Tag("given")], Discriminator(_kind_of_data)
]


class IidPartition(Frozen):
    """Every site draws from the same class mix."""

    kind: Literal["iid"] = "iid"


class DirichletPartition(Frozen):
    """Each site's class mix is drawn from Dirichlet(alpha); small alpha = very different sites."""

    kind: Literal["dirichlet"] = "dirichlet"
    alpha: float = Field(0.5, gt=0.0, le=1000.0)


class ShardsPartition(Frozen):
    """Each site holds `classes_per_site` classes only."""

    kind: Literal["shards"] = "shards"
    classes_per_site: Whole = Field(2, ge=1, le=1000)


class ColumnPartition(Frozen):
    """Each value of a column of the data set is a natural group (a person, a machine), and a site holds one or several of them.

    Sites take groups in ascending order of the values: one each, or with more groups than sites an equal number, the first sites
    one more where it does not come out even. Nothing depends on the seed but what `rows_per_site` leaves out.
    """

    kind: Literal["column"] = "column"
    column: Name


DrawnPartition = IidPartition | DirichletPartition | ShardsPartition
_AnyPartition = DrawnPartition | ColumnPartition
Partition = Annotated[_AnyPartition, Field(discriminator="kind"), kind_needed(_AnyPartition)]


class NoShift(Frozen):
    """All sites see under the same conditions."""

    kind: Literal["none"] = "none"


class ConditionShift(Frozen):
    """Each site sees under a condition of its own, drawn evenly from these ranges by the run's seed and the site's place.

    `rotation`: images are turned by up to so many degrees to either side; 0 for other data. `contrast`: values lie up to so many
    times further from the mean, or nearer to it. `brightness`: up to so much is added or taken off. `noise`: normal noise of up to this
    deviation on each value. Brightness and noise are in deviations of the data, of each feature or channel.
    """

    kind: Literal["conditions"] = "conditions"
    rotation: float = Field(50.0, ge=0.0, le=180.0)
    contrast: float = Field(1.5, ge=1.0, le=10.0)
    brightness: float = Field(0.3, ge=0.0, le=10.0)
    noise: float = Field(0.8, ge=0.0, le=10.0)


_AnyShift = NoShift | ConditionShift
Shift = Annotated[_AnyShift, Field(discriminator="kind"), kind_needed(_AnyShift)]


class SplitSpec(Frozen):
    """A row's side (train, validation, test) follows from a keyed hash of the row, so it never changes. Windows of a recording
    overlap: they are split by time instead, the first to train, the last to test, and the key plays no part."""

    key: str = Field("awase", min_length=1, max_length=100, pattern=PLAIN)
    test_fraction: float = Field(0.25, gt=0.0, lt=0.9)
    validation_fraction: float = Field(0.1, gt=0.0, lt=0.9)

    @model_validator(mode="after")
    def _leaves_rows_to_train(self) -> Self:
        if self.test_fraction + self.validation_fraction >= 0.95:
            raise PydanticCustomError(
                "split_leaves_nothing",
                "Test ({test}) and validation ({validation}) leave too little to train on. Lower one of them.",
                {"test": self.test_fraction, "validation": self.validation_fraction},
            )
        return self


class DataSpec(Frozen):
    """How the rows of simulated sites are divided, split and scaled.

    `rows_per_site`: training rows of each site; where sites are natural groups the most of each, as groups differ in size.
    `standardise`: features to mean 0, deviation 1. `shift`: how conditions differ between sites, with any partition.
    """

    partition: Partition = DirichletPartition()
    split: SplitSpec = SplitSpec()
    rows_per_site: Whole = Field(500, ge=MIN_ROWS, le=1_000_000)
    standardise: bool = True
    shift: Shift = NoShift()
