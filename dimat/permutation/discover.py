"""Finds the permutation groups of a model.

A wrong group silently changes what a model computes. So whatever is not known stays as it is, and no architecture is
used before random permutations have left its outputs alone.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dimat.checked import check_kind
from dimat.errors import InputsNotTaken, ModelNotSized, NoRows, first_line
from dimat.permutation.chain import groups_of_chain, is_chain
from dimat.permutation.collect import coverage
from dimat.permutation.exporting import copied, tensors_in
from dimat.permutation.selftest import verified
from dimat.permutation.spec import Frozen, PermutationSpec

SEED = 20_240_404


def discover(model: nn.Module, example_inputs: Tensor | tuple[Any, ...]) -> PermutationSpec:
    """The groups of an architecture. Input features and outputs are not reordered.

    They hold for inputs of the example's sizes: a model that looks at a size to choose its way may take another with others.
    They hold in evaluation mode and in training mode, where dropout and the like see no order of units. What only the training
    pass uses stays, with the groups that feed it.

    Of several threads that call this one traces or tests a model at a time. What belongs to the process is not as usual meanwhile, and
    other threads see that: while the model runs, torch's default dtype is the one under test (mostly float64), also of what torch makes of
    whole numbers (`torch.zeros(1)`, `torch.arange(3) / 2`), and torch's generator (on the CPU) and that of `random` begin at the same seed
    for every run, after which they stand where they stood before it: draws of others from them repeat, and may cost this model groups
    where it draws itself. Draw from a `torch.Generator` of your own and name dtypes, or call this while nothing else computes.

    Args:
        model: any module; what its params are does not matter. It is left as it was.
        example_inputs: of the forward pass, two rows or more, one tensor or a tuple of all arguments; or the shape of one row of a single float32 input.

    Returns: groups in the order of the forward pass. What cannot be traced has none, and coverage 0.
    Raises:
        InputsNotTaken: the forward pass fails on these inputs. NoRows: they have none. ModelNotSized: a lazy layer that has seen no rows yet.
        TypeError: one of both is nothing of this kind.
    """
    check_kind("'model'", model, nn.Module, "a module")
    inputs = _inputs(example_inputs)
    _check_sizes_are_known(model)
    rng = torch.Generator().manual_seed(SEED)
    shapes = {name: tuple(param.shape) for name, param in model.named_parameters()}
    if is_chain(model, inputs):
        try:
            groups, frozen = groups_of_chain(cast(nn.Sequential, model), inputs)
        except RuntimeError as error:
            raise InputsNotTaken(problem=first_line(error)) from error
        spec = verified(model, inputs, lambda _alike: PermutationSpec(groups, frozen), rng)
    else:
        spec = _traced(model, inputs, rng)
    if not spec.groups:
        _run(model, inputs)
    return replace(spec, coverage=coverage(shapes, spec.groups))


def _check_sizes_are_known(model: nn.Module) -> None:
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            raise ModelNotSized(tensor=name)


def _run(model: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Tells a model without groups from one that these inputs are not for."""
    own = copied(model)
    if any(param.is_meta for param in own.parameters()):
        own = own.to_empty(device="cpu")
    if (
        "torch._dynamo" in sys.modules
    ):  # what it could not compile under the self-test (`torch.cond`), it would refuse ever after
        torch._dynamo.reset()
    try:
        with torch.no_grad():
            own.eval()(*inputs)
    except Exception as error:  # of whatever kind: it is the model's own code
        raise InputsNotTaken(problem=first_line(error)) from error


def _traced(model: nn.Module, inputs: tuple[Any, ...], rng: torch.Generator) -> PermutationSpec:
    from dimat.permutation.collect import collect
    from dimat.permutation.exporting import NotTraceable
    from dimat.permutation.tapping import tapped
    from dimat.permutation.trace import trace

    try:
        traced = trace(model, inputs)
    except NotTraceable as error:
        axes = ((name, axis) for name, param in model.named_parameters() for axis in range(param.ndim))
        return PermutationSpec((), tuple(Frozen(*one, f"the model has no graph: {error}") for one in axes))

    holding = {name for name, module in model.named_modules() if list(module.parameters(recurse=False))}
    uncalled = frozenset(holding - traced.called)

    first = collect(traced)

    def build(alike: frozenset[str]) -> PermutationSpec:
        collected = collect(traced, [first.own[name] for name in alike]) if alike else first
        return PermutationSpec(tapped(model, traced, collected), collected.frozen, uncalled=uncalled)

    return verified(model, inputs, build, rng)


def _inputs(given: Any) -> tuple[Any, ...]:
    if isinstance(given, Tensor):
        given = (given,)
    wanted = "a tensor, a tuple of all arguments, or the shape of one row"
    check_kind("'example_inputs'", given, (Sequence, Mapping), wanted)
    if given and all(isinstance(one, int) for one in given):
        return (torch.zeros(2, *given),)
    tensors = [one for one in tensors_in(given) if one.ndim]
    if tensors and not any(map(len, tensors)):
        raise NoRows(name="example_inputs")
    return tuple(given)
