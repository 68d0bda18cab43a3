"""What a tensor axis is made of, and how two axes become one.

An axis is a term: free units that may be reordered, entries that stay, a row of terms side by side (`cat`), or a
product of terms in row-major order (`prod`: heads x units of a head, channels x positions behind a flatten). To unify
two terms is to refine both to what they have in common. Where that is not possible they are frozen, which is always
right: fewer permutations remain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod as product
from typing import Literal


class Unclear(Exception):
    """A rule does not know what happens to an axis. Whoever asked freezes everything it was asked about."""


@dataclass(eq=False, slots=True)
class Term:
    """One axis or a part of one. `blocks`: permutations of a free term must map that many equal blocks to blocks."""

    size: int
    kind: Literal["free", "fixed", "cat", "prod"] = "free"
    parts: tuple["Term", ...] = ()
    reason: str = ""
    blocks: set[int] = field(default_factory=set)
    same_as: "Term | None" = None


def free(size: int) -> Term:
    return Term(size) if size != 1 else fixed(1, "")


def fixed(size: int, reason: str) -> Term:
    return Term(size, "fixed", reason=reason)


def find(term: Term) -> Term:
    """What the term was unified with."""
    while term.same_as is not None:
        if term.same_as.same_as is not None:
            term.same_as = term.same_as.same_as
        term = term.same_as
    return term


def segments(term: Term) -> list[Term]:
    """The terms side by side that make up this one."""
    term = find(term)
    return [s for part in term.parts for s in segments(part)] if term.kind == "cat" else [term]


def factors(term: Term) -> list[Term]:
    """The terms whose product is this one, outermost first; none for a single entry."""
    term = find(term)
    if term.kind == "prod":
        return [f for part in term.parts for f in factors(part)]
    return [term] if term.size != 1 else []


def cat(parts: Iterable[Term]) -> Term:
    """Terms side by side."""
    flat = [s for part in parts for s in segments(part) if s.size]
    if len(flat) == 1:
        return flat[0]
    size = sum(part.size for part in flat)
    if all(is_fixed(part) for part in flat):
        return fixed(size, reason_of(flat))
    return Term(size, "cat", tuple(flat))


def prod(parts: Iterable[Term]) -> Term:
    """Terms times each other, outermost first."""
    flat = [f for part in parts for f in factors(part)]
    if len(flat) == 1:
        return flat[0]
    size = product(part.size for part in flat)
    if all(is_fixed(part) for part in flat):
        return fixed(size, reason_of(flat))
    return Term(size, "prod", tuple(flat))


def is_fixed(term: Term) -> bool:
    term = find(term)
    return term.size == 1 or term.kind == "fixed" or (bool(term.parts) and all(map(is_fixed, term.parts)))


def reason_of(terms: Iterable[Term]) -> str:
    """The first reason why one of them stays."""
    for term in map(find, terms):
        if reason := term.reason or reason_of(term.parts):
            return reason
    return ""


def freeze(term: Term, reason: str) -> None:
    """Nothing of the term may be reordered."""
    term = find(term)
    if term.kind == "free":
        term.kind, term.reason = "fixed", reason
        term.blocks.clear()
    for part in term.parts:
        freeze(part, reason)


def unify(a: Term, b: Term) -> None:
    """From now on both are reordered alike.

    Raises:
        Unclear: they do not have one size.
    """
    a, b = find(a), find(b)
    if a is b:
        return
    if a.size != b.size:
        raise Unclear(f"{a.size} and {b.size} entries")
    if is_fixed(a) or is_fixed(b):
        freeze(a, reason_of([b]))
        freeze(b, reason_of([a]))
    elif a.kind == "free":
        _bind(a, b)
    elif b.kind == "free":
        _bind(b, a)
    elif a.kind == b.kind == "cat":
        _unify_cats(segments(a), segments(b))
    elif a.kind == b.kind == "prod":
        _unify_prods(a, b)
    elif a.kind == "cat":
        _unify_cat_with_prod(a, b)
    else:
        _unify_cat_with_prod(b, a)


def cut(term: Term, start: int, end: int) -> Term:
    """Entries start..end-1."""
    term = find(term)
    if (start, end) == (0, term.size):
        return term
    if is_fixed(term):
        return fixed(end - start, reason_of([term]))
    if term.kind == "free":
        pieces = [free(n) for n in (start, end - start, term.size - end)]
        _bind(term, cat(pieces))
        return pieces[1]
    if term.kind == "cat":
        found, position = [], 0
        for part in segments(term):
            low, high = max(start, position), min(end, position + part.size)
            if low < high:
                found.append(cut(part, low - position, high - position))
            position += part.size
        return cat(found)
    outer, *rest = factors(term)
    inner = term.size // outer.size
    if start % inner or end % inner:
        freeze(term, "cut inside a block")
        return fixed(end - start, "cut inside a block")
    return prod([cut(outer, start // inner, end // inner), *rest])


def factor(term: Term, sizes: Sequence[int]) -> list[Term]:
    """Terms of these sizes whose product is `term`."""
    term = find(term)
    wanted = [n for n in sizes if n != 1]
    if len(wanted) <= 1:
        found = [term] if wanted else []
    elif is_fixed(term):
        found = [fixed(n, reason_of([term])) for n in wanted]
    elif term.kind == "free":
        found = [free(n) for n in wanted]
        _bind(term, prod(found))
    elif term.kind == "cat":
        found = _factor_cat(term, wanted)
    else:
        found = _factor_prod(term, wanted)
    rest = iter(found)
    return [next(rest) if n != 1 else fixed(1, "") for n in sizes]


def constrain(term: Term, blocks: int) -> None:
    """Only permutations that map each of `blocks` equal parts of the axis to one of them."""
    term = find(term)
    if is_fixed(term) or blocks in (1, term.size):
        return
    if term.kind == "free":
        term.blocks.add(blocks)
        levels = sorted(term.blocks)
        if any(n % m for m, n in zip(levels, [*levels[1:], term.size], strict=True)):
            freeze(term, "norm groups that do not nest")
    elif term.kind == "cat":
        _constrain_cat(term, term.size // blocks)
    else:
        for part in factors(term):
            if part.size <= blocks and blocks % part.size == 0:
                blocks //= part.size
            elif part.size % blocks == 0:
                return constrain(part, blocks)
            else:
                return freeze(term, "norm groups across heads or blocks")


def _constrain_cat(term: Term, block: int) -> None:
    position = 0
    for part in segments(term):
        start, end = position, position + part.size
        position = end
        if start // block == (end - 1) // block:
            continue  # inside one block: it may be reordered as it likes
        # What shares a block with the neighbours stays in it; the blocks between are reordered as wholes.
        first, last = -start % block, part.size - end % block
        for low, high in ((0, first), (first, last), (last, part.size)):
            if low < high:
                piece = cut(part, low, high)
                if (low, high) == (first, last):
                    constrain(piece, piece.size // block)


def _bind(term: Term, other: Term) -> None:
    """A free term becomes another one; what restricts it goes along."""
    term.same_as = other
    for blocks in sorted(term.blocks):
        constrain(other, blocks)


def _unify_cats(left: list[Term], right: list[Term]) -> None:
    while left:
        x, y = left.pop(0), right.pop(0)
        size = min(x.size, y.size)
        if x.size > size:
            left.insert(0, cut(x, size, x.size))
            x = cut(x, 0, size)
        elif y.size > size:
            right.insert(0, cut(y, size, y.size))
            y = cut(y, 0, size)
        unify(x, y)


def _unify_prods(a: Term, b: Term) -> None:
    left, right = factors(a), factors(b)
    while left and right:
        x, y = left[0], right[0]
        if x.size == y.size:
            unify(x, y)
            del left[0], right[0]
        elif x.size % y.size == 0:
            left[:1] = factor(x, [y.size, x.size // y.size])
        elif y.size % x.size == 0:
            right[:1] = factor(y, [x.size, y.size // x.size])
        else:
            freeze(a, "two ways of splitting that do not fit")
            freeze(b, "two ways of splitting that do not fit")
            return


def _unify_cat_with_prod(row: Term, grid: Term) -> None:
    inner = grid.size // factors(grid)[0].size
    if any(part.size % inner for part in segments(row)):
        freeze(row, "a seam inside a block")
        freeze(grid, "a seam inside a block")
        return
    position = 0
    for part in segments(row):
        unify(part, cut(grid, position, position + part.size))
        position += part.size


def _factor_cat(term: Term, sizes: list[int]) -> list[Term]:
    """[a|b] = [A x n | B x n] = [A|B] x n: what lies side by side shares its inner units."""
    inner = product(sizes[1:])
    if any(part.size % inner for part in segments(term)):
        freeze(term, "split across a seam")
        return [fixed(n, "split across a seam") for n in sizes]
    split = [factor(part, [part.size // inner, *sizes[1:]]) for part in segments(term)]
    for other in split[1:]:
        for mine, its in zip(split[0][1:], other[1:], strict=True):
            unify(mine, its)
    return [cat(parts[0] for parts in split), *split[0][1:]]


def _factor_prod(term: Term, sizes: list[int]) -> list[Term]:
    left, found = factors(term), []
    for size in sizes:
        taken: list[Term] = []
        while size > 1:
            part = left.pop(0)
            if size % part.size == 0:
                taken.append(part)
                size //= part.size
            elif part.size % size == 0:
                first, rest = factor(part, [size, part.size // size])
                taken.append(first)
                left.insert(0, rest)
                size = 1
            else:
                freeze(term, "two ways of splitting that do not fit")
                return [fixed(n, "two ways of splitting that do not fit") for n in sizes]
        found.append(prod(taken))
    return found
