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
class Collected:
    """Groups without taps, for each the free term it came from, and the axes that stay."""

    groups: tuple[Group, ...]
    terms: tuple[Term, ...]
    frozen: tuple[Frozen, ...]


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
    for name in names:
        for axis, term in enumerate(traced.axes[name]):
            for key, size, blocks, offset, repeat in _placed(find(term), 0, 1, heads):
                if isinstance(blocks, str) or key is None:
                    frozen[Frozen(name, axis, str(blocks))] = None
                    continue
                group = found.setdefault(key, _Found(size, blocks))
                group.heads = heads.get(key)
                _add(group, Axis(name, axis, repeat, offset, 1, term.size))
    for key, group in list(found.items()):
        # Such as the rest of a table of positions that the example's length does not reach.
        if len({(axis.param, axis.axis) for axis in group.axes}) == 1:
            frozen[Frozen(group.axes[0].param, group.axes[0].axis, "nothing else follows it")] = None
            del found[key]
    return Collected(_named(found), tuple(found), tuple(frozen))


def _placed(
    term: Term, offset: int, inner: int, heads: Mapping[Term, Term]
) -> Iterator[tuple[Term | None, int, tuple[int, ...] | str, int, int]]:
    """Where the free terms of an axis lie: (term, size, blocks, offset, entries of a unit); None for what stays, with the
    reason in place of the blocks."""
    parts = segments(term)
    if len(parts) > 1:
        for part in parts:
            yield from _placed(part, offset, inner, heads)
            offset += part.size * inner
        return
    if is_fixed(term):
        if term.size > 1:
            yield None, term.size, reason_of([term]) or "one entry beside another", offset, inner
        return
    yield from _product(factors(term), offset, inner, heads)


def _product(
    parts: list[Term], offset: int, inner: int, heads: Mapping[Term, Term]
) -> Iterator[tuple[Term | None, int, tuple[int, ...] | str, int, int]]:
    if not parts:
        return
    first, rest, key = parts[0], parts[1:], parts[0]
    size, blocks = first.size, tuple(sorted(first.blocks))
    if rest and heads.get(rest[0]) is first:
        key, size, blocks, rest = rest[0], first.size * rest[0].size, (first.size,), rest[1:]
    tail = product(part.size for part in rest)
    if first.kind == "free":
        yield key, size, blocks, offset, inner * tail
    elif first.kind == "cat":
        yield from (one for one in _placed(first, offset, inner * tail, heads) if one[0] is not None)
    if not all(map(is_fixed, rest)):
        for i in range(size):
            yield from _product(rest, offset + i * tail * inner, inner, heads)


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


def outer_of(terms: Iterable[Term]) -> dict[Term, set[Term | None]]:
    """For each free term the terms right outside of it on these axes; None among them where it stands alone."""
    found: dict[Term, set[Term | None]] = {}
    for term in terms:
        _note_outer(term, None, found)
    return found


_NONE_OF_THEM = Term(0)


def _note_outer(term: Term, outer: Term | None, found: dict[Term, set[Term | None]]) -> None:
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
    outers = outer_of(terms)
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
