"""Says `{code, params}` as the pages do (`frontend/src/i18n/say.ts`, `named.ts`): codes that travel as values get the names that
people know them by."""

from backend.text.catalogue import find, say
from backend.text.schemas import Text

_TABLES = {"kind": "ui.step_kind", "cause": "ui.cause", "side": "ui.side", "thing": "things"}


def say_text(lang: str, section: str, text: Text) -> str:
    """The sentence `<section>.<code>`, or its title where it has one."""
    params = dict(text.params)
    for name, table in _TABLES.items():
        if name in params:
            params[name] = find(lang, f"{table}.{params[name]}") or params[name]
    titled = f"{section}.{text.code}.title"
    return say(lang, titled if find(lang, titled) is not None else f"{section}.{text.code}", params)
