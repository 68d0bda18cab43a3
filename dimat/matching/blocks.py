"""The best admissible permutations where units belong to blocks: norm groups, heads, groups of a convolution.

Two levels: for each pair of blocks their units are matched, and the sums of what that gains match the blocks.

Legend: N = units, G = blocks.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, permutations
from operator import mul

import torch
from torch import Tensor

from dimat.matching.assignment import best_assignment
from dimat.permutation.spec import Group, PermutationSpec

MOST_LOOKED_AT = 4
"""Of so few units all orders are looked at: for thousands of pairs of blocks at once that is faster than to solve one after the other."""


def assignments(
    similarity: Mapping[str, Tensor], spec: PermutationSpec, guard: float = 0.0
) -> dict[str, Tensor]:
    """Permutations of all groups, in their order; those of blocks before those of what recurs in them.

    Args:
        similarity: (N, N) by group; of a group under others one of all their blocks at once (block after block). Groups
            that are left out stay as they are, inside of the blocks of their link.
        guard: added to the similarity of units in the same place; a unit is moved only if this gains more than it costs.
    """
    found: dict[str, Tensor] = {}
    waiting: dict[str, list[Group]] = {}
    for group in spec.groups:
        waiting.setdefault(group.link or f"group {group.name}", []).append(group)
    while waiting:
        left = {group.name for groups in waiting.values() for group in groups}
        ready = next(
            name for name, groups in waiting.items() if all(left.isdisjoint(group.under) for group in groups)
        )
        found |= _together(waiting.pop(ready), spec, similarity, found, guard)
    return {group.name: found[group.name] for group in spec.groups}


def assign(similarity_NN: Tensor, blocks: Sequence[int], top: Tensor | None = None) -> Tensor:
    """The best permutation that maps blocks to blocks on every level: (N,) int64.

    Args:
        top: of the blocks of the first level, where it is given.
    """
    if not blocks:
        return best_assignment(similarity_NN)
    num, inner = blocks[0], len(similarity_NN) // blocks[0]
    finer = [n // num for n in blocks[1:]]
    cells = similarity_NN.reshape(num, inner, num, inner)
    if top is None:
        top = best_assignment(block_scores(similarity_NN, blocks))
    parts = [int(block) * inner + assign(cells[g, :, int(block)], finer) for g, block in enumerate(top)]
    return torch.cat(parts)


def block_scores(similarity_NN: Tensor, blocks: Sequence[int]) -> Tensor:
    """(G, G) float64: what matching the units of two blocks gains, summed over the units."""
    num, inner = blocks[0], len(similarity_NN) // blocks[0]
    if inner == 1:
        return similarity_NN
    finer = [n // num for n in blocks[1:]]
    cells = similarity_NN.reshape(num, inner, num, inner)
    scores = torch.zeros(num, num, dtype=similarity_NN.dtype)
    for g in range(num):
        alike = cells[g].transpose(0, 1)
        scores[g] = alike.gather(2, assign_each(alike, finer)[:, :, None]).sum((1, 2))
    return scores


def assign_each(similarity_KUU: Tensor, blocks: Sequence[int] = ()) -> Tensor:
    """The best permutation for each of K similarities: (K, U) int64. Args: blocks: as of `assign`."""
    size = similarity_KUU.shape[1]
    if size > MOST_LOOKED_AT or blocks:
        return torch.stack([assign(one, blocks) for one in similarity_KUU])
    every = torch.tensor(list(permutations(range(size))))
    sums = similarity_KUU[:, torch.arange(size), every].sum(2)
    return every[sums.argmax(1)]


def _together(
    groups: list[Group],
    spec: PermutationSpec,
    similarity: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    guard: float,
) -> dict[str, Tensor]:
    """One group, or those of one link, whose blocks move alike; groups under them have a say."""
    alike = {}
    for group in groups:
        told = list(_told(group, spec, similarity, found, guard))
        if told:
            alike[group.name] = torch.stack(told).sum(dim=0)
    top = torch.arange(groups[0].num_blocks) if groups[0].blocks_stay else None
    if alike and groups[0].link:
        scores = [
            block_scores(alike[group.name], group.blocks[group.level :])
            for group in groups
            if group.name in alike
        ]
        top = assign(torch.stack(scores).sum(dim=0), groups[0].blocks[: groups[0].level])
    return {group.name: _best(group, alike.get(group.name), top) for group in groups}


def _told(
    group: Group,
    spec: PermutationSpec,
    similarity: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    guard: float,
) -> Iterator[Tensor]:
    """(size, size): what matching two units gains, by themselves and by the units of each group inside of them."""
    for one in spec.groups:
        if one.name not in similarity or group.name not in (one.name, *one.under):
            continue
        levels = (*one.under, one.name)
        around, inside = levels[: levels.index(group.name)], levels[levels.index(group.name) :]
        if all(name in found for name in around):
            alike_NN = mean_over_blocks(similarity[one.name], [found[name] for name in around])
            sizes = [spec.group(name).size for name in inside]
            priced_NN = alike_NN + guard * torch.eye(len(alike_NN), dtype=alike_NN.dtype)
            yield block_scores(priced_NN, list(accumulate(sizes[:-1] or sizes, mul)))


def _best(group: Group, alike_NN: Tensor | None, top: Tensor | None) -> Tensor:
    if alike_NN is not None:
        return assign(alike_NN, group.blocks[group.level :], top)
    if top is None:
        return torch.arange(group.size)
    inner = group.size // len(top)
    return (top[:, None] * inner + torch.arange(inner)).reshape(-1)


def mean_over_blocks(similarity_NN: Tensor, outers: Sequence[Tensor]) -> Tensor:
    """The mean over blocks that were matched by `outers`, one level of blocks after the other."""
    for outer in outers:
        num, inner = len(outer), len(similarity_NN) // len(outer)
        cells = similarity_NN.reshape(num, inner, num, inner)
        similarity_NN = cells[torch.arange(num), :, outer].mean(dim=0)
    return similarity_NN
