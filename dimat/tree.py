"""A tree over all sites: along which they align, or are added up."""

from collections.abc import Sequence
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

    def as_star(self) -> "Tree":
        """The same root, and all others its children."""
        root = self.parents.index(None)
        return Tree.of([None if site == root else root for site in range(len(self.parents))])
