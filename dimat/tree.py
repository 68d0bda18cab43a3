"""A tree over all sites: along which they align, or are added up."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tree:
    """By site index: `parents` (None for a root), and `children`, ascending."""

    parents: tuple[int | None, ...]
    children: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, parents: Sequence[int | None]) -> "Tree":
        """From each site's parent. The caller vouches for there being no circle."""
        children: list[list[int]] = [[] for _ in parents]
        for site, parent in enumerate(parents):
            if parent is not None:
                children[parent].append(site)
        return cls(tuple(parents), tuple(tuple(sites) for sites in children))

    def placed(self, sites: Sequence[int], n: int) -> "Tree":
        """The same tree over the `sites` of `n`: its site k is `sites[k]`. The others stand alone."""
        parents: list[int | None] = [None] * n
        for site, parent in zip(sites, self.parents, strict=True):
            parents[site] = None if parent is None else sites[parent]
        return Tree.of(parents)

    def without(self, silent: Collection[int]) -> "Tree":
        """The tree without the `silent` sites, which stand alone: their children go to their parent. Where that was the root, its
        first child takes its place. What is above a silent site does not change."""
        parents = list(self.parents)
        for site in sorted(set(silent)):
            children = [child for child, parent in enumerate(parents) if parent == site]
            heir = parents[site]
            if heir is None and children:
                heir = children[0]
            for child in children:
                parents[child] = heir if child != heir else None
            parents[site] = None
        return Tree.of(parents)

    def as_star(self) -> "Tree":
        """The same root, and all others its children."""
        root = self.parents.index(None)
        return Tree.of([None if site == root else root for site in range(len(self.parents))])
