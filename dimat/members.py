"""Who of a pilot's sites takes part, and the graph among them. Pure.

All sites that a pilot may ever have are in its spec: their places there say which rows they draw, and seeds derive from them. So who
joins and who leaves changes nothing for the others but whom they are linked to.
"""

from collections.abc import Collection, Sequence

from dimat.errors import HubTakesNoPart, TooFewMembers, UnknownMember
from dimat.topology_spec import TopologySpec

LEAST_MEMBERS = 2


def in_order(names: Sequence[str], members: Collection[str]) -> tuple[str, ...]:
    """The `members` in the order of the pilot's sites, `names`.

    Raises:
        UnknownMember: a name not in `names`. TooFewMembers: nobody to merge with.
    """
    known = set(names)
    for name in members:
        if name not in known:
            raise UnknownMember(name=name, known=", ".join(names))
    chosen = set(members)
    if len(chosen) < LEAST_MEMBERS:
        raise TooFewMembers(n=len(chosen))
    return tuple(name for name in names if name in chosen)


def among(topology: TopologySpec, names: Sequence[str], members: Sequence[str]) -> TopologySpec:
    """`topology` for the `members` alone, in their order: a ring stays a ring, of links of its own those between members are left.
    Given weights keep to the members, too; what others would have given goes to the own model.

    Raises:
        HubTakesNoPart: the star's hub is none of them.
    """
    if len(members) == len(names):
        return topology
    if topology.kind == "star" and topology.hub is not None and topology.hub not in members:
        raise HubTakesNoPart(name=topology.hub, members=", ".join(members))
    here = set(members)
    changes: dict[str, object] = {}
    if topology.links:
        # A link to a name that is no site stays, for whoever builds the graph to refuse.
        away = set(names) - here
        changes["links"] = tuple(link for link in topology.links if not {link.a, link.b} & away)
    if topology.weights is not None and len(topology.weights) == len(names):
        changes["weights"] = _kept(topology.weights, [names.index(name) for name in members])
    return topology.model_copy(update=changes)


def _kept(rows: Sequence[Sequence[float]], sites: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """Rows and columns of the `sites`; the own weight makes up for the columns that are left out."""
    away = sorted(set(range(len(rows))) - set(sites))
    return tuple(
        tuple(rows[i][j] + (sum(rows[i][k] for k in away) if j == i else 0.0) for j in sites) for i in sites
    )
