"""Bad values, each as a code of the catalogue, its values and its place. Pure: neither HTTP nor pydantic's errors as such."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from backend.text.catalogue import find, say
from backend.text.saying import named
from backend.text.schemas import Params, Schema
from dimat.frozen import NAME_PATTERN
from dimat.validation import is_echo, place_of

# The parts of a request in which FastAPI looks; they are no part of a field's name.
MOST_FINDINGS = 50
_PLACES = ("body", "query", "path", "header", "cookie")
# Kinds of pydantic that mean the same to whoever sent the value.
_ALIKE = {
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "list_needed"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dataclass_type", "dict_type"), "object_needed"),
    **dict.fromkeys(("decimal_max_digits", "decimal_max_places", "decimal_whole_digits"), "too_many_digits"),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), "moment_needed"),
    "int_parsing_size": "int_parsing",
}


class FieldProblem(Schema):
    """One bad value of several."""

    code: str
    params: Params
    field: str | None
    title: str
    remedy: str | None


def field_problem(lang: str, code: str, params: Params, field: str | None) -> FieldProblem:
    """A code said in a language. A code the catalogue lacks is said as `invalid_value`."""
    params = {
        _sendable(name): _sendable(value) if isinstance(value, str) else value
        for name, value in params.items()
    }
    field = _sendable(field) if field is not None else None
    known = code if find(lang, f"errors.{code}.title") is not None else "invalid_value"
    remedy = f"errors.{known}.remedy"
    said = {"code": code, **named(lang, code, params)}  # `params` keeps the plain codes
    return FieldProblem(
        code=code,
        params=params,
        field=field,
        title=say(lang, f"errors.{known}.title", said),
        remedy=say(lang, remedy, said) if find(lang, remedy) is not None else None,
    )


def of_validation(lang: str, errors: Sequence[Mapping[str, Any]], body: Any = None) -> list[FieldProblem]:
    """Pydantic's findings: type -> code, ctx -> params, loc -> dotted field.

    Args:
        body: what was sent, where `errors` are about it.
    Returns: the first `MOST_FINDINGS`: nobody mends more at once, and an answer must not be many times what was sent.
    """
    counted = errors[:MOST_FINDINGS]
    return [
        field_problem(lang, _code(error), _params(error), _field(error, body))
        for error in counted
        if not is_echo(error, counted)
    ]


def _code(error: Mapping[str, Any]) -> str:
    if (error.get("ctx") or {}).get("pattern") == NAME_PATTERN:
        return "name_pattern"
    kind: str = error["type"]
    return _ALIKE.get(kind, kind)


def _sendable(text: str) -> str:
    """Half of a surrogate pair, which JSON may hold, has no UTF-8: a question mark stands for it."""
    return text.encode("utf-8", "replace").decode()


def _field(error: Mapping[str, Any], body: Any) -> str | None:
    if error["type"] == "json_invalid":
        return None  # its place is the number of a byte
    loc = error.get("loc", ())
    place = loc[0] if loc and loc[0] in _PLACES else None
    return place_of(error, body if place == "body" else None, 0 if place is None else 1) or None


def _params(error: Mapping[str, Any]) -> Params:
    params: Params = {"message": str(error.get("msg", ""))}
    for name, value in (error.get("ctx") or {}).items():
        if name == "place":
            continue
        if isinstance(value, float) and not math.isfinite(value):
            params[name] = str(value)
        elif value is None or isinstance(value, str | int | float | bool):
            params[name] = value
        else:
            params[name] = str(value)
    given = error.get("input")
    # Of the right text only the words are wrong; where a text is what is wrong, its quotes say so.
    quoted = error["type"].endswith("_type")
    params.setdefault("value", given[:100] if isinstance(given, str) and not quoted else _as_json(given))
    return params


def _as_json(given: Any) -> str:
    """As the caller wrote it (`null`, `true`, `0.5`); of lists and objects, which may be large, the brackets."""
    if isinstance(given, bytes):
        return "…"  # a body that is no JSON
    if isinstance(given, Mapping):
        return "{…}" if given else "{}"
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return "[…]" if given else "[]"
    return json.dumps(given, ensure_ascii=False, default=str)[:100]
