"""What the money figures of a pilot rest on. People state it; nothing here is measured.

Which accuracy counts (`value_basis`) has no default on purpose: whether a site's model decides about its
own cases or about everybody's is a question of the business, and the answer can turn the sign of the result.
"""

import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

MAX_MONEY = Decimal(10) ** 12
Money = Annotated[Decimal, Field(ge=0, le=MAX_MONEY, max_digits=20, decimal_places=6, allow_inf_nan=False)]


def _currency(code: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise PydanticCustomError(
            "currency_code",
            "'{value}' is no currency. Use its three letters, such as JPY, USD or EUR.",
            {"value": code[:100]},
        )
    return code


Currency = Annotated[
    str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MoneyRange(_Frozen):
    """A low, a likely and a high estimate of one amount."""

    low: Money
    likely: Money
    high: Money

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.likely <= self.high:
            raise PydanticCustomError(
                "range_order",
                "Low ({low}), likely ({likely}) and high ({high}) must not fall. Put them in order.",
                {"low": str(self.low), "likely": str(self.likely), "high": str(self.high)},
            )
        return self


class Blend(_Frozen):
    """Own-site accuracy counts with share `blend`, all-site accuracy with the rest."""

    blend: Annotated[Decimal, Field(ge=0, le=1, decimal_places=4, allow_inf_nan=False)]


ValueBasis = Literal["own_site", "all_site"] | Blend


class Assumptions(_Frozen):
    """Business assumptions of a pilot.

    `decisions_per_site_per_round`: decisions that rest on a site's model while a round lasts in operation
    (`round_days` days); `value_per_correct_decision`: what one more correct decision is worth;
    `cost_per_gb`: per 10^9 bytes over links; `one_off_cost`: before round 1, for all sites together;
    `running_cost_per_site_per_round`: what taking part costs beyond computing and sending;
    `example`: the figures are made up to show how it works, and every page says so.
    """

    currency: Currency
    decisions_per_site_per_round: int = Field(ge=0, le=10**12)
    value_per_correct_decision: MoneyRange
    cost_per_cpu_hour: Money
    cost_per_gpu_hour: Money
    cost_per_gb: Money
    one_off_cost: Money
    running_cost_per_site_per_round: Money
    round_days: Annotated[Decimal, Field(gt=0, le=3660, decimal_places=4, allow_inf_nan=False)]
    value_basis: ValueBasis
    example: bool = False


def changes(old: Assumptions | None, new: Assumptions) -> dict[str, str]:
    """What differs, for the audit: `old.<name>` and `new.<name>` of each value, the first absent where there was none.

    Parts of an amount are named with a dot, as in `new.value_per_correct_decision.low`.
    """
    before, after = {} if old is None else _values(old), _values(new)
    changed = [name for name, value in after.items() if before.get(name) != value]
    found: dict[str, str] = {}
    for name in changed:
        if name in before:
            found[f"old.{name}"] = before[name]
        found[f"new.{name}"] = after[name]
    return found


def _values(given: Assumptions) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given:
        if isinstance(value, MoneyRange):
            found |= {f"{name}.{part}": _plain(amount) for part, amount in value}
        elif isinstance(value, Blend):
            found[name] = f"blend {_plain(value.blend)}"
        else:
            found[name] = _plain(value) if isinstance(value, Decimal) else str(value)
    return found


def _plain(amount: Decimal) -> str:
    """'0.10' and '0.1' are the same amount."""
    return format(amount.normalize(), "f")
