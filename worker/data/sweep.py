"""Reads a pilot's `[sweep]`: dotted places in the pilot, each with a list of values; every combination is one setting.

All settings are built and checked here, before anything runs: the last of a thousand must not turn out after a night to be no pilot.
"""

import copy
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from dimat.absence import RunAbsence
from dimat.plan import Amendment
from dimat.spec import PilotSpec, spec_sha256
from worker.data.pilot_file import (
    PilotFileError,
    check_absences,
    check_amendments,
    lines,
    read_content,
    take_absences,
    take_amendments,
    take_assumptions,
)

MAX_SETTINGS = 1_000
MAX_TOLD = 5
"""Of settings that are no pilots; a wrong value is often in half of them."""
Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One combination: which value stands at which swept place, and the pilot that this makes. `number` counts from 1."""

    number: int
    values: Mapping[str, Any]
    spec: PilotSpec

    def __str__(self) -> str:
        return f"setting {self.number} ({described(self.values)})"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Settings in the order in which they run: the last place of `values` varies fastest. A pilot without a sweep has no `values`
    and a single setting. `amendments`: how all of them are changed on the way. `absences`: sites without which runs went on."""

    values: Values
    settings: tuple[Setting, ...]
    amendments: tuple[Amendment, ...] = ()
    absences: tuple[RunAbsence, ...] = ()

    @classmethod
    def of(cls, spec: PilotSpec) -> "Sweep":
        """A single pilot."""
        return cls({}, (Setting(1, {}, spec),))

    @property
    def is_single(self) -> bool:
        return not self.values


def described(values: Mapping[str, Any]) -> str:
    """`train.lr = 0.1, topology.kind = "ring"`, as in the file."""
    return ", ".join(
        f"{place} = {json.dumps(value, ensure_ascii=False, default=str)}" for place, value in values.items()
    )


def read_sweep(path: Path) -> Sweep:
    """All settings of a pilot file; the business assumptions change nothing in what runs and are left out.

    Raises:
        PilotFileError: as `read_pilot`; a sweep that cannot be, a setting that is no valid pilot, or two that are the same pilot.
    """
    content = read_content(path)
    take_assumptions(path, content)
    amendments, absences = take_amendments(path, content), take_absences(path, content)
    swept = content.pop("sweep", None)
    try:
        values = {} if swept is None else swept_values(swept)
        settings = tuple(_settings(content, values))
    except _SweepError as error:
        raise PilotFileError(f"'{path}' {error}") from error.__cause__
    counting = set[int]()
    for setting in settings:
        counting |= check_amendments(path, setting.spec, amendments)
        check_absences(path, setting.spec, absences)
    for number in range(len(amendments)):
        if number not in counting:
            raise PilotFileError(
                f"'{path}': amendments.{number} concerns no run: an arm that trains alone takes part in changes of training and of "
                "the sites only. Name another arm, or take it out."
            )
    if values and (absences or any(one.left_out for one in amendments)):
        of_runs = "[[absences]]" if absences else "runs that are left out of amendments"
        raise PilotFileError(
            f"'{path}' has a [sweep] and {of_runs}, which are of runs that were. Take one of them out."
        )
    return Sweep(values, settings, amendments, absences)


class _SweepError(Exception):
    """Goes on the file's name."""


def swept_values(table: Any) -> dict[str, list[Any]]:
    """`[sweep]` as place -> values, in the order given; `"train.lr"` and the table `train` with `lr` are the same place.

    Raises: _SweepError.
    """
    if not isinstance(table, dict):
        raise _SweepError(f"has 'sweep', which must be a table of places and lists of values, not {table!r}.")
    found: dict[str, list[Any]] = {}
    for place, values in _flat(table, ""):
        if not isinstance(values, list) or not values:
            raise _SweepError(
                f"sweeps '{place}' over {values!r}, which must be a list of values, such as \"{place}\" = [1, 2]."
            )
        if place in found:
            raise _SweepError(f"sweeps '{place}' twice. Put all its values into one list.")
        found[place] = values
    if not found:
        raise _SweepError(
            'has an empty [sweep]. Name a place and its values, such as "train.lr" = [0.01, 0.05], or take the table out.'
        )
    for inner in found:
        for outer in found:
            if inner.startswith(f"{outer}."):
                raise _SweepError(
                    f"sweeps '{outer}' and '{inner}' in it: one would undo the other. Keep one of them."
                )
    num_settings = math.prod(len(values) for values in found.values())
    if num_settings > MAX_SETTINGS:
        sizes = " x ".join(str(len(values)) for values in found.values())
        raise _SweepError(
            f"makes {sizes} = {num_settings} settings; the most is {MAX_SETTINGS}. Sweep fewer places or values."
        )
    return found


def _flat(table: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        place = f"{above}.{key}" if above else key
        if isinstance(value, dict) and value:
            yield from _flat(value, place)
        else:
            yield place, value


def combinations(values: Values) -> Iterator[dict[str, Any]]:
    """Each value of each place with each of all others; one empty combination where nothing is swept."""
    for chosen in itertools.product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def _settings(content: dict[str, Any], values: Values) -> list[Setting]:
    settings, wrong, seen = [], [], dict[str, Setting]()
    for number, chosen in enumerate(combinations(values), start=1):
        pilot = copy.deepcopy(content)
        for place, value in chosen.items():
            put(pilot, place, copy.deepcopy(value))
        try:
            setting = Setting(number, chosen, PilotSpec.model_validate(pilot))
        except ValidationError as error:
            wrong.append((number, chosen, lines(error, pilot)))
            continue
        settings.append(setting)
        same = seen.setdefault(spec_sha256(setting.spec), setting)
        if same is not setting:
            raise _SweepError(
                f"sweeps to the same pilot twice: {same} and {setting}. Take one of the values out."
            )
    if wrong and not values:
        raise _SweepError(f"is not a valid pilot:\n{wrong[0][2]}")
    if wrong:
        told = "\n".join(
            f" setting {number} ({described(chosen)}):\n{why}" for number, chosen, why in wrong[:MAX_TOLD]
        )
        more = f"\n and {len(wrong) - MAX_TOLD} more settings" if len(wrong) > MAX_TOLD else ""
        raise _SweepError(
            f"sweeps to {len(wrong)} of {len(wrong) + len(settings)} settings that are not valid pilots:\n{told}{more}"
        )
    return settings


def put(pilot: dict[str, Any], place: str, value: Any) -> None:
    """Sets the value at a dotted place. In a list a part names an entry by its `name` (an arm, a site), or by its position from 0.

    A table that the file leaves out is made. Where it has a default of several kinds (`data.partition`, `model`), it is made of
    the kind that it would have had.

    Raises: _SweepError: the place leads through something that has no parts, or past the entries of a list.
    """
    here: Any = pilot
    default: Any = SimpleNamespace(**{name: field.default for name, field in PilotSpec.model_fields.items()})
    *way, last = place.split(".")
    for depth, part in enumerate(way):
        default = getattr(default, part, None)
        here = _into(here, part, place, {})
        kind = getattr(default, "kind", None)
        if isinstance(here, dict) and kind is not None and not (way[depth + 1 :] == [] and last == "kind"):
            here.setdefault("kind", kind)
    if isinstance(here, list):
        here[_position(here, last, place)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise _no_way(place, here)


def _into(here: Any, part: str, place: str, new: dict[str, Any]) -> Any:
    if isinstance(here, dict):
        return here.setdefault(part, new)
    if isinstance(here, list):
        return here[_position(here, part, place)]
    raise _no_way(place, here)


def _position(entries: list[Any], part: str, place: str) -> int:
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < len(entries):
        return int(part)
    known = ", ".join(str(name) for name in names if name is not None)
    raise _SweepError(
        f"sweeps '{place}', but '{part}' is none of the {len(entries)} entries there{f' ({known})' if known else ''}. "
        "Use a name, or a position from 0."
    )


def _no_way(place: str, here: Any) -> _SweepError:
    return _SweepError(
        f"sweeps '{place}', but there stands {here!r}, which has no parts. Check its spelling."
    )
