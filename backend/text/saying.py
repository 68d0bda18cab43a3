"""Says `{code, params}` as the pages do (`frontend/src/i18n/say.ts`, `named.ts`): codes that travel as values get the names that
people know them by."""

from backend.text.catalogue import find, say
from backend.text.schemas import Params, Text

_TABLES = {
    "kind": "ui.step_kind", "cause": "ui.cause", "role": "ui.role", "side": "ui.side", "thing": "things", "part": "timetables.parts",
}  # fmt: skip
_STATE_OF = {
    "pilot_launched": "pilot",
    "pilot_already_launched": "pilot",
    "pilot_not_launched": "pilot",
    "run_has_ended": "run",
    "restart_while_at_work": "run",
}
"""Whose state a text tells where it does not say so itself."""


def named(lang: str, code: str, params: Params) -> Params:
    """`params` of the text `code`, with the words of the language for what travels as a code."""
    found = dict(params)
    for name, table in _TABLES.items():
        if name in found:
            found[name] = find(lang, f"{table}.{found[name]}") or found[name]
    of = _STATE_OF.get(code) or params.get("thing")
    for name in {"state", "following"} & found.keys():
        said = find(lang, f"states.{of}.{found[name]}")
        found[name] = found[name] if said is None else said[:1].lower() + said[1:]
    return found


def say_text(lang: str, section: str, text: Text) -> str:
    """The sentence `<section>.<code>`, or its title where it has one."""
    params = named(lang, text.code, text.params)
    titled = f"{section}.{text.code}.title"
    return say(lang, titled if find(lang, titled) is not None else f"{section}.{text.code}", params)
