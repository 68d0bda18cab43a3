"""The methods by which models are merged, and in what they differ for whoever plans a run."""

from collections.abc import Mapping
from typing import Literal

Method = Literal[
    "local_only",
    "plain_average",
    "federated_average",
    "dimat",
    "dimat_guarded",
    "weight_matching",
    "common_basis",
    "slowmo",
    "fisher",
    "regmean",
    "ridge_head",
]
CONTROL_METHOD: Method = "local_only"
ALIGNED_METHODS: frozenset[Method] = frozenset({"common_basis", "slowmo", "fisher", "regmean", "ridge_head"})
"""Sites align once, before round 0, or where an amendment brings in such a method: before its first merge."""
MATCHED_METHODS: frozenset[Method] = frozenset({"dimat", "dimat_guarded", "weight_matching"})
"""Each site matches its neighbours' units to its own at every merge."""
WARM_METHODS: frozenset[Method] = frozenset({"dimat_guarded", "weight_matching"})
"""To which it makes a difference where matching starts; the best pairing without a guard is the same from anywhere."""
SUMMED_METHODS: frozenset[Method] = ALIGNED_METHODS | {"plain_average", "federated_average"}
"""Their merge is a sum over sites, so that it can go over all of them."""
Over = Literal["neighbours", "tree", "star"]
"""Whose models a merge takes in: the neighbours', by W; all sites', up and down the spanning tree of the topology, or to and from
one site that is linked to all."""
Moments = Literal["gram", "fisher", "head"]
MOMENTS_OF: Mapping[Method, Moments] = {"regmean": "gram", "fisher": "fisher", "ridge_head": "head"}
"""What leaves a site beside its model for methods that merge by it: second moments of hidden features, or of gradients, or those of
the last features together with their sums for each class."""
