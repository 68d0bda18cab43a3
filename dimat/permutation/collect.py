"""From the terms of all tensors to groups: where each free term lies, its name, what stays, and coverage."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod as product

from dimat.permutation.spec import Axis, Frozen, Group
from dimat.permutation.terms import Term, factors, find, is_fixed, reason_of, segments
from dimat.permutation.trace import Traced


@dataclass(slots=True)
class _Found:
    """A group under way. `heads`: the term of whole heads, where each head has units of its own inside."""

    size: int
    blocks: tuple[int, ...]
    axes: list[Axis] = field(default_factory=list)
    heads: Term | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an axis that holds all units of a group once, or one that stays.

    Attributes:
        key: the free term whose units they are; None where the part stays. size: how many units. blocks: of units.
        offset: where it begins. repeat: entries of a unit. around: units of other groups that the part lies in, outermost first, and
            which unit of them. reason: why it stays.
    """

    key: Term | None
    size: int
    offset: int
    repeat: int
    blocks: tuple[int, ...] = ()
    around: tuple[tuple[Term, int], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """Groups without taps, for each the free term it came from, the axes that stay, and what lies on each axis."""

    groups: tuple[Group, ...]
    terms: tuple[Term, ...]
    frozen: tuple[Frozen, ...]
    parts: Mapping[tuple[str, int], tuple[Part, ...]]


def collect(traced: Traced, own_inside: bool = True) -> Collected:
    """The groups of a traced model.

    Args:
        own_inside: units inside heads may be reordered in each head by themselves wherever this is seen to be right;
            False: in all heads alike.
    """
    names = [name for name in traced.order if traced.axes[name]]
    heads = _own_inside(traced, names) if own_inside else {}
    found: dict[Term, _Found] = {}
    frozen: dict[Frozen, None] = {}
    lying: dict[tuple[str, int], tuple[Part, ...]] = {}
    for name in names:
        for axis, term in enumerate(traced.axes[name]):
            lying[name, axis] = tuple(_placed(find(term), 0, 1, heads, ()))
            for part in lying[name, axis]:
                if part.key is None:
                    frozen[Frozen(name, axis, part.reason)] = None
                    continue
                group = found.setdefault(part.key, _Found(part.size, part.blocks))
                group.heads = heads.get(part.key)
                _add(group, Axis(name, axis, part.repeat, part.offset, 1, term.size))
    for key, group in list(found.items()):
        # Such as the rest of a table of positions that the example's length does not reach. Whole heads move with their units.
        moving = (group, *(inside for inside in found.values() if inside.heads is key))
        if len({(axis.param, axis.axis) for one in moving for axis in one.axes}) == 1:
            frozen[Frozen(group.axes[0].param, group.axes[0].axis, "nothing else follows it")] = None
            del found[key]
    return Collected(_named(found), tuple(found), tuple(frozen), lying)


Around = tuple[tuple[Term, int], ...]


def _placed(
    term: Term, offset: int, inner: int, heads: Mapping[Term, Term], around: Around
) -> Iterator[Part]:
    """What lies on an axis, or on a part of it that begins at `offset`. Args: inner: entries of each of its own."""
    parts = segments(term)
    if len(parts) > 1:
        for part in parts:
            yield from _placed(part, offset, inner, heads, around)
            offset += part.size * inner
        return
    if is_fixed(term):
        if term.size > 1:
            reason = reason_of([term]) or "one entry beside another"
            yield Part(None, term.size, offset, inner, reason=reason)
        return
    yield from _product(factors(term), offset, inner, heads, around)


def _product(
    parts: list[Term], offset: int, inner: int, heads: Mapping[Term, Term], around: Around
) -> Iterator[Part]:
    if not parts:
        return
    first, key, size, rest = _outermost(parts, heads)
    tail = inner * product(part.size for part in rest)
    if first.kind == "free":
        blocks = (first.size,) if key is not first else tuple(sorted(first.blocks))
        yield Part(key, size, offset, tail, blocks, around)
    elif first.kind == "cat":
        yield from (one for one in _placed(first, offset, tail, heads, around) if one.key is not None)
    if not all(map(is_fixed, rest)):
        for i in range(size):
            inside = (*around, *_units_at(parts[: len(parts) - len(rest)], i, heads))
            yield from _product(rest, offset + i * tail, inner, heads, inside)


def _outermost(parts: list[Term], heads: Mapping[Term, Term]) -> tuple[Term, Term, int, list[Term]]:
    """The first of some factors, the term of its group, how many units that has, and the factors inside of them."""
    first, rest = parts[0], parts[1:]
    if rest and heads.get(rest[0]) is first:  # whole heads, each with units of its own
        return first, rest[0], first.size * rest[0].size, rest[1:]
    return first, first, first.size, rest


def _units_at(parts: list[Term], entry: int, heads: Mapping[Term, Term]) -> Around:
    """The units that an entry of a product belongs to, outermost first."""
    if not parts:
        return ()
    first, key, _, rest = _outermost(parts, heads)
    unit, entry = divmod(entry, product(part.size for part in rest))
    found: Around = ((key, unit),) if first.kind == "free" else ()
    if first.kind == "cat":
        for part in segments(first):
            if unit < part.size:
                found = _units_at(factors(part), unit, heads)
                break
            unit -= part.size
    return (*found, *_units_at(rest, entry, heads))


def _add(group: _Found, axis: Axis) -> None:
    """Joins a part of an axis with the one before it, where they are tiles of one pattern."""
    last = group.axes[-1] if group.axes else None
    if last is not None:
        next_tile = replace(axis, offset=last.offset, tiles=last.tiles)
        if last == next_tile and last.offset + last.tiles * group.size * last.repeat == axis.offset:
            group.axes[-1] = replace(last, tiles=last.tiles + 1)
            return
    group.axes.append(axis)


def _named(found: Mapping[Term, _Found]) -> tuple[Group, ...]:
    names: dict[Term, str] = {}
    for key, group in found.items():
        first = group.axes[0]
        name = first.param.removesuffix(".weight")
        if name in names.values():
            name = f"{first.param}[{first.axis}:{first.offset}]"
        while name in names.values():
            name += "'"
        names[key] = name
    links: dict[Term, str] = {}
    for key, group in found.items():
        if group.heads is not None:
            links.setdefault(group.heads, f"heads of {names[key]}")
    groups = []
    for key, group in found.items():
        link = links.get(group.heads or key, "")
        blocks = (group.size,) if link and group.heads is None else group.blocks
        axes = tuple(_whole(axis, group.size) for axis in group.axes)
        groups.append(Group(names[key], group.size, "", axes, blocks=blocks, link=link))
    return tuple(groups)


def _whole(axis: Axis, size: int) -> Axis:
    return replace(axis, length=0) if axis.length == axis.tiles * size * axis.repeat else axis


_NONE_OF_THEM = Term(0)


def _note_outer(term: Term, outer: Term | None, found: dict[Term, set[Term | None]]) -> None:
    """For each free term on an axis the terms right outside of it; None among them where it stands alone."""
    parts = segments(term)
    if len(parts) > 1:
        for part in parts:
            _note_outer(part, outer and _NONE_OF_THEM, found)
        return
    for part in factors(term):
        if part.kind == "cat":
            _note_outer(part, outer and _NONE_OF_THEM, found)
        elif part.kind == "free":
            found.setdefault(part, set()).add(outer)
        outer = part if part.kind == "free" else _NONE_OF_THEM if outer is not None else None


def _own_inside(traced: Traced, names: list[str]) -> dict[Term, Term]:
    """Units of a head -> the heads, where each head may have a permutation of its own.

    That is so when the units never stand without their heads right outside, and no sum goes over heads while the units
    stay: every operation then treats each head by itself.
    """
    terms = [term for name in names for term in traced.axes[name]]
    outers: dict[Term, set[Term | None]] = {}
    for term in terms:
        _note_outer(term, None, outers)
    num_axes = Counter(atom for term in terms for atom in set(_atoms(term)))
    summed = {
        (over, other)
        for one, others in traced.mixes
        for over in _atoms(one)
        for rest in others
        for other in _atoms(rest)
    }
    found = {}
    for term, around in outers.items():
        outer = next(iter(around))
        if len(around) != 1 or outer is None or outer is _NONE_OF_THEM:
            continue
        if num_axes[term] == 1:  # entries that are repeated: only the units that own them move
            continue
        if not term.blocks and not outer.blocks and (outer, term) not in summed:
            found[term] = outer
    return {term: outer for term, outer in found.items() if outer not in found}


def _atoms(term: Term) -> list[Term]:
    return [
        atom
        for part in segments(term)
        for one in factors(part)
        for atom in (_atoms(one) if one.kind == "cat" else [one])
        if atom.kind == "free"
    ]


def coverage(shapes: Mapping[str, tuple[int, ...]], groups: Iterable[Group]) -> float:
    """Share of the elements of these tensors that lie on at least one axis of a group, 0..1."""
    moves = {name: [bytearray(n) for n in shape] for name, shape in shapes.items()}
    for group in groups:
        for axis in group.axes:
            if axis.param in shapes:
                entries = group.size * axis.repeat * axis.tiles
                moves[axis.param][axis.axis][axis.offset : axis.offset + entries] = b"\1" * entries
    total = sum(product(shape) for shape in shapes.values())
    left = sum(product(part.count(0) for part in parts) for parts in moves.values())
    return 1.0 - left / total if total else 0.0
