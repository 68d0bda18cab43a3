"""What a graph means for a pilot: connected or not, how fast it mixes, who is busiest. Pure."""

from collections.abc import Sequence
from functools import lru_cache

from backend.text.schemas import Text
from backend.topologies.schemas import Facts, Link, Preview
from dimat.errors import DimatError, TopologyDisconnected, TopologySelfLink, UnknownSite
from dimat.topology import rounds_to_mix, second_eigenvalue
from dimat.topology_spec import TopologySpec


def preview(names: Sequence[str], spec: TopologySpec) -> Preview:
    """Links, facts and weights; what cannot be used is said in `facts.problem`, not raised."""
    problem: DimatError | None = None
    weights: list[list[float]] | None = None
    eigenvalue: float | None = None
    try:
        W_NN = spec.mixing_over_period(names)
        weights = W_NN.tolist()
        eigenvalue = second_eigenvalue(W_NN)
    except DimatError as error:
        problem = error
    links, period = _links(names, spec), spec.period(len(names))
    degree = dict.fromkeys(names, 0)
    for link in links:
        degree[link.a] += 1
        degree[link.b] += 1
    most = max(degree.values(), default=0)
    # Where all have as many links, none is busier than the others.
    busiest = max(degree, key=lambda name: degree[name]) if len(set(degree.values())) > 1 else None
    facts = Facts(
        connected=not isinstance(problem, TopologyDisconnected)
        and len(links) >= len(degree) - 1
        and bool(links),
        problem=None if problem is None else Text(code=problem.code, params=dict(problem.params)),
        num_links=len(links),
        second_eigenvalue=eigenvalue,
        rounds_to_mix=None if eigenvalue is None else rounds_to_mix(eigenvalue, period),
        period=period,
        busiest_site=busiest,
        busiest_site_links=most,
    )
    return Preview(facts=facts, links=links, mixing=weights)


@lru_cache(maxsize=512)
def known_preview(names: tuple[str, ...], spec: TopologySpec) -> Preview:
    """As `preview`, remembered: lists ask for the same saved graphs again and again."""
    return preview(names, spec)


def _links(names: Sequence[str], spec: TopologySpec) -> list[Link]:
    """The links that can be drawn, also of a graph that cannot be used."""
    try:
        return [Link(a=names[i], b=names[j]) for i, j in spec.whole(names).links]
    except TopologyDisconnected:
        known = [(link.a, link.b) for link in spec.links]
    except (UnknownSite, TopologySelfLink):
        known = [
            (link.a, link.b)
            for link in spec.links
            if link.a in names and link.b in names and link.a != link.b
        ]
    except DimatError:
        return []
    ordered = {tuple(sorted(pair, key=names.index)) for pair in known}
    return [
        Link(a=a, b=b)
        for a, b in sorted(ordered, key=lambda pair: (names.index(pair[0]), names.index(pair[1])))
    ]
