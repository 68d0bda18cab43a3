"""What messages and reports are built of: bounds of what they hold, and names of what lies in the store."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Bounds of what comes up: it goes into columns and sums, and PostgreSQL takes no NUL.
Name = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Count = Annotated[int, Field(ge=0, lt=2**44)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
# Workers of earlier versions do not cut off what rounding put beyond 1.
Fraction = Annotated[float, Field(ge=0, le=1.00001)]
Params = dict[Name, Text | int | float | bool | None]


class Wire(BaseModel):
    # NaN would be sent as null and refused by who reads it: better said by who made it.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ArtifactRef(Wire):
    """Immutable bytes in the store."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: Count


class DeltaRef(ArtifactRef):
    """A difference in the store (`dimat.wire.deltas`). `against`: the name of what it is against."""

    against: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def artifact(self) -> ArtifactRef:
        """As the store knows it."""
        return ArtifactRef(sha256=self.sha256, num_bytes=self.num_bytes)


def is_none(value: object) -> bool:
    return value is None


class EpochsDone(Wire):
    """How far a step that trains is. `asked`: at most so many follow each other; of both models where the site trains one alone, too."""

    done: Annotated[int, Field(ge=1, lt=2**31)]
    asked: Annotated[int, Field(ge=1, lt=2**31)]


class CheckpointRef(Wire):
    """Training after an epoch (`dimat.training.checkpoint`), in the store for the attempt that may have to follow. Nobody else reads it."""

    artifact: ArtifactRef
    epochs: EpochsDone
