"""One operation of a traced graph as the rules see it, and the register of rules.

A value is what is known of a tensor: one term for each axis. A rule gets the values of an operation's inputs, unifies
and freezes their terms, and returns the values of its outputs (a list where there are several).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dimat.permutation.terms import Term, find, fixed, freeze, unify

Value = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Stacked:
    """A tensor along one axis of which each entry has terms of its own: q, k and v of a packed projection, the layers of
    a recurrent net. `parts`: the values of the entries, without that axis."""

    axis: int
    parts: tuple[Value, ...]


Outcome = Value | Stacked | list[Any]
Mixes = list[tuple[Term, Value]]
"""Axes that were summed over, each with the other axes of the tensor it was summed in."""


@dataclass(frozen=True, slots=True)
class Call:
    """Attributes:
    node: of the graph. name: of the operation, such as `conv2d`. overload: such as `dim`.
    args: by name; tensors as outcomes. shapes: of the outputs. mixes: noted by `contract`.
    """

    node: Any
    name: str
    overload: str
    args: Mapping[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    mixes: Mixes

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first output."""
        return self.shapes[0]

    def raw(self, number: int) -> Any:
        """An argument by its place, as it is."""
        return list(self.args.values())[number]

    def value(self, which: int | str) -> Value:
        """A tensor argument by place or name.

        Raises: KeyError, IndexError, TypeError, when there is no such tensor.
        """
        found = self.raw(which) if isinstance(which, int) else self.args[which]
        return plain(found)

    def optional(self, name: str) -> Value | None:
        found = self.args.get(name)
        return None if found is None else plain(found)

    def tensors(self) -> list[Value]:
        """All tensor arguments, those in lists too."""
        return list(_tensors(self.args.values()))

    def contract(self, term: Term, *others: Iterable[Term]) -> None:
        """Notes that a sum goes over `term` while the others stay apart."""
        self.contract_all((term,), *others)

    def contract_all(self, terms: Collection[Term], *others: Iterable[Term]) -> None:
        """Notes that one sum goes over all of these `terms` at once while the others stay apart."""
        gone = {find(term) for term in terms}
        rest = tuple(t for some in others for t in some if find(t) not in gone)
        self.mixes.extend((term, rest) for term in terms)


def plain(outcome: Any) -> Value:
    """The value of one tensor; what is stacked is tied together and its axis stays."""
    if isinstance(outcome, Stacked):
        first = outcome.parts[0]
        for part in outcome.parts[1:]:
            for mine, its in zip(first, part, strict=True):
                unify(mine, its)
        stay = fixed(len(outcome.parts), "parts of a packed tensor")
        return (*first[: outcome.axis], stay, *first[outcome.axis :])
    if not isinstance(outcome, tuple):
        raise TypeError(f"{outcome!r} is not a tensor")
    return outcome


def broadcast(values: Sequence[Value], shape: Sequence[int]) -> Value:
    """The terms of a result of this shape whose axes are those of the values, aligned at the end; axes of size 1 are free."""
    found: list[Term | None] = [None] * len(shape)
    for value in values:
        skip = len(shape) - len(value)
        for axis, term in enumerate(value, start=skip):
            if term.size == 1:
                continue
            seen = found[axis]
            if seen is None:
                found[axis] = term
            else:
                unify(seen, term)
    return tuple(term if term is not None else fixed(n, "") for term, n in zip(found, shape, strict=True))


def stay(call: Call, value: Value, axes: Iterable[int], reason: str) -> Value:
    """`value` with these axes frozen and of the size that they have in the result."""
    kept = list(value)
    for axis in axes:
        freeze(kept[axis], reason)
        place = axis % len(value)
        kept[place] = fixed(call.shape[place], reason)
    return tuple(kept)


Rule = Callable[[Call], Outcome]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a rule for operations by name."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def _tensors(values: Iterable[Any]) -> Iterable[Value]:
    for value in values:
        if isinstance(value, (tuple, Stacked)):
            yield plain(value)
        elif isinstance(value, list):
            yield from _tensors(value)
