"""Which figure a name means."""

from backend.figures import accuracy, communication, worth
from backend.figures.frame import Look
from backend.figures.schemas import Figure, FigureName
from backend.roi.facts import PilotFacts, RunFacts


def run_figure(facts: PilotFacts, run: RunFacts, name: FigureName, look: Look) -> Figure:
    """A chart of one run of the pilot."""
    match name:
        case "accuracy":
            return accuracy.of_run(facts, run, look)
        case "communication":
            return communication.of_run(facts, run, look)
        case "roi":
            return worth.of_run(facts, run, look)


def pilot_figure(facts: PilotFacts, name: FigureName, look: Look) -> Figure:
    """A chart that compares the arms of the pilot."""
    match name:
        case "accuracy":
            return accuracy.of_pilot(facts, look)
        case "communication":
            return communication.of_pilot(facts, look)
        case "roi":
            return worth.of_pilot(facts, look)
