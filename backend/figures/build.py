"""Which figure a name means."""

from dataclasses import dataclass

from backend.figures.schemas import Figure, FigureName, Theme
from backend.roi.facts import PilotFacts, RunFacts


@dataclass(frozen=True, slots=True)
class Look:
    lang: str
    theme: Theme


def run_figure(facts: PilotFacts, run: RunFacts, name: FigureName, look: Look) -> Figure:
    raise NotImplementedError


def pilot_figure(facts: PilotFacts, name: FigureName, look: Look) -> Figure:
    raise NotImplementedError
