"""Sites that fell silent while a run went on without them. Pure.

That a site joins or leaves is planned (`Patch.members`): the graph and its weights are then those of the members. An absence is not
planned: the graph stays, and the weight of the silent site goes to the model of whoever would have read it.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dimat.frozen import Frozen, Name, Whole

Undone = Literal["evaluate", "merge", "train"]
"""What a site may owe of a round whose models it has taken part in."""


class Absence(Frozen):
    """A site takes no part in the rounds from `from_round` up to `until_round`, which it begins anew; None: to the end.

    `undone`: (round, kind) of its steps before `from_round` that were never done: others have taken in the model with which it began
    that round, so that it was no absence there, but what it would have made of it does not exist.
    """

    site: Name
    from_round: Whole = Field(ge=1)
    until_round: Whole | None = None
    undone: tuple[tuple[Annotated[Whole, Field(ge=0)], Undone], ...] = ()

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.until_round is not None and self.until_round <= self.from_round:
            raise PydanticCustomError(
                "absence_ends_early",
                "An absence from round {from_round} on cannot end in round {until_round}. Let it end later.",
                {"from_round": self.from_round, "until_round": self.until_round},
            )
        return self

    @property
    def first_missed(self) -> int:
        """The first round, at least 1, that is without it in part or whole; one after the last where it only owes how its start was judged."""
        return min((round for round, _ in self.undone if round > 0), default=self.from_round)

    def covers(self, round: int) -> bool:
        return self.from_round <= round and not self.is_over(round)

    def is_over(self, round: int) -> bool:
        """Whether the site takes part again in `round`, as far as it was only silent."""
        return self.until_round is not None and self.until_round <= round


class RunAbsence(Absence):
    """One of a run that was: of which arm and seed."""

    arm: Name
    seed: Whole


def by_run(absences: Iterable[RunAbsence]) -> dict[tuple[str, int], list[Absence]]:
    """By arm and seed, in the order given."""
    found: dict[tuple[str, int], list[Absence]] = {}
    for one in absences:
        alone = Absence(
            site=one.site, from_round=one.from_round, until_round=one.until_round, undone=one.undone
        )
        found.setdefault((one.arm, one.seed), []).append(alone)
    return found


def silent_in(round: int, absences: Iterable[Absence], index: Mapping[str, int]) -> frozenset[int]:
    """Who is absent in `round`, by index. Raises: KeyError, an absence of an unknown site."""
    return frozenset(index[absence.site] for absence in absences if absence.covers(round))
