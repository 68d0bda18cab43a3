"""Errors of this library in the form in which pydantic collects them, each with its place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

from dimat.errors import DimatError, DuplicateName


def as_pydantic(error: DimatError, place: str = "") -> PydanticCustomError:
    """The error in the form in which pydantic collects it with its place: type = code, ctx = params.

    Args:
        place: the field below the one being validated that is to blame, where several were looked at together;
            it travels as `place` in ctx.
    """
    # The sentence goes in as a value: pydantic's own templates know no format specs such as {x:.6g}.
    context = {**error.params, "message": str(error), **({"place": place} if place else {})}
    return PydanticCustomError(error.code, "{message}", context)


def at_most(most: int) -> BeforeValidator:
    """Refuses a list of more than `most` entries before it looks at any: a million wrong ones would each be a finding."""

    def check(given: Any) -> Any:
        if isinstance(given, list | tuple) and len(given) > most:
            raise PydanticKnownError(
                "too_long", {"field_type": "Tuple", "max_length": most, "actual_length": len(given)}
            )
        return given

    return BeforeValidator(check)


def kind_needed(members: Any) -> BeforeValidator:
    """Of a union of specs that are told apart by their `kind`: says which kinds there are where it is missing."""
    known = ", ".join(member.model_fields["kind"].default for member in get_args(members))

    def check(given: Any) -> Any:
        if isinstance(given, Mapping) and "kind" not in given:
            raise PydanticCustomError(
                "kind_missing", "'kind' is missing; there are: {known}. Add it.", {"known": known}
            )
        return given

    return BeforeValidator(check)


def check_unique(thing: str, names: Sequence[str]) -> None:
    """Raises: DuplicateName."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DuplicateName(thing=thing, name=name)
        seen.add(name)


@contextmanager
def at(place: str) -> Iterator[None]:
    """What goes wrong in the block is the fault of the field `place`."""
    try:
        yield
    except DimatError as error:
        raise as_pydantic(error, place) from None


def is_echo(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pydantic finding only repeats others: a list whose entries are wrong is counted without them, and what is wrong is the
    entry, not their number."""
    at = tuple(error.get("loc", ()))
    return error["type"] == "too_short" and any(
        len(other.get("loc", ())) > len(at) and tuple(other["loc"])[: len(at)] == at for other in errors
    )


def place_of(error: Mapping[str, Any], given: Any, skip: int = 0) -> str:
    """The dotted place of a pydantic finding (an entry of `ValidationError.errors()`) in what was given.

    pydantic names the chosen member of a union on the way (`model.mlp.hidden`); such names stand nowhere in what
    was given and are left out (`model.hidden`).

    Args:
        given: what was validated; None where it is not at hand, then every name stays.
        skip: parts of `loc` at its beginning that do not belong to it.
    """
    loc: Sequence[str | int] = error["loc"][skip:]
    parts: list[str] = []
    for number, part in enumerate(loc):
        if isinstance(given, Mapping):
            if part not in given and number < len(loc) - 1:
                continue
            given = given.get(part)
        elif isinstance(given, Sequence) and not isinstance(given, str) and isinstance(part, int):
            given = given[part] if part < len(given) else None
        parts.append(str(part))
    blamed = (error.get("ctx") or {}).get("place")
    return ".".join([*parts, *([str(blamed)] if blamed else [])])
