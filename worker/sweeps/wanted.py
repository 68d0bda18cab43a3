"""What a person asks `awase simulate` for. Known before torch is loaded, so that a wrong option is told at once."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

BASELINES = ("centralised", "cdsgd", "sgp")
"""Functions of `dimat.baselines`: pooled data, and an exchange at every batch."""
FIGURES = (".svg", ".png", ".pdf", ".html")
DUCKDB, MATPLOTLIB = "duckdb~=2.0", "matplotlib~=3.11"
"""As the extras `parquet` and `figure` in pyproject.toml have them; a test compares them."""


class WantedError(Exception):
    """An option that cannot be followed; the message says which one and what to do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is run beside the arms, what is written, and how many processes are at work."""

    json: Path | None = None
    parquet: Path | None = None
    figure: Path | None = None
    baselines: tuple[str, ...] = ()
    quiet: bool = False
    jobs: int = 1

    def check(self) -> None:
        """Raises: WantedError."""
        for name in self.baselines:
            if name not in BASELINES:
                raise WantedError(
                    f"there is no baseline '{name}' (there are: {', '.join(BASELINES)}). Use these names with --baselines."
                )
        if len(set(self.baselines)) < len(self.baselines):
            raise WantedError("a baseline is named more than once. Name each once with --baselines.")
        if self.figure is not None and self.figure.suffix not in FIGURES:
            raise WantedError(
                f"a figure is written as {', '.join(FIGURES[:-1])} or {FIGURES[-1]}, not as '{self.figure.name}'. Name such a file with --figure."
            )
        if self.parquet is not None:
            _installed("--parquet", "DuckDB", DUCKDB)
        if self.figure is not None:
            _installed("--figure", "Matplotlib", MATPLOTLIB)
        files = [path for path in (self.json, self.parquet, self.figure) if path is not None]
        if len(set(files)) < len(files):
            raise WantedError("two results would go into one file. Name a file for each.")


def _installed(option: str, name: str, requirement: str) -> None:
    if find_spec(requirement.partition("~")[0]) is None:
        raise WantedError(
            f"{option} needs {name}, which is not installed. Get it: .venv/bin/pip install '{requirement}'"
        )


def baselines_of(text: str) -> tuple[str, ...]:
    """`centralised,cdsgd` as names; empty parts are left out."""
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
