"""Which units have an order of their own in each block around them: units of heads, of experts, of a convolution's groups.

The blocks lie right outside of the units on the same axis, or on another axis of the tensor. They may be such as stay where they are: layers
or experts that are picked one by one.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from dimat.permutation.calls import Value
from dimat.permutation.rules_shapes import INDEX
from dimat.permutation.terms import Term, factors, segments
from dimat.permutation.trace import Traced

MOST_BESIDE = 2048
"""So many units, those of all blocks together, have orders of their own where a tensor holds the blocks on another axis: matching takes memory and
time with their square, where one order in all blocks takes them with the square of one block's units (16 experts of 256 units: 2.4 CPU s for
each neighbour in place of 0.03; 64 of 1,024 would need 34 GB)."""


def own_inside(traced: Traced, names: list[str], alike: Collection[Term] = ()) -> dict[Term, Term]:
    """Units of a head -> the heads, where each head may have a permutation of its own.

    That is so when every tensor that has the units tells of each of them in which head it is, and no sum goes over heads while the
    units stay: every operation then treats each head by itself.

    Args:
        names: of tensors. alike: units that are to have one order in all heads.
    """
    values = [traced.axes[name] for name in names]
    outers: dict[Term, dict[Term, None]] = {}
    on_same_axis: dict[Term, bool] = {}
    for value in values:
        for axis, term in enumerate(value):
            for unit, around in _units_in(term):
                may = dict.fromkeys([around] if around is not None else [])
                may |= dict.fromkeys(_blocks_beside(value, axis))
                seen = outers.setdefault(unit, may)
                outers[unit] = {outer: None for outer in seen if any(are_same_blocks(outer, o) for o in may)}
                on_same_axis[unit] = on_same_axis.get(unit, True) and around is not None
    num_axes = Counter(atom for value in values for term in value for atom in set(_atoms(term)))
    summed = {
        (over, other)
        for one, others in traced.mixes
        for over in _atoms(one, ("free", "fixed"))
        for rest in others
        for other in _atoms(rest)
    }
    found: dict[Term, Term] = {}
    for unit, may in outers.items():
        right = [outer for outer in may if (outer, unit) not in summed]
        right.sort(key=lambda outer: outer.kind == "fixed")
        # Entries on one axis alone are repeated: only the units that own them move.
        if not right or num_axes[unit] < 2 or unit in alike:
            continue
        if on_same_axis[unit] or unit.size * right[0].size <= MOST_BESIDE:
            found[unit] = right[0]
    for unit, outer in list(found.items()):
        if found.get(outer) is unit:  # each is in the other: what comes first in the tensors are the blocks
            del found[unit]
    return _one_level(found, on_same_axis)


def _one_level(found: Mapping[Term, Term], on_same_axis: Mapping[Term, bool]) -> dict[Term, Term]:
    """Of blocks in blocks one level alone has orders of its own: those first that lie on one axis, which need nothing of another."""
    kept: dict[Term, Term] = {}
    ranks = {
        unit: (not on_same_axis[unit], bool(unit.blocks or outer.blocks)) for unit, outer in found.items()
    }
    for rank in sorted(set(ranks.values())):
        blocks = {*kept.values()}
        may = {
            unit: outer
            for unit, outer in found.items()
            if ranks[unit] == rank and outer not in kept and unit not in blocks
        }
        kept |= {unit: outer for unit, outer in may.items() if outer not in may}
    return kept


def blocks_on(value: Value, axis: int, blocks: Term | None) -> int:
    """The axis of a tensor, beside this one, on which these blocks lie, outermost."""
    assert blocks is not None, "units of a block have one around them"
    first = {other: factors(term)[0] for other, term in enumerate(value) if other != axis and term.size > 1}
    return next(other for other, one in first.items() if are_same_blocks(one, blocks))


def are_same_blocks(one: Term, other: Term) -> bool:
    """Whether two terms are the same blocks. What is picked entry by entry is ever the same where as many can be picked; the self-test tells."""
    picked = one.kind == other.kind == "fixed" and one.reason == other.reason == INDEX
    return one is other or (picked and one.size == other.size)


def _blocks_beside(value: Value, axis: int) -> list[Term]:
    """What is outermost on other axes of a tensor; if it is free, and nowhere else in it."""
    times = Counter(atom for term in value for atom in _atoms(term))
    firsts = [factors(term)[0] for other, term in enumerate(value) if other != axis and term.size > 1]
    return [one for one in firsts if one.kind == "fixed" or (one.kind == "free" and times[one] == 1)]


def _units_in(term: Term, around: Term | None = None) -> list[tuple[Term, Term | None]]:
    """Each free term on an axis, and the one right outside of it; None where there is none."""
    parts = segments(term)
    if len(parts) > 1:
        return [one for part in parts for one in _units_in(part)]
    found: list[tuple[Term, Term | None]] = []
    for part in factors(term):
        if part.kind == "cat":
            found += _units_in(part)
        elif part.kind == "free":
            found.append((part, around))
        around = part if part.kind != "cat" else None
    return found


def _atoms(term: Term, kinds: Collection[str] = ("free",)) -> list[Term]:
    return [
        atom
        for part in segments(term)
        for one in factors(part)
        for atom in (_atoms(one, kinds) if one.kind == "cat" else [one])
        if atom.kind in kinds
    ]
