"""Checks that the groups found for a model are right: random permutations must not change its outputs.

Neither in evaluation mode nor in training mode: parts that only the training pass uses are in no graph (`exporting`), so that groups
that feed them fail here and are frozen.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._pytree import tree_map

from dimat.params import as_real, can_be_averaged
from dimat.permutation.apply import Permutations, permute
from dimat.permutation.exporting import ONE_AT_A_TIME, copied, tensors_in
from dimat.permutation.spec import Frozen, Group, PermutationSpec
from dimat.permutation.steady import as_trained, steady

TOLERANCE = 1e-6
TOLERANCE_SINGLE = 1e-4
ROUNDINGS = 10
"""Of the largest output: what a small one may change by and be right."""
TRAINING = " in training mode"
ROUNDS = 2
"""Permutations tried on all groups at once; two, as a small group may draw one that hides a mistake."""


def output_change(
    model: nn.Module, spec: PermutationSpec, x: Tensor | tuple[Tensor, ...], rng: torch.Generator
) -> dict[str, float]:
    """For each group the largest change of an output under a random permutation, relative to its size.

    Groups of one link are permuted together.

    Args:
        x: (rows, ...) inputs; outputs are computed in float64 in evaluation mode.

    Returns: at most about 1e-12 for a right group; above `TOLERANCE` the group is wrong.
    """
    tester = _Tester(model, x if isinstance(x, tuple) else (x,))
    change: dict[str, float] = {}
    for bundle in _bundles(spec):
        found = tester.change(spec, {name: p for name, p in _drawn(spec, rng).items() if name in bundle})
        change |= dict.fromkeys(bundle, found)
    return {group.name: change[group.name] for group in spec.groups}


def verified(
    model: nn.Module,
    inputs: tuple[Any, ...],
    build: Callable[[frozenset[str]], PermutationSpec],
    rng: torch.Generator,
) -> PermutationSpec:
    """A spec that was tested on random params and on those of the model, and in training mode. Units that fail with an order of
    their own in each block (head, group of a convolution) have one order in all of them; groups that fail so, too, are frozen.

    Args:
        build: makes the spec; of the groups of these names, of those that it makes first, the units are reordered in all blocks alike.
    """
    alike = _own(first := build(frozenset()))
    any_params = randomised(model, rng)
    try:
        tester, own = _Tester(any_params, inputs), _Tester(model, inputs)
    except RuntimeError as error:
        return _without(build(alike), _could_not_run(error))
    try:
        training = _Tester(_with_any_buffers(any_params, tester.unread, rng), inputs, is_training=True)
    except Exception as error:  # whatever a model says that trains on other inputs than these
        return _without(build(alike), _could_not_run(error, TRAINING))
    if not (tester.is_finite and training.is_finite):
        return _without(build(alike), lambda _group: "outputs are zero or not finite in the self-test")
    testers = [tester, training, own] if own.is_finite else [tester, training]
    spec = first
    if alike and not _holds(testers, first, rng):
        spec = build(alike & _wrong(testers, first, rng).keys())
        if not _holds(testers, spec, rng):
            spec = build(alike)
    if _holds(testers, spec, rng):
        return spec
    wrong = _wrong(testers, spec, rng)
    spec = _without(spec, lambda group: f"the self-test found it wrong: {wrong[group.name]}", set(wrong))
    if _holds(testers, spec, rng):
        return spec
    return _without(spec, lambda _group: "the self-test found the groups wrong together")


def _own(spec: PermutationSpec) -> frozenset[str]:
    """Names of groups whose units have an order of their own in each block."""
    blocked = [group for group in spec.groups if group.link or group.blocks_stay]
    return frozenset(group.name for group in blocked if group.num_blocks < group.size)


def _wrong(testers: list["_Tester"], spec: PermutationSpec, rng: torch.Generator) -> dict[str, str]:
    """By the name of each group that changes outputs, moved with those of its link: how."""
    found: dict[str, str] = {}
    for bundle in _bundles(spec):
        drawn = _drawn(spec, rng)
        chosen = {name: drawn[name] for name in bundle}
        for tester in testers:
            change = tester.change(spec, chosen)
            if not change < tester.tolerance:
                found |= dict.fromkeys(bundle, f"outputs{tester.mode} change by {change:.1g}")
    return found


def randomised(model: nn.Module, rng: torch.Generator) -> nn.Module:
    """A copy in float64 with random params and norm statistics: start values (zeros, ones) would hide a wrong axis."""
    double = _on_cpu(model, torch.float64)
    with torch.no_grad():
        for param in double.parameters():
            if not can_be_averaged(param.dtype):
                continue
            if param.ndim > 1 or param.is_complex():
                param.normal_(generator=rng).mul_((param[:1].numel() or 1) ** -0.5)
            else:
                param.uniform_(0.5, 1.5, generator=rng)
        for module in double.modules():
            if isinstance(module, _NormBase) and module.running_mean is not None:
                assert module.running_var is not None
                module.running_mean.normal_(generator=rng)
                module.running_var.uniform_(0.5, 2, generator=rng)
    return double


def _with_any_buffers(model: nn.Module, names: frozenset[str], rng: torch.Generator) -> nn.Module:
    """A copy with random numbers in these buffers: start values (a mask of ones) would hide that units depend on them."""
    other = copied(model)
    for name, buffer in other.named_buffers():
        if name not in names or not buffer.numel():
            continue
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5, generator=rng)
        elif not buffer.is_complex():  # a mask, or places in some table: no further than they reach
            low, high = min(0, int(buffer.min())), max(1, int(buffer.max()))
            order = torch.randperm(buffer.numel(), generator=rng)
            buffer.copy_((low + order % (high - low + 1)).reshape(buffer.shape))
    return other


class _Tester:
    """A model in float64 (where it insists on float32: in that) with random inputs, and what it makes of them.

    Attributes:
        unread: names of buffers that the forward pass does not use. mode: to be said of its outputs.
    """

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...], is_training: bool = False) -> None:
        self.mode = TRAINING if is_training else ""
        self.tolerance, self.dtype = TOLERANCE, torch.float64
        try:
            self._start(model, inputs)
        except RuntimeError:
            self.tolerance, self.dtype = TOLERANCE_SINGLE, torch.float32
            self._start(model, inputs)
        self.is_finite = all(bool(one.isfinite().all()) for one in self.before) and any(
            map(_size, self.before)
        )

    def _start(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.model = _on_cpu(model, self.dtype)
        if self.mode:
            self.model = as_trained(self.model)
        state = self.model.state_dict().items()
        self.state = {name: one.detach().clone() for name, one in state if isinstance(one, Tensor)}
        rng = torch.Generator().manual_seed(0)
        self.inputs = tuple(_filled(value, rng, self.dtype) for value in inputs)
        self.before = self._outputs(self.state)

    def change(self, spec: PermutationSpec, permutations: Permutations) -> float:
        """The largest of all outputs, each by its own size; rounding of the largest one may be all that there is of a small one."""
        after = self._outputs(dict(permute(self.state, spec, permutations)))
        if [one.shape for one in after] != [one.shape for one in self.before]:
            return math.inf
        largest = max(map(_size, self.before), default=0.0)
        if not largest:
            return math.nan
        least = ROUNDINGS * torch.finfo(self.dtype).eps / self.tolerance * largest
        changes = [
            _size(now - one) / max(_size(one), least) for now, one in zip(after, self.before, strict=True)
        ]
        return next((change for change in changes if math.isnan(change)), max(changes))

    def _outputs(self, state: dict[str, Tensor]) -> list[Tensor]:
        model = copied(self.model) if self.mode else self.model  # training leaves traces, as in counters
        model.load_state_dict(state, strict=False)  # in place: recurrent layers hold on to their tensors
        with ONE_AT_A_TIME, _by_default(self.dtype), torch.no_grad(), steady(model) as reads:
            found = model(*self.inputs)
        self.unread = reads.unread
        return [as_real(one).double() for one in tensors_in(found)]


def _size(output: Tensor) -> float:
    return float(output.abs().max()) if output.numel() else 0.0


@contextmanager
def _by_default(dtype: torch.dtype) -> Iterator[None]:
    """For tensors that a forward pass makes. It holds for the whole process: two at a time would not put the right one back."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _on_cpu(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    own = copied(model)
    if any(tensor.is_meta for tensor in own.parameters()):
        own = own.to_empty(device="cpu")
    own.cpu()
    for tensor in (*own.parameters(), *own.buffers()):
        if tensor.is_complex():
            tensor.data = tensor.data.to(dtype.to_complex())
        elif tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    return own.eval()


def _filled(value: Any, rng: torch.Generator, dtype: torch.dtype) -> Any:
    """Random numbers in place of an example that may be all zeros; whole numbers (tokens, masks) stay."""

    def fill(one: Any) -> Any:
        if isinstance(one, Tensor) and one.is_floating_point():
            return torch.randn(one.shape, generator=rng, dtype=torch.float64).to(dtype)
        return one.cpu() if isinstance(one, Tensor) else one

    return tree_map(fill, value)  # also inside of lists and dicts


def _holds(testers: list[_Tester], spec: PermutationSpec, rng: torch.Generator) -> bool:
    return all(
        tester.change(spec, _drawn(spec, rng)) < tester.tolerance for tester in testers for _ in range(ROUNDS)
    )


def _drawn(spec: PermutationSpec, rng: torch.Generator) -> Permutations:
    """Random permutations of which none leaves everything in place, if luck allows."""
    drawn = spec.random(rng)
    for _ in range(8):
        idle = [
            n for n, p in drawn.items() if torch.equal(p, torch.arange(len(p))) and not spec.group(n).link
        ]
        if not idle:
            break
        again = spec.random(rng)
        drawn |= {name: again[name] for name in idle}
    return drawn


def _bundles(spec: PermutationSpec) -> list[list[str]]:
    bundles: dict[str, list[str]] = {}
    for group in spec.groups:
        bundles.setdefault(group.link or f"group {group.name}", []).append(group.name)
    return list(bundles.values())


def _could_not_run(error: Exception, mode: str = "") -> Callable[[Group], str]:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return lambda _group: f"the self-test could not run{mode}: {said}"


def _without(
    spec: PermutationSpec, reason: Callable[[Group], str], names: set[str] | None = None
) -> PermutationSpec:
    """The spec without these groups (None: without any). Units that recur in each block of one that stays recur as before: they
    stand alone, and every block tells of them."""
    gone = [group for group in spec.groups if names is None or group.name in names]
    frozen = dict.fromkeys(
        Frozen(axis.param, axis.axis, reason(group)) for group in gone for axis in group.axes
    )
    dropped = {group.name for group in gone}
    kept = tuple(_without_outer(group, spec, dropped) for group in spec.groups if group.name not in dropped)
    return replace(spec, groups=kept, frozen=(*spec.frozen, *frozen))


def _without_outer(group: Group, spec: PermutationSpec, dropped: set[str]) -> Group:
    """Blocks that stay are parts like others."""
    if dropped.isdisjoint(group.under):
        return group
    stays = [i for i, name in enumerate(group.under) if name in dropped]
    moves = [i for i, name in enumerate(group.under) if name not in dropped]
    grid = torch.tensor(group.place.starts).reshape(-1, *(spec.group(name).size for name in group.under))
    starts = grid.permute(0, *(1 + i for i in (*stays, *moves))).flatten().tolist()
    under = tuple(group.under[i] for i in moves)
    return replace(group, under=under, place=replace(group.place, starts=tuple(starts)))
