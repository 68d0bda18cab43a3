"""Colours of charts. A site has the same colour in every chart of a pilot, an arm too.

The hues are those of Okabe and Ito, told apart with any common colour vision, made darker for light pages
and lighter for dark ones until each stands out from the page by 3:1. Dash and marker are the second signal.
"""

from dataclasses import dataclass
from typing import Any

from backend.figures.schemas import Theme

_SERIES: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072B2", "#D55E00", "#00875F", "#B65A97", "#A87400", "#2F8FC4", "#7A6F00", "#555555"),
    "dark": ("#3D9BDC", "#F0803C", "#1FBF92", "#DE93BF", "#E69F00", "#7CC8F2", "#E5D84A", "#BDBDBD"),
}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")
_DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True, slots=True)
class Colours:
    """What is not a series. `scale`: from nothing to most, for heatmaps."""

    text: str
    muted: str
    grid: str
    zero: str
    hover: str
    scale: tuple[str, str, str]


_COLOURS: dict[Theme, Colours] = {
    "light": Colours(
        "#1a1f29", "#5a6273", "#e1e4ea", "#5a6273", "#ffffff", ("#eef3fc", "#557bcf", "#1b2f5e")
    ),
    "dark": Colours("#e6e9ef", "#a9b1c0", "#363d4c", "#a9b1c0", "#242a36", ("#242a36", "#557bcf", "#dce6f8")),
}


def colours(theme: Theme) -> Colours:
    return _COLOURS[theme]


def series(index: int, theme: Theme) -> str:
    """Colour of the index-th site or arm."""
    return _SERIES[theme][index % len(_SERIES[theme])]


def symbol(index: int) -> str:
    return _SYMBOLS[index % len(_SYMBOLS)]


def dash(index: int) -> str:
    """Changes when the colours start again, so that colour and dash together tell 32 lines apart."""
    return _DASHES[index // len(_SYMBOLS) % len(_DASHES)]


def faded(colour: str, opacity: float) -> str:
    """'#0072B2' -> 'rgba(0,114,178,0.2)'."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def line(index: int, theme: Theme, width: float) -> dict[str, Any]:
    return {"color": series(index, theme), "width": width, "dash": dash(index)}


def marker(index: int, theme: Theme, size: float) -> dict[str, Any]:
    return {"color": series(index, theme), "size": size, "symbol": symbol(index)}
