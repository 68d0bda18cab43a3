"""Business assumptions of a pilot: what a decision, an hour and a gigabyte are worth. Versioned and never
part of the spec: they may change after launch without changing what runs. Money is Decimal in `currency`."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from backend.text.schemas import Schema

Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]


class Range(Schema):
    """A value nobody knows exactly."""

    low: Money
    likely: Money
    high: Money

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.likely <= self.high:
            raise PydanticCustomError(
                "range_unordered",
                "low ({low}), likely ({likely}) and high ({high}) are not in this order.",
                {"low": str(self.low), "likely": str(self.likely), "high": str(self.high)},
            )
        return self


class Blend(Schema):
    """`blend`: share of the own-site gain, 0..1; the rest counts the all-site gain."""

    blend: float = Field(ge=0.0, le=1.0)


ValueBasis = Literal["own_site", "all_site"] | Blend


class Assumptions(Schema):
    """`value_basis` has no default: which accuracy earns the money is a decision someone must take.
    `example`: made up for a demonstration, and marked so wherever a figure of money is shown."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    decisions_per_site_per_round: float = Field(ge=0.0, le=1e12)
    value_per_correct_decision: Range
    cost_per_cpu_hour: Money
    cost_per_gpu_hour: Money
    cost_per_gb: Money
    one_off_cost: Money
    running_cost_per_site_per_round: Money
    round_days: float = Field(gt=0.0, le=3660.0)
    value_basis: ValueBasis
    example: bool = False
