"""Errors of this library in the form in which pydantic collects them, each with its place."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic_core import PydanticCustomError

from dimat.errors import DimatError


def as_pydantic(error: DimatError, place: str = "") -> PydanticCustomError:
    """The error in the form in which pydantic collects it with its place: type = code, ctx = params.

    Args:
        place: the field below the one being validated that is to blame, where several were looked at together;
            it travels as `place` in ctx.
    """
    # The sentence goes in as a value: pydantic's own templates know no format specs such as {x:.6g}.
    context = {**error.params, "message": str(error), **({"place": place} if place else {})}
    return PydanticCustomError(error.code, "{message}", context)


@contextmanager
def at(place: str) -> Iterator[None]:
    """What goes wrong in the block is the fault of the field `place`."""
    try:
        yield
    except DimatError as error:
        raise as_pydantic(error, place) from None
