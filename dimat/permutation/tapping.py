"""Where the activations of a group can be seen while rows go through the model."""

from dataclasses import replace
from typing import Any

from torch import nn

from dimat.permutation.calls import Value
from dimat.permutation.collect import Collected, outer_of
from dimat.permutation.spec import Axis, Group, Place
from dimat.permutation.terms import is_fixed
from dimat.permutation.trace import Traced

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BY_CHANNEL = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm)
READS, MAKES, PASSES = 0, 1, 2


def tapped(model: nn.Module, traced: Traced, collected: Collected) -> tuple[Group, ...]:
    """The groups with taps: at the first layer that reads the units, else where they are made; only where what is seen depends
    on the model's inputs."""
    names = {term: group.name for term, group in zip(collected.terms, collected.groups, strict=True)}
    found = []
    for group, term in zip(collected.groups, collected.terms, strict=True):
        seen = [
            (rank, number, path, place, axis)
            for number, axis in enumerate(group.axes)
            if not _is_nested(group, axis)
            for rank, path, whole in _places(model, traced.called, axis)
            for place in _moving(traced, path, whole, group.size)
        ]
        if not seen:
            found.append(group)
            continue
        _, _, path, place, axis = min(seen, key=lambda one: one[:2])
        value = (traced.inputs if place.side == "input" else traced.outputs).get(path, ())
        nested = outer_of([traced.axes[axis.param][axis.axis]])
        is_mixed = any(term in outside for outside in nested.values())
        place = replace(place, others=_others(value, place), is_mixed=is_mixed)
        around = nested.get(term, set())
        outer = next((names[one] for one in around if one in names and one is not term), "")
        found.append(replace(group, tap=path, place=place, under="" if group.link else outer))
    return tuple(found)


def _moving(traced: Traced, path: str, place: Place, size: int) -> list[Place]:
    """The place, or what is left of it, where rows differ in what can be seen: at most one."""
    moving = [(name, rows) for name, rows in traced.moving if name.rpartition(".")[0] == path]
    if place.side != "projection":
        return [place] if moving else []
    # Of queries, keys and values some may be learned, the same for all rows.
    starts = [(tile, place.offset + tile * size * place.repeat) for tile in range(place.tiles)]
    return [
        replace(place, offset=start, tiles=place.tiles - tile)
        for tile, start in starts
        if any(name == f"{path}.in_proj_weight" and start in rows for name, rows in moving)
    ][:1]


def _is_nested(group: Group, axis: Axis) -> bool:
    """Whether the group has another part of this axis inside or around this one, as behind x_i x_j: none can be seen alone."""

    def reach(one: Axis) -> range:
        return range(one.offset, one.offset + one.tiles * group.size * one.repeat)

    mine = reach(axis)
    return any(
        one is not axis
        and (one.param, one.axis) == (axis.param, axis.axis)
        and max(mine.start, reach(one).start) < min(mine.stop, reach(one).stop)
        for one in group.axes
    )


def _others(value: Value, place: Place) -> tuple[int, ...]:
    """Axes of a tapped tensor, beside that of the units, on which there are units of another group."""
    if place.side not in ("input", "output"):
        return ()
    mine = place.axis % len(value) if value else 0
    free = (axis for axis, term in enumerate(value) if axis != mine and not is_fixed(term))
    return tuple(axis - len(value) for axis in free)


def _places(model: nn.Module, called: frozenset[str], axis: Axis) -> list[tuple[int, str, Place]]:
    """(rank, module, place): at most one."""
    path, _, tensor = axis.param.rpartition(".")
    if path not in called:
        return []
    module = model.get_submodule(path)
    at: dict[str, Any] = {"repeat": axis.repeat, "offset": axis.offset, "tiles": axis.tiles}
    if isinstance(module, nn.RNNBase):
        if not tensor.startswith("weight_hh_l") or axis.axis != 1:
            return []
        layer, _, reverse = tensor.removeprefix("weight_hh_l").partition("_")
        start = axis.offset + ((module.proj_size or module.hidden_size) if reverse else 0)
        return [(MAKES, path, Place("layer", -1, int(layer), axis.repeat, start, axis.tiles))]
    if isinstance(module, nn.RNNCellBase):
        at_output = Place("output", -1, 0, axis.repeat, axis.offset, axis.tiles)
        return [(MAKES, path, at_output)] if tensor == "weight_hh" and axis.axis == 1 else []
    if isinstance(module, nn.MultiheadAttention):
        return (
            [(MAKES, path, Place("projection", -1, **at))]
            if tensor == "in_proj_weight" and not axis.axis
            else []
        )
    if tensor != "weight":
        return []
    if isinstance(module, nn.Linear):
        side, rank, place = ("input", READS, -1) if axis.axis == 1 else ("output", MAKES, -1)
    elif isinstance(module, CONVOLUTIONS) and (axis.axis == 0 or module.groups == 1):
        side, rank, place = ("input", READS, 1) if axis.axis == 1 else ("output", MAKES, 1)
    elif isinstance(module, TRANSPOSED) and module.groups == 1:
        side, rank, place = ("input", READS, 1) if axis.axis == 0 else ("output", MAKES, 1)
    elif isinstance(module, nn.Embedding):
        side, rank, place = "output", MAKES, -1
    elif isinstance(module, nn.LayerNorm):
        side, rank, place = "output", PASSES, axis.axis - len(module.normalized_shape)
    elif isinstance(module, BY_CHANNEL):
        side, rank, place = "output", PASSES, 1
    else:
        return []
    return [(rank, path, Place("input" if side == "input" else "output", place, **at))]
