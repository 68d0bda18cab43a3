"""What the methods of a pilot are compared with in studies, and no company would run: pooled data, and exchange at every batch.

All of it needs every site's rows in one process; the API knows none of it. Start models, epochs, learning rates, batches and
clipping are those of the pilot, so that only the way of working together differs. But for the start models the loss is plain
(cross-entropy, or squared error for numbers), and all epochs are trained: `loss`, `class_weights`, `patience` and `own_model` have no say here.
Where all sites exchange at every batch (`cdsgd`, `sgp`) an epoch has as many batches as the site with the fewest rows fills; other rows are
left out of it, by its random order: of 500 in batches of 32 it takes 480.

Legend: N = sites, P = all trained parameters of a model in a row.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from dimat import steps
from dimat.errors import NonFiniteParams
from dimat.models.registry import empty_model, initial_params, load
from dimat.results import RoundResult
from dimat.rows import SiteRows, check_sides
from dimat.spec import PilotSpec
from dimat.steps import StepContext
from dimat.topology import Topology
from dimat.training import local
from dimat.training.evaluate import Metrics, measure
from dimat.training.loss import Objective
from dimat.training.seeding import torch_rng

BYTES_A_NUMBER = 4
Mixed = Callable[[Tensor, Tensor, int], Tensor]
"""From all sites' parameters (N, P), the step each would take alone (N, P) and the number of batches before this one to all
sites' next parameters. A graph that changes with every merge changes with every batch."""


def centralised(spec: PilotSpec, rows: Sequence[SiteRows], seed: int) -> tuple[RoundResult, ...]:
    """One model on the pooled rows of all sites: the upper bound. Bytes are not counted: rows would travel, not models.

    Args:
        rows: of every site, in the order of the spec.

    Raises:
        TooFewRows: see `check_sides`.
    """
    for name, one in zip(spec.site_names, rows, strict=True):
        check_sides(one, name)
    x, y = torch.cat([one.train_x for one in rows]), torch.cat([one.train_y for one in rows])
    model = empty_model(spec.model, rows[0].shape, rows[0].num_outputs)
    initial_params(model, torch_rng(seed, "init", "common"))
    train, plain, found = spec.train, rows[0].targets.plain, []
    warm = _pass(
        spec, plain, train.warmup_epochs, lambda e: local.cosine(train.warmup_lr, e / train.warmup_epochs)
    )
    local.train(model, x, y, warm, torch_rng(seed, "centralised", 0))
    found.append(RoundResult(0, None, _measured(spec, [model] * len(rows), rows), 0))
    for round in range(1, spec.rounds + 1):
        how = _pass(spec, plain, train.epochs, _rate(spec, round))
        local.train(model, x, y, how, torch_rng(seed, "centralised", round))
        found.append(RoundResult(round, None, _measured(spec, [model] * len(rows), rows), 0))
    return tuple(found)


def cdsgd(spec: PilotSpec, rows: Sequence[SiteRows], seed: int) -> tuple[RoundResult, ...]:
    """theta_i <- sum_j W_ij theta_j - lr g_i(theta_i) at every batch, without momentum.

    Reference: Jiang et al. 2017, "Collaborative Deep Learning in Fixed Topology Networks" (CDSGD).
    """
    turns = range(spec.topology.period(len(rows)))
    mixing = [
        torch.tensor(spec.topology.mixing_matrix(spec.site_names, turn), dtype=torch.float32)
        for turn in turns
    ]

    def mixed(theta_NP: Tensor, step_NP: Tensor, batch: int) -> Tensor:
        return mixing[batch % len(turns)] @ theta_NP - step_NP

    return _every_batch(spec, rows, seed, mixed)


def sgp(spec: PilotSpec, rows: Sequence[SiteRows], seed: int) -> tuple[RoundResult, ...]:
    """Stochastic gradient push: x_i <- sum_j p_ij (x_j - lr g_j(z_j)), w_i <- sum_j p_ij w_j, z_i = x_i / w_i, with
    p column-stochastic: each site gives itself and each of its readers an equal part.

    Reference: Assran et al. 2019, "Stochastic Gradient Push for Distributed Deep Learning".
    """
    turns = range(spec.topology.period(len(rows)))
    pushing = [_pushing(spec.topology.build(spec.site_names, turn)) for turn in turns]
    mass_N = torch.ones(len(rows))

    def mixed(z_NP: Tensor, step_NP: Tensor, batch: int) -> Tensor:
        nonlocal mass_N
        pushing_NN = pushing[batch % len(turns)]
        x_NP = pushing_NN @ (z_NP * mass_N[:, None] - step_NP)
        mass_N = pushing_NN @ mass_N
        return x_NP / mass_N[:, None]

    return _every_batch(spec, rows, seed, mixed)


def _every_batch(
    spec: PilotSpec, rows: Sequence[SiteRows], seed: int, mixed: Mixed
) -> tuple[RoundResult, ...]:
    models = [_start(spec, one, site, seed) for site, one in enumerate(rows)]
    topology = spec.topology.build(spec.site_names)
    links = sum(len(topology.neighbours(site)) for site in range(topology.n))
    bytes_a_batch = links * BYTES_A_NUMBER * parameters_to_vector(models[0].parameters()).numel()
    found = [RoundResult(0, None, _measured(spec, models, rows), 0)]
    num_batches = min(len(one.train_x) // spec.train.batch_size for one in rows) or 1
    num_before = 0
    for round in range(1, spec.rounds + 1):
        rngs = [torch_rng(seed, "train", site, round) for site in range(len(rows))]
        for epoch in range(spec.train.epochs):
            rate = _rate(spec, round)(epoch)
            orders = [
                torch.randperm(len(one.train_x), generator=rng) for one, rng in zip(rows, rngs, strict=True)
            ]
            for batch in range(num_batches):
                at = slice(batch * spec.train.batch_size, (batch + 1) * spec.train.batch_size)
                steps_NP = torch.stack(
                    [
                        rate
                        * _gradient(
                            spec, one.targets.plain, model, one.train_x[order[at]], one.train_y[order[at]]
                        )
                        for model, one, order in zip(models, rows, orders, strict=True)
                    ]
                )
                theta_NP = torch.stack(
                    [parameters_to_vector(model.parameters()).detach() for model in models]
                )
                for model, theta_P in zip(models, mixed(theta_NP, steps_NP, num_before), strict=True):
                    vector_to_parameters(theta_P, model.parameters())
                num_before += 1
        sent = num_before * bytes_a_batch
        found.append(RoundResult(round, None, _measured(spec, models, rows), sent))
    return tuple(found)


def _start(spec: PilotSpec, rows: SiteRows, site: int, seed: int) -> nn.Module:
    """The site's model after its warm-up alone, as in every arm."""
    context = StepContext(
        seed, 0, spec.rounds, site, spec.site_names[site], len(spec.sites), spec.model, spec.evaluation
    )
    made = steps.prepare(context, rows, spec.train).params
    assert made is not None, "prepare always makes params"
    return load(empty_model(spec.model, rows.shape, rows.num_outputs), made)


def _gradient(spec: PilotSpec, objective: Objective, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(P,) of one batch in training mode, clipped, weight decay included."""
    model.train()
    model.zero_grad()
    objective.mean(model(x), y).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), spec.train.grad_clip)
    return torch.cat(
        [
            (torch.zeros_like(value) if value.grad is None else value.grad).flatten()
            + spec.train.weight_decay * value.detach().flatten()
            for value in model.parameters()
        ]
    )


def _pushing(topology: Topology) -> Tensor:
    """(N, N): column j is what site j gives away."""
    n = topology.n
    given_NN = torch.zeros(n, n)
    for j in range(n):
        receivers = [j, *topology.readers(j)]
        given_NN[receivers, j] = 1.0 / len(receivers)
    return given_NN


def _measured(spec: PilotSpec, models: Sequence[nn.Module], rows: Sequence[SiteRows]) -> tuple[Metrics, ...]:
    """Raises: NonFiniteParams: one of them diverged; its accuracy would mean nothing."""
    for model, site in zip(models, spec.site_names, strict=True):
        for tensor, values in model.named_parameters():
            if not values.isfinite().all():
                raise NonFiniteParams(site=site, tensor=tensor)
    has_all_site = spec.evaluation.all_site == "shared_set"
    return tuple(measure(model, one, has_all_site) for model, one in zip(models, rows, strict=True))


def _rate(spec: PilotSpec, round: int) -> Callable[[int], float]:
    epochs = spec.train.epochs
    return lambda epoch: local.cosine(spec.train.lr, (round - 1 + epoch / epochs) / spec.rounds)


def _pass(spec: PilotSpec, objective: Objective, epochs: int, lr_of: Callable[[int], float]) -> local.Pass:
    train = spec.train
    return local.Pass(
        epochs, lr_of, train.batch_size, train.momentum, train.weight_decay, train.grad_clip, objective
    )
