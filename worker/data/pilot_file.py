"""Reads a pilot from a TOML file.

The table `[assumptions]` is business, not algorithm: it is handed back as it is for the backend.
"""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dimat.spec import PilotSpec
from dimat.validation import place_of

# What pydantic says in words of a program.
_PLAINER = {"missing": "is missing", "extra_forbidden": "is no setting of a pilot; check its spelling"}


class PilotFileError(Exception):
    """The file is not a pilot that can be run; the message names the file, the place and the value."""


def read_pilot(path: Path) -> tuple[PilotSpec, dict[str, Any]]:
    """The pilot and its business assumptions (empty if the file has none).

    Raises:
        PilotFileError: the file cannot be read, is not TOML, is not a valid pilot, or has a `[sweep]`: it is many pilots.
    """
    content = read_toml(path)
    if "sweep" in content:
        raise PilotFileError(
            f"'{path}' has a [sweep], which makes many pilots of one, and here one is needed. "
            "Take the table out, or run all of them with ./awase simulate."
        )
    assumptions = take_assumptions(path, content)
    try:
        return PilotSpec.model_validate(content), assumptions
    except ValidationError as error:
        raise PilotFileError(f"'{path}' is not a valid pilot:\n{lines(error, content)}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """What stands in the file. Raises: PilotFileError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PilotFileError(
            f"Cannot read the pilot file '{path}': {error.strerror}. "
            "Name a TOML file that you can read, such as data/pilots/demo.toml."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PilotFileError(
            f"'{path}' is not a TOML file: {error}. Correct that place; data/pilots/demo.toml is an example."
        ) from error


def take_assumptions(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Takes them out of `content`. Raises: PilotFileError."""
    assumptions = content.pop("assumptions", {})
    if not isinstance(assumptions, dict):
        raise PilotFileError(f"'{path}': 'assumptions' must be a table, not {assumptions!r}.")
    return assumptions


def lines(error: ValidationError, content: dict[str, Any]) -> str:
    """One line per problem: place, message, value."""
    return "\n".join(
        f"  {place_of(item, content) or 'pilot'}: {_PLAINER.get(item['type'], item['msg'])}{_value(item)}"
        for item in error.errors()
    )


def _value(item: Any) -> str:
    given = item["input"]
    return f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
