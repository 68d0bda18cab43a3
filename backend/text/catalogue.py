"""Reads `locales/*.json`, the one catalogue of pages and server, and says a code in a language.

A noun or verb that follows a number is written `{sites, noun(one: site; other: sites)}` where the language
needs it: the pages (`frontend/src/i18n/start.ts`) and `say` choose alike, by the number of that name.

A missing key is said as the key itself: a person then sees a code instead of an error page, and a test
finds it before that.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from backend.text.times import in_zone, moment

LANGUAGES = ("en", "ja")
DEFAULT_LANGUAGE = "en"
LOCALES = Path(__file__).resolve().parents[2] / "locales"


_LISTS = frozenset(
    {"waiting", "known", "missing", "names", "expected", "members", "arms", "sites", "running"}
)
"""Values that are names in a row; `shown` of frontend/src/i18n/say.ts does the same."""
_TIMES = frozenset({"at", "since", "until", "due", "opens"})
"""Values that are moments in ISO form; the pages write them in the reader's own zone, and in `zone` where the text names one."""
_COUNTED = re.compile(r"\{(\w+), noun\(one: ([^;()]+); other: ([^;()]+)\)\}")


class _Places(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@lru_cache
def catalogue(lang: str) -> Mapping[str, Any]:
    """The whole catalogue of a language."""
    loaded: dict[str, Any] = json.loads((LOCALES / f"{lang}.json").read_text(encoding="utf-8"))
    return loaded


def find(lang: str, key: str) -> str | None:
    """The sentence at a dotted key, or None when the catalogue has none."""
    place: Any = catalogue(lang if lang in LANGUAGES else DEFAULT_LANGUAGE)
    for part in key.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return None
        place = place[part]
    return place if isinstance(place, str) else None


def say(lang: str, key: str, params: Mapping[str, Any] | None = None) -> str:
    """The sentence at `key` with `{name}` places filled; a place without a value stays as it is."""
    sentence = find(lang, key)
    if sentence is None:
        return key
    zone = (params or {}).get("zone")
    values = {name: _shown(lang, name, value, zone) for name, value in (params or {}).items()}
    counted = _COUNTED.sub(lambda hit: hit[2] if str(values.get(hit[1])) == "1" else hit[3], sentence)
    return counted.format_map(_Places(values))


def choose_language(lang: str | None, accept_language: str | None) -> str:
    """The asked-for language, else the first of the Accept-Language header that the catalogue has."""
    wanted = [lang] if lang else []
    ranked = [part.partition(";q=") for part in (accept_language or "").replace(" ", "").split(",")]
    wanted += [name for name, _, _ in sorted(ranked, key=lambda part: -_quality(part[2]))]
    for name in wanted:
        short = name.split("-")[0].lower()
        if short in LANGUAGES:
            return short
    return DEFAULT_LANGUAGE


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def _shown(lang: str, name: str, value: Any, zone: Any = None) -> Any:
    if lang == "ja" and name in _LISTS and isinstance(value, str):
        return (
            value.replace(" or ", "、").replace(", ", "、")
            if name == "expected"
            else value.replace(", ", "、")
        )
    if name in _TIMES and isinstance(value, str):
        return _moment(value) if zone is None else _by_clocks(lang, value, str(zone))
    return f"{value:.6g}" if isinstance(value, float) else value


def _by_clocks(lang: str, text: str, zone: str) -> str:
    """As the clocks of a zone show it, to the minute; what is no moment stays as it is."""
    if (at := moment(text)) is None:
        return text
    try:
        said = in_zone(at, zone)
    except (ValueError, ZoneInfoNotFoundError):
        return text
    return f"{said}（{zone}）" if lang == "ja" else f"{said} ({zone})"


def _moment(text: str) -> str:
    """In UTC and to the second; what is no moment stays as it is."""
    at = moment(text)
    return text if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
