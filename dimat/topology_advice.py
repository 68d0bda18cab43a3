"""Which graph to choose: what each costs in bytes until the sites' models have mixed.

Eigenvalues come from closed forms where there are any, otherwise from Lanczos iteration on sparse weights, so that ten
thousand sites need no matrix of their square. Needs scipy; what the API imports (`dimat.topology`) does not.

Reference: the eigenvalues of circulant and product graphs are textbook; one-peer exponential: Ying et al. 2021, Lemma 1.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import LinearOperator, eigsh

from dimat import graphs
from dimat.errors import (
    NumberNoFraction,
    NumberNotFinite,
    NumberNotWhole,
    NumberTooLarge,
    NumberTooSmall,
    TopologyDegreeTooLow,
    TopologyError,
    TopologyTooSmall,
)
from dimat.topology import Link, Topology, from_links, metropolis, rounds_to_mix, second_eigenvalue
from dimat.topology_spec import LARGEST_SEED, MOST_LINKS, TopologySpec

DENSE_UP_TO = 200
"""Sites up to which all eigenvalues of W are found as fast as one by Lanczos."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What one graph with Metropolis weights means for N sites that merge every round.

    Attributes:
        spec: ready for a pilot.
        second_eigenvalue: |lambda_2|, 0..1, of W; of `one_peer` that of the product of its W over `period` merges.
        period: merges after which the graph begins anew; 1 if it is always the same.
        rounds: until differences between sites fall to a hundredth.
        bytes_a_round: fetched by all sites together in one round.
        busiest_site_bytes_a_round: fetched from and by the site for which this is most.
        bytes_until_mixed: `rounds` x `bytes_a_round`.
    """

    spec: TopologySpec
    second_eigenvalue: float
    period: int
    rounds: int
    bytes_a_round: int
    busiest_site_bytes_a_round: int
    bytes_until_mixed: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of a graph counts here. `reads`: models fetched in a round; `busiest`: links of the site with most of them."""

    eigenvalue: float
    reads: int
    busiest: int
    period: int = 1


def advise(
    n: int,
    model_bytes: int,
    *,
    most_site_bytes_a_round: int | None = None,
    most_rounds: int | None = None,
    degree: int = 4,
    probability: float = 0.1,
    seed: int = 0,
) -> list[Advice]:
    """Graphs for `n` sites, best first: fewest bytes until mixed, then fewest rounds, then fewest bytes at the busiest site.

    Those beyond a limit are left out; an empty list says that no graph keeps both. Random graphs for which `n` and `degree` do
    not fit (not enough sites; see `graphs`) are left out, too.

    Args:
        n: number of sites, >= 2. model_bytes: size of what a site sends a neighbour, >= 1.
        most_site_bytes_a_round: the most that any one site may send and receive in a round, >= 0. most_rounds: until mixed, >= 0.
        degree: links of a site in the random graphs, 2..999. probability: of a link of the small world to be turned, 0..1.
        seed: of the random graphs, 0..2^31 - 1.

    Raises:
        TopologyTooSmall: n < 2. TopologyDegreeTooLow: degree < 2. NumberError: another argument that is not as above.
    """
    _check(n, model_bytes, degree, probability, seed)
    for name, limit in (("most_site_bytes_a_round", most_site_bytes_a_round), ("most_rounds", most_rounds)):
        _check_limit(name, limit)
    found = [_advice(spec, shape, model_bytes) for spec, shape in _shapes(n, degree, probability, seed)]
    most_bytes = math.inf if most_site_bytes_a_round is None else most_site_bytes_a_round
    return sorted(
        (
            one
            for one in found
            if one.busiest_site_bytes_a_round <= most_bytes
            and one.rounds <= (math.inf if most_rounds is None else most_rounds)
        ),
        key=lambda one: (one.bytes_until_mixed, one.rounds, one.busiest_site_bytes_a_round, one.spec.kind),
    )


def _check(n: int, model_bytes: int, degree: int, probability: float, seed: int) -> None:
    counts: dict[str, object] = {"n": n, "model_bytes": model_bytes, "degree": degree, "seed": seed}
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise NumberNotWhole(name=name, value=_said(value))
    if model_bytes < 1:
        raise NumberTooSmall(name="model_bytes", value=model_bytes, least=1)
    if seed < 0:
        raise NumberTooSmall(name="seed", value=seed, least=0)
    for name, given, most in (("degree", degree, MOST_LINKS), ("seed", seed, LARGEST_SEED)):
        if given > most:
            raise NumberTooLarge(name=name, value=given, most=most)
    if not 0 <= probability <= 1:
        raise NumberNoFraction(name="probability", value=probability)
    if n < 2:
        raise TopologyTooSmall(n=n)
    if degree < 2:
        raise TopologyDegreeTooLow(degree=degree, n=n)


def _check_limit(name: str, limit: object) -> None:
    if limit is None:
        return
    if not isinstance(limit, Real) or math.isnan(limit):
        raise NumberNotFinite(name=name, value=_said(limit))
    if limit < 0:
        raise NumberTooSmall(name=name, value=str(limit), least=0)


def _said(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _shapes(n: int, degree: int, probability: float, seed: int) -> Iterator[tuple[TopologySpec, _Shape]]:
    closed: dict[str, Callable[[int], _Shape]] = {
        "ring": lambda n: _circulant(n, [1]),
        "full": lambda n: _Shape(0.0, n * (n - 1), n - 1),
        "exponential": lambda n: _circulant(n, [1 << k for k in range((n - 1).bit_length())]),
        "star": lambda n: _Shape(0.0 if n == 2 else 1 - 1 / n, 2 * (n - 1), n - 1),
        "line": _line,
        "bipartite": _bipartite,
        "torus": _torus,
        "one_peer": _one_peer,
    }
    for kind, shape_of in closed.items():
        yield TopologySpec.model_validate({"kind": kind}), shape_of(n)
    random: dict[str, Callable[[], list[Link]]] = {
        "random_regular": lambda: graphs.random_regular(n, degree, seed),
        "small_world": lambda: graphs.small_world(n, degree, probability, seed),
    }
    for kind, links in random.items():
        options = {"probability": probability} if kind == "small_world" else {}
        try:
            shape = _of_links(from_links(n, links()))
        except TopologyError:
            continue
        yield TopologySpec.model_validate({"kind": kind, "degree": degree, "seed": seed, **options}), shape


def _advice(spec: TopologySpec, shape: _Shape, model_bytes: int) -> Advice:
    rounds = rounds_to_mix(shape.eigenvalue, shape.period)
    assert rounds is not None, "connected graphs with Metropolis weights mix"
    return Advice(
        spec=spec,
        second_eigenvalue=shape.eigenvalue,
        period=shape.period,
        rounds=rounds,
        bytes_a_round=shape.reads * model_bytes,
        busiest_site_bytes_a_round=2 * shape.busiest * model_bytes,
        bytes_until_mixed=rounds * shape.reads * model_bytes,
    )


def _circulant(n: int, steps: Sequence[int]) -> _Shape:
    """Each site linked to those `steps` further on and back: the eigenvalues are the Fourier transform of a row of W."""
    row = np.zeros(n)
    row[[step % n for step in steps]] = row[[-step % n for step in steps]] = 1.0
    degree = int(row.sum())
    row[0] = 1.0
    eigenvalues = np.fft.rfft(row).real / (1 + degree)
    return _Shape(float(np.abs(eigenvalues[1:]).max()), n * degree, degree)


def _line(n: int) -> _Shape:
    # Metropolis weights are 1/3 on every link, of a pair 1/2.
    last = 0.0 if n == 2 else 1 - (2 - 2 * math.cos(math.pi / n)) / 3
    return _Shape(last, 2 * (n - 1), min(2, n - 1))


def _bipartite(n: int) -> _Shape:
    larger, smaller = (n + 1) // 2, n // 2
    weight = 1 / (1 + larger)
    # Differences within a half, of which each keeps what it does not give away, and the one between the halves.
    moduli = [abs(1 - weight * (larger + smaller))]
    moduli += [1 - weight * smaller] * (larger > 1) + [1 - weight * larger] * (smaller > 1)
    return _Shape(max(moduli), 2 * larger * smaller, larger)


def _torus(n: int) -> _Shape:
    rows, columns = graphs.torus_shape(n)
    down, right = _around(rows), _around(columns)
    degree = int(down[0] + right[0])
    moduli = np.abs(1 + np.add.outer(down, right)) / (1 + degree)
    moduli[0, 0] = 0.0
    return _Shape(float(moduli.max()), n * degree, degree)


def _around(n: int) -> NDArray[np.float64]:
    """Eigenvalues of the adjacency of a ring of n, the number of links of a site first: (n,) float64."""
    angle = 2 * np.pi * np.arange(n) / n
    return np.cos(angle) * min(2, n - 1)


def _one_peer(n: int) -> _Shape:
    period = graphs.one_peer_period(n)
    angle = np.pi * np.arange(1, n) / n
    # Each W is (1 + shift by 2^k) / 2, their product sin(2^period x) / (2^period sin x). A power of two averages exactly.
    power_of_two = n & (n - 1) == 0
    moduli = np.abs(np.sin(2**period * angle) / (2**period * np.sin(angle)))
    return _Shape(0.0 if power_of_two else float(moduli.max()), n, 1, period)


def _of_links(topology: Topology) -> _Shape:
    n, degrees = topology.n, np.array(topology.degrees())
    dense = n <= DENSE_UP_TO
    found = second_eigenvalue(metropolis(topology)) if dense else _by_lanczos(topology, degrees)
    return _Shape(found, int(degrees.sum()), int(degrees.max()))


def _by_lanczos(topology: Topology, degrees: NDArray[np.int_]) -> float:
    n = topology.n
    i, j = np.array(topology.links).T
    weight = 1.0 / (1 + np.maximum(degrees[i], degrees[j]))
    given = np.bincount(i, weight, n) + np.bincount(j, weight, n)
    own = np.arange(n)
    values = np.concatenate([weight, weight, 1 - given])
    places = (np.concatenate([i, j, own]), np.concatenate([j, i, own]))
    W_NN = coo_array((values, places), shape=(n, n)).tocsr()

    def without_mean(x_N: NDArray[np.float64]) -> NDArray[np.float64]:
        product: NDArray[np.float64] = W_NN @ x_N - x_N.mean()
        return product

    # A fixed start: the same answer every time.
    start = np.random.default_rng(0).normal(size=n)
    operator = LinearOperator((n, n), matvec=without_mean, dtype=np.float64)
    return float(abs(eigsh(operator, k=1, which="LM", v0=start, tol=1e-6, return_eigenvectors=False)[0]))
