"""Where the activations of a group can be seen while rows go through the model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from dimat.permutation.calls import Value
from dimat.permutation.collect import Collected, Part
from dimat.permutation.spec import Group, Place
from dimat.permutation.terms import Term, is_fixed
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
        on = dict.fromkeys((axis.param, axis.axis) for axis in group.axes)
        seen = [
            (rank, number, path, place, under)
            for number, (param, axis) in enumerate(on)
            for under, parts in _alike(term, collected.parts[param, axis], names)
            for rank, path, whole in _places(model, traced.called, param, axis, parts)
            for place in _moving(model, traced, path, whole)
        ]
        if not seen:
            found.append(group)
            continue
        _, number, path, place, under = min(seen, key=lambda one: one[:2])
        value = (traced.inputs if place.side == "input" else traced.outputs).get(path, ())
        inside = any(term in _outer(part, names) for part in collected.parts[list(on)[number]])
        place = replace(place, others=_others(value, place), is_mixed=inside and place.repeat > 1)
        found.append(replace(group, tap=path, place=place, under=tuple(names[outer] for outer in under)))
    return without_circles(found)


def without_circles(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Takes the tap from groups that nothing could be found before: units are matched after the blocks in which they recur, groups of
    one link together."""
    kept = {group.name: group for group in groups}
    left = dict.fromkeys(kept)
    while left:
        waiting = [name for name in left if not left.keys().isdisjoint(kept[name].under)]
        links = {kept[name].link for name in waiting} - {""}
        ready = [name for name in left if name not in waiting and kept[name].link not in links]
        if not ready:
            first = next(
                name for name in waiting if _waits_for_itself(kept[name], [kept[one] for one in left])
            )
            kept[first] = replace(kept[first], tap="", place=Place(), under=())
        left = dict.fromkeys(name for name in left if name not in ready)
    return tuple(kept.values())


def _waits_for_itself(group: Group, others: Sequence[Group]) -> bool:
    reached, ahead = set[str](), list(group.under)
    while ahead:
        name = ahead.pop()
        one = next((other for other in others if other.name == name), None)
        if one is None or name in reached:
            continue
        if one.name == group.name or (one.link and one.link == group.link):
            return True
        reached.add(name)
        together = (other for other in others if other is one or (one.link and other.link == one.link))
        ahead += (outer for other in together for outer in other.under)
    return False


def _outer(part: Part, names: Mapping[Term, str]) -> tuple[Term, ...]:
    """Those blocks around a part that may be reordered."""
    return tuple(outer for outer, _ in part.around if outer in names)


def _alike(
    term: Term, parts: Sequence[Part], names: Mapping[Term, str]
) -> list[tuple[tuple[Term, ...], list[Part]]]:
    """Parts of an axis that hold the units of a group and recur in the same blocks, as few levels of them as can be, in the order of
    `Place.starts`; at most one list of them. Parts that lie in each other, as behind x_i x_j, cannot be seen."""
    if any(part.is_of_block for part in parts):  # what lies on them depends on the rows
        return []
    mine = [part for part in parts if part.key is term]
    inner = [part.offset for part in mine if term in _outer(part, names)]
    alone = [
        part
        for part in mine
        if term not in _outer(part, names)
        and not any(part.offset <= offset < part.offset + part.size * part.repeat for offset in inner)
    ]
    if not alone:
        return []
    first = min(alone, key=lambda part: len(_outer(part, names)))
    under = _outer(first, names)
    times: Counter[tuple[int, ...]] = Counter()
    numbered = []
    for part in alone:
        if _outer(part, names) == under and part.repeat == first.repeat:
            block = tuple(unit for outer, unit in part.around if outer in names)
            numbered.append((times[block], block, part))
            times[block] += 1
    return [(under, [part for _, _, part in sorted(numbered, key=lambda one: one[:2])])]


def _moving(model: nn.Module, traced: Traced, path: str, place: Place) -> list[Place]:
    """The place, or what is left of it, where rows differ in what can be seen: at most one."""
    moving = [(name, rows) for name, rows in traced.moving if name.rpartition(".")[0] == path]
    if place.side != "projection":
        return [place] if moving else []
    # Of queries, keys and values some may be learned, the same for all rows; only one of them is looked at.
    module = model.get_submodule(path)
    assert isinstance(module, nn.MultiheadAttention), type(module)
    for number in range(3):
        part = range(number * module.embed_dim, (number + 1) * module.embed_dim)
        starts = tuple(start for start in place.starts if start in part)
        if any(
            name == f"{path}.in_proj_weight" and start in rows for name, rows in moving for start in starts
        ):
            return [replace(place, starts=starts)]
    return []


def _others(value: Value, place: Place) -> tuple[int, ...]:
    """Axes of a tapped tensor, beside that of the units, on which there are units of another group."""
    if place.side not in ("input", "output"):
        return ()
    mine = place.axis % len(value) if value else 0
    free = (axis for axis, term in enumerate(value) if axis != mine and not is_fixed(term))
    return tuple(axis - len(value) for axis in free)


def _places(
    model: nn.Module, called: frozenset[str], param: str, axis: int, parts: Sequence[Part]
) -> list[tuple[int, str, Place]]:
    """(rank, module, place): at most one."""
    path, _, tensor = param.rpartition(".")
    if path not in called:
        return []
    module = model.get_submodule(path)
    at: dict[str, Any] = {"repeat": parts[0].repeat, "starts": tuple(part.offset for part in parts)}
    if isinstance(module, nn.RNNBase):
        if not tensor.startswith("weight_hh_l") or axis != 1:
            return []
        layer, _, reverse = tensor.removeprefix("weight_hh_l").partition("_")
        behind = (module.proj_size or module.hidden_size) if reverse else 0
        at["starts"] = tuple(start + behind for start in at["starts"])
        return [(MAKES, path, Place("layer", -1, int(layer), **at))]
    if isinstance(module, nn.RNNCellBase):
        return [(MAKES, path, Place("output", -1, **at))] if tensor == "weight_hh" and axis == 1 else []
    if isinstance(module, nn.MultiheadAttention):
        return (
            [(MAKES, path, Place("projection", -1, **at))] if tensor == "in_proj_weight" and not axis else []
        )
    if tensor != "weight":
        return []
    if isinstance(module, nn.Linear):
        side, rank, place = ("input", READS, -1) if axis == 1 else ("output", MAKES, -1)
    elif isinstance(module, CONVOLUTIONS) and (axis == 0 or module.groups == 1):
        side, rank, place = ("input", READS, 1) if axis == 1 else ("output", MAKES, 1)
    elif isinstance(module, TRANSPOSED) and module.groups == 1:
        side, rank, place = ("input", READS, 1) if axis == 0 else ("output", MAKES, 1)
    elif isinstance(module, nn.Embedding):
        side, rank, place = "output", MAKES, -1
    elif isinstance(module, nn.LayerNorm):
        side, rank, place = "output", PASSES, axis - len(module.normalized_shape)
    elif isinstance(module, BY_CHANNEL):
        side, rank, place = "output", PASSES, 1
    else:
        return []
    return [(rank, path, Place("input" if side == "input" else "output", place, **at))]
