"""Small pilots and data, quick enough to run whole pilots in a test."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dimat.data_spec import DataSpec
from dimat.merging.registry import METHODS
from dimat.model_spec import MlpSpec
from dimat.parts import EvaluationSpec
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.simulate import RowsOf
from dimat.spec import PilotSpec
from dimat.steps import StepContext
from dimat.training.repeatable import compute_repeatably


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    compute_repeatably()


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., PilotSpec]:
    """A valid pilot of `num_sites` sites; keywords replace its parts."""

    def make(num_sites: int = 4, **changes: Any) -> PilotSpec:
        content: dict[str, Any] = {
            "name": "small",
            "rounds": 2,
            "sites": [
                {"name": f"site-{i}", "data": {"kind": "sample", "dataset": "pendigits"}}
                for i in range(num_sites)
            ],
            "topology": {"kind": "ring"},
            "data": {"rows_per_site": 60},
            "model": {"kind": "mlp", "hidden": [12, 8]},
            "train": {"warmup_epochs": 2},
            "merge": {"probe": {"rows": 40}},
            "arms": [{"name": method, "method": method} for method in METHODS],
        }
        return PilotSpec.model_validate({**content, **changes})

    return make


@pytest.fixture(scope="session")
def table() -> Table:
    """1,200 rows of 16 features around one centre for each of 10 classes."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(10, 16)) * 2
    labels = rng.permutation(np.repeat(np.arange(10), 120))
    return Table((centres[labels] + rng.normal(size=(1200, 16))).astype(np.float32), labels, 10)


@pytest.fixture(scope="session")
def images() -> Table:
    """200 grey images of 8 x 8 pixels in 4 classes."""
    rng = np.random.default_rng(8)
    centres = rng.normal(size=(4, 1, 8, 8))
    labels = rng.permutation(np.repeat(np.arange(4), 50))
    return Table((centres[labels] + rng.normal(size=(200, 1, 8, 8))).astype(np.float32), labels, 4)


@pytest.fixture(scope="session")
def site_rows(table: Table) -> tuple[SiteRows, ...]:
    return all_site_rows(table, DataSpec(rows_per_site=60), ("a", "b", "c", "d"), seed=3)


@pytest.fixture(scope="session")
def image_rows(images: Table) -> tuple[SiteRows, ...]:
    return all_site_rows(images, DataSpec(rows_per_site=50), ("a", "b"), seed=3)


@pytest.fixture(scope="session")
def make_context() -> Callable[..., StepContext]:
    def make(**changes: Any) -> StepContext:
        values: dict[str, Any] = {
            "seed": 3,
            "round": 1,
            "rounds": 2,
            "site_index": 0,
            "site_name": "a",
            "num_sites": 4,
            "model": MlpSpec(hidden=(12, 8)),
            "evaluation": EvaluationSpec(),
        }
        return StepContext(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def rows_of(table: Table) -> RowsOf:
    shares: dict[int, tuple[SiteRows, ...]] = {}

    def of(seed: int, site: int) -> SiteRows:
        if seed not in shares:
            names = tuple(f"site-{i}" for i in range(4))
            spec = PilotSpec.model_fields["data"].get_default()
            shares[seed] = all_site_rows(table, spec.model_copy(update={"rows_per_site": 60}), names, seed)
        return shares[seed][site]

    return of
