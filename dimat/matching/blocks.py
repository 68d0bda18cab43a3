"""The best admissible permutations where units belong to blocks: norm groups, heads, groups of a convolution.

Two levels: for each pair of blocks their units are matched, and the sums of what that gains match the blocks.

Legend: N = units, G = blocks.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dimat.matching.assignment import best_assignment
from dimat.permutation.spec import Group, PermutationSpec


def assignments(
    similarity: Mapping[str, Tensor], spec: PermutationSpec, guard: float = 0.0
) -> dict[str, Tensor]:
    """Permutations of all groups, in their order.

    Args:
        similarity: (N, N) by group; of a group under another one of all its blocks at once (block after block). Groups
            that are left out stay as they are, inside of the blocks of their link.
        guard: see `best_assignment`.
    """
    found: dict[str, Tensor] = {}
    waiting = list(spec.groups)
    while waiting:
        ready = [
            g for g in waiting if not g.under or g.under in found or g.under not in {o.name for o in waiting}
        ]
        if not ready:  # cannot be: blocks lie inside of blocks, never in a circle
            raise AssertionError("groups under each other")
        first = ready[0]
        together = [g for g in ready if g is first or (first.link and g.link == first.link)]
        if first.under:
            found[first.name] = _shared(first, similarity, found, guard)
        else:
            found |= _together(together, spec, similarity, guard)
        waiting = [group for group in waiting if group.name not in found]
    return {group.name: found[group.name] for group in spec.groups}


def assign(similarity_NN: Tensor, blocks: Sequence[int], guard: float, top: Tensor | None = None) -> Tensor:
    """The best permutation that maps blocks to blocks on every level: (N,) int64.

    Args:
        top: of the blocks of the first level, where it is given.
    """
    if not blocks:
        return best_assignment(similarity_NN, guard)
    num, inner = blocks[0], len(similarity_NN) // blocks[0]
    finer = [n // num for n in blocks[1:]]
    cells = similarity_NN.reshape(num, inner, num, inner)
    if top is None:
        top = best_assignment(block_scores(similarity_NN, blocks, guard))
    parts = [
        int(block) * inner + assign(cells[g, :, int(block)], finer, guard if g == int(block) else 0.0)
        for g, block in enumerate(top)
    ]
    return torch.cat(parts)


def block_scores(similarity_NN: Tensor, blocks: Sequence[int], guard: float) -> Tensor:
    """(G, G) float64: what matching the units of two blocks gains, summed over the units."""
    num, inner = blocks[0], len(similarity_NN) // blocks[0]
    if inner == 1:
        return similarity_NN + guard * torch.eye(num, dtype=similarity_NN.dtype)
    finer = [n // num for n in blocks[1:]]
    cells = similarity_NN.reshape(num, inner, num, inner)
    scores = torch.zeros(num, num, dtype=similarity_NN.dtype)
    for g in range(num):
        for h in range(num):
            extra = guard if g == h else 0.0
            found = assign(cells[g, :, h], finer, extra)
            units = torch.arange(inner)
            scores[g, h] = cells[g, units, h, found].sum() + extra * (found == units).sum()
    return scores


def _together(
    groups: list[Group], spec: PermutationSpec, similarity: Mapping[str, Tensor], guard: float
) -> dict[str, Tensor]:
    """One group, or those of one link, whose blocks move alike; groups under them have a say."""
    names = {group.name for group in groups}
    inside = [g for g in spec.groups if g.under in names and g.name in similarity]
    first = groups[0]
    if not first.link and not inside:
        if first.name not in similarity:
            return {first.name: torch.arange(first.size)}
        return {first.name: assign(similarity[first.name], first.blocks, guard)}
    num = first.blocks[0] if first.link else first.size
    scores = [
        block_scores(similarity[g.name], g.blocks if first.link else (num,), guard)
        for g in groups
        if g.name in similarity
    ]
    scores += [
        block_scores(similarity[g.name], (num,), guard)
        for g in inside
        if len(similarity[g.name]) == num * g.size
    ]
    if not scores:
        return {group.name: torch.arange(group.size) for group in groups}
    total = torch.stack(scores).sum(dim=0)
    if not first.link:
        return {first.name: assign(total, first.blocks, 0.0)}
    top = best_assignment(total)
    return {group.name: _with_top(group, similarity.get(group.name), guard, top) for group in groups}


def _with_top(group: Group, similarity: Tensor | None, guard: float, top: Tensor) -> Tensor:
    if similarity is not None:
        return assign(similarity, group.blocks, guard, top)
    inner = group.size // len(top)
    return (top[:, None] * inner + torch.arange(inner)).reshape(-1)


def _shared(
    group: Group, similarity: Mapping[str, Tensor], found: Mapping[str, Tensor], guard: float
) -> Tensor:
    """Units that recur in every block, reordered alike: their similarities are summed over the matched blocks."""
    if group.name not in similarity:
        return torch.arange(group.size)
    return assign(
        mean_over_blocks(similarity[group.name], group.size, found[group.under]), group.blocks, guard
    )


def mean_over_blocks(similarity_NN: Tensor, size: int, outer: Tensor) -> Tensor:
    """(size, size): the mean over blocks that were matched by `outer`; as it is, where it is of one block already."""
    if len(similarity_NN) == size:
        return similarity_NN
    cells = similarity_NN.reshape(len(outer), size, len(outer), size)
    return torch.stack([cells[g, :, int(h)] for g, h in enumerate(outer)]).mean(dim=0)
