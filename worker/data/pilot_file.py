"""Reads a pilot from a TOML file, or from JSON as the API tells it.

The table `[assumptions]` is business, not algorithm: it is handed back as it is for the backend. `[[amendments]]` are no part of the pilot:
they say how one that ran was changed on the way, so that it can be repeated; so do `[[absences]]`, without which sites its runs went on.
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dimat.absence import RunAbsence
from dimat.amending import clash, concerns
from dimat.plan import Amendment, RunKey, amendments_of_run
from dimat.spec import PilotSpec
from dimat.validation import is_echo, place_of

# What pydantic says in words of a program.
_PLAINER = {"missing": "is missing", "extra_forbidden": "is no setting of a pilot; check its spelling"}

Item = TypeVar("Item")


class PilotFileError(Exception):
    """The file is not a pilot that can be run; the message names the file, the place and the value."""


def read_pilot(path: Path) -> tuple[PilotSpec, dict[str, Any]]:
    """The pilot and its business assumptions (empty if the file has none).

    Raises:
        PilotFileError: the file cannot be read, is not TOML, is not a valid pilot, or has a `[sweep]` (it is many pilots) or
            `[[amendments]]` (it is a pilot that ran).
    """
    content = read_content(path)
    if "sweep" in content:
        raise PilotFileError(
            f"'{path}' has a [sweep], which makes many pilots of one, and here one is needed. "
            "Take the table out, or run all of them with ./awase simulate."
        )
    if "amendments" in content:
        raise PilotFileError(
            f"'{path}' has [[amendments]], and a pilot is amended once it runs. "
            "Take them out, or run it with them with ./awase simulate."
        )
    if "absences" in content:
        raise PilotFileError(
            f"'{path}' has [[absences]], of runs that were. Take them out, or run it with them with ./awase simulate."
        )
    assumptions = take_assumptions(path, content)
    try:
        return PilotSpec.model_validate(content), assumptions
    except ValidationError as error:
        raise PilotFileError(f"'{path}' is not a valid pilot:\n{lines(error, content)}") from error


def read_content(path: Path) -> dict[str, Any]:
    """What stands in the file, as a TOML file would have it. Of JSON that is a pilot's spec, what the API tells of a pilot, or its
    downloaded results, with the amendments that were in force and the sites that were left out. Raises: PilotFileError."""
    is_json = path.suffix == ".json"
    try:
        text = path.read_text(encoding="utf-8")
        return _of_pilot(path, json.loads(text)) if is_json else tomllib.loads(text)
    except OSError as error:
        raise PilotFileError(
            f"Cannot read the pilot file '{path}': {error.strerror}. "
            "Name a TOML file that you can read, such as data/pilots/demo.toml."
        ) from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        kind = "JSON" if is_json else "TOML"
        raise PilotFileError(
            f"'{path}' is not a {kind} file: {error}. Correct that place; data/pilots/demo.toml is an example."
        ) from error


def _of_pilot(path: Path, found: Any) -> dict[str, Any]:
    """Raises: PilotFileError."""
    whole = found
    if isinstance(found, dict) and isinstance(found.get("pilot"), dict):
        whole = found["pilot"]
        if "spec" not in whole:
            raise PilotFileError(
                f"'{path}' holds results without the pilot that gave them, as versions before wrote them. "
                "Download them again, or take the answer of GET /api/v1/pilots/{id}."
            )
    spec = whole.get("spec", whole) if isinstance(whole, dict) else whole
    if not isinstance(spec, dict):
        raise PilotFileError(
            f"'{path}' holds no pilot. Take its downloaded results, or the answer of GET /api/v1/pilots/{{id}}."
        )
    names = () if whole is spec else ("amendments", "absences")
    return {**spec, **{name: some for name in names if (some := whole.get(name))}}


def take_assumptions(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Takes them out of `content`. Raises: PilotFileError."""
    assumptions = content.pop("assumptions", {})
    if not isinstance(assumptions, dict):
        raise PilotFileError(f"'{path}': 'assumptions' must be a table, not {assumptions!r}.")
    return assumptions


def take_amendments(path: Path, content: dict[str, Any]) -> tuple[Amendment, ...]:
    """Takes them out of `content`, in the order in which they apply. Raises: PilotFileError."""
    return _taken(path, content, "amendments", Amendment)


def take_absences(path: Path, content: dict[str, Any]) -> tuple[RunAbsence, ...]:
    """Takes them out of `content`. Raises: PilotFileError."""
    return _taken(path, content, "absences", RunAbsence)


def _taken(path: Path, content: dict[str, Any], name: str, kind: type[Item]) -> tuple[Item, ...]:
    given = content.pop(name, [])
    try:
        return TypeAdapter(tuple[kind, ...]).validate_python(given)  # type: ignore[valid-type]  # known when it runs
    except ValidationError as error:
        raise PilotFileError(f"'{path}' has {name} that are none:\n{lines(error, given, name)}") from error


def check_absences(path: Path, spec: PilotSpec, absences: Sequence[RunAbsence]) -> None:
    """Raises: PilotFileError, where one is of no run or site of the pilot."""
    for number, one in enumerate(absences):
        place = f"absences.{number}"
        _check_run(path, place, spec, one)
        _check_known(path, f"{place}.site", one.site, spec.site_names)


def _check_run(path: Path, place: str, spec: PilotSpec, run: RunAbsence | RunKey) -> None:
    _check_known(path, f"{place}.arm", run.arm, [arm.name for arm in spec.arms])
    _check_known(path, f"{place}.seed", run.seed, spec.seeds)


def _check_known(path: Path, place: str, value: str | int, known: Sequence[str | int]) -> None:
    if value not in known:
        kind, some = place.rpartition(".")[2], ", ".join(map(str, known[:20]))
        raise PilotFileError(f"'{path}': {place}: '{value}' is no {kind} of the pilot ({some}).")


def check_amendments(path: Path, spec: PilotSpec, amendments: Sequence[Amendment]) -> set[int]:
    """Positions of those that concern a run, or had come too late for one.

    Raises: PilotFileError, where one is of no arm or run of the pilot, or a run that it concerns cannot run so.
    """
    counting = set()
    arms = [arm.name for arm in spec.arms]
    for number, amendment in enumerate(amendments):
        place = f"amendments.{number}"
        if amendment.arm is not None:
            _check_known(path, f"{place}.arm", amendment.arm, arms)
        for position, run in enumerate(amendment.left_out):
            _check_run(path, f"{place}.left_out.{position}", spec, run)
        concerned = list(_concerned(spec, amendments[:number], amendment))
        if concerned or amendment.left_out:
            counting.add(number)
        for arm, before in concerned:
            if found := clash(spec, arm, [*before, amendment], amendment):
                raise PilotFileError(
                    f"'{path}': {place}.patch.{found.place}: the arm '{arm}' cannot run so: {found.message}"
                )
    return counting


def _concerned(
    spec: PilotSpec, before: Sequence[Amendment], new: Amendment
) -> Iterator[tuple[str, tuple[Amendment, ...]]]:
    """Whom a server would have asked whether they can run under `new`: arms, each with those amendments of `before` under which runs of it
    were by then. Seeds mostly share them."""
    for arm in spec.arms:
        changed = [seed for seed in spec.seeds if RunKey(arm=arm.name, seed=seed) not in new.left_out]
        for known in dict.fromkeys(amendments_of_run(before, arm.name, seed) for seed in changed):
            if concerns(spec, arm.name, new, known):
                yield arm.name, known


def lines(error: ValidationError, content: Any, whole: str = "pilot") -> str:
    """One line per problem: place, message, value. `whole`: what `content` is."""
    found = error.errors()
    return "\n".join(
        f"  {place_of(item, content) or whole}: {_PLAINER.get(item['type'], item['msg'])}{_value(item)}"
        for item in found
        if not is_echo(item, found)
    )


def _value(item: Any) -> str:
    given = item["input"]
    return f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
