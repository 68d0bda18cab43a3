"""From the terms of all tensors to groups: where each free term lies, its name, what stays, and coverage."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod as product

from dimat.permutation.inside import are_same_blocks, blocks_on, own_inside
from dimat.permutation.spec import Axis, Frozen, Group
from dimat.permutation.terms import Term, factors, is_fixed, reason_of, segments
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
        key: the free term whose units they are; None where the part stays. size: how many units.
        offset: where it begins. repeat: entries of a unit. around: units of other groups that the part lies in, outermost first, and
            which unit of them. is_of_block: it holds the units of one block only, of that which the tensor's other axis tells.
            reason: why it stays.
    """

    key: Term | None
    size: int
    offset: int
    repeat: int
    around: tuple[tuple[Term, int], ...] = ()
    is_of_block: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """Groups without taps, for each the free term it came from, the axes that stay, and what lies on each axis.

    Attributes:
        own: of groups whose units have an order of their own in each block: by name their term.
    """

    groups: tuple[Group, ...]
    terms: tuple[Term, ...]
    frozen: tuple[Frozen, ...]
    parts: Mapping[tuple[str, int], tuple[Part, ...]]
    own: Mapping[str, Term]


def collect(traced: Traced, alike: Collection[Term] = ()) -> Collected:
    """The groups of a traced model.

    Units inside of heads, or of other blocks, may be reordered in each by themselves wherever this is seen to be right.

    Args:
        alike: units that are to be reordered in all of their blocks alike.
    """
    names = [name for name in traced.order if traced.axes[name]]
    heads = own_inside(traced, names, alike)
    found: dict[Term, _Found] = {}
    frozen: dict[Frozen, None] = {}
    lying: dict[tuple[str, int], tuple[Part, ...]] = {}
    for name in names:
        for axis, term in enumerate(traced.axes[name]):
            lying[name, axis] = tuple(_placed(term, 0, 1, heads, ()))
            for part in lying[name, axis]:
                if part.key is None:
                    frozen[Frozen(name, axis, part.reason)] = None
                    continue
                group = found.setdefault(
                    part.key, _Found(*_blocks(part.key, heads), heads=heads.get(part.key))
                )
                within = blocks_on(traced.axes[name], axis, group.heads) if part.is_of_block else None
                _add(group, part.size, Axis(name, axis, part.repeat, part.offset, 1, term.size, within))
    for key, group in list(found.items()):
        # Such as the rest of a table of positions that the example's length does not reach. Whole heads move with their units.
        moving = (group, *(inside for inside in found.values() if inside.heads is key))
        if len({(axis.param, axis.axis) for one in moving for axis in one.axes}) == 1:
            frozen[Frozen(group.axes[0].param, group.axes[0].axis, "nothing else follows it")] = None
            del found[key]
    groups = _named(found)
    own = {group.name: key for group, key in zip(groups, found, strict=True) if key in heads}
    return Collected(groups, tuple(found), tuple(frozen), lying, own)


def _blocks(key: Term, heads: Mapping[Term, Term]) -> tuple[int, tuple[int, ...]]:
    """How many units the group of a term has, and their blocks."""
    levels = sorted(key.blocks)
    if key not in heads:
        return key.size, tuple(levels)
    num, coarser = heads[key].size, sorted(heads[key].blocks)
    return num * key.size, (*coarser, num, *(num * finer for finer in levels))


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
    if first.kind == "free" or key is not first:
        yield Part(key, size, offset, tail, around, is_of_block=first in heads)
    elif first.kind == "cat":
        yield from (one for one in _placed(first, offset, tail, heads, around) if one.key is not None)
    if not all(map(is_fixed, rest)):
        for i in range(size):
            inside = (*around, *_units_at(parts[: len(parts) - len(rest)], i, heads))
            yield from _product(rest, offset + i * tail, inner, heads, inside)


def _outermost(parts: list[Term], heads: Mapping[Term, Term]) -> tuple[Term, Term, int, list[Term]]:
    """The first of some factors, the term of its group, how many units that has, and the factors inside of them."""
    first, rest = parts[0], parts[1:]
    if (
        rest and rest[0] in heads and are_same_blocks(heads[rest[0]], first)
    ):  # whole heads, each with units of its own
        return first, rest[0], first.size * rest[0].size, rest[1:]
    return first, first, first.size, rest


def _units_at(parts: list[Term], entry: int, heads: Mapping[Term, Term]) -> Around:
    """The units that an entry of a product belongs to, outermost first."""
    if not parts:
        return ()
    first, key, _, rest = _outermost(parts, heads)
    unit, entry = divmod(entry, product(part.size for part in rest))
    found: Around = ((key, unit),) if first.kind == "free" or key is not first else ()
    if first.kind == "cat":
        for part in segments(first):
            if unit < part.size:
                found = _units_at(factors(part), unit, heads)
                break
            unit -= part.size
    return (*found, *_units_at(rest, entry, heads))


def _add(group: _Found, size: int, axis: Axis) -> None:
    """Joins a part of an axis, of so many units, with the one before it, where they are tiles of one pattern."""
    last = group.axes[-1] if group.axes else None
    if last is not None:
        next_tile = replace(axis, offset=last.offset, tiles=last.tiles)
        if last == next_tile and last.offset + last.tiles * size * last.repeat == axis.offset:
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
        if group.heads is not None and group.heads.kind == "free":
            links.setdefault(group.heads, f"heads of {names[key]}")
    groups = []
    for key, group in found.items():
        link = links.get(group.heads or key, "")
        blocks = (*group.blocks, group.size) if link and group.heads is None else group.blocks
        level = len((group.heads or key).blocks) if link else 0
        one = Group(names[key], group.size, "", (), blocks=blocks, link=link, level=level)
        if group.heads is not None and not link:
            one = replace(one, blocks_stay=True)
        groups.append(replace(one, axes=tuple(_whole(axis, one) for axis in group.axes)))
    return tuple(groups)


def _whole(axis: Axis, group: Group) -> Axis:
    whole = replace(axis, length=0)
    return whole if axis.length == group.length_of(whole) else axis


def coverage(shapes: Mapping[str, tuple[int, ...]], groups: Iterable[Group]) -> float:
    """Share of the elements of these tensors that lie on at least one axis of a group, 0..1."""
    moves = {name: [bytearray(n) for n in shape] for name, shape in shapes.items()}
    for group in groups:
        for axis in group.axes:
            if axis.param in shapes:
                entries = group.units_on(axis) * axis.repeat * axis.tiles
                moves[axis.param][axis.axis][axis.offset : axis.offset + entries] = b"\1" * entries
    total = sum(product(shape) for shape in shapes.values())
    left = sum(product(part.count(0) for part in parts) for parts in moves.values())
    return 1.0 - left / total if total else 0.0
