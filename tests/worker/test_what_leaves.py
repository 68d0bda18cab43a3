"""What steps hand out holds no row of a site's data: looked for in the bytes, and by what a message can name at all.

Every kind of step is executed. A step that put its rows, or some of them, into an artifact, a checkpoint or a report would fail here.
"""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel
from safetensors.numpy import load

from backend.coordinator.known import MADE
from backend.coordinator.plans import Artifacts, Made, RunPlan, StepId
from backend.exchanges.raw_data import CARRIES
from dimat.absence import Absence
from dimat.schedule import StepKey, StepKind
from dimat.spec import PilotSpec
from dimat.wire.compression import decompress, is_compressed
from dimat.wire.deltas import MAGIC
from tests.worker.test_distributed import Heard, in_order
from worker.artifacts import DirectoryStore
from worker.data.samples import load_site_rows
from worker.execution import Execution
from worker.messages.refs import ArtifactRef, DeltaRef
from worker.messages.reports import Purpose, Report, StepBeat, StepFinished
from worker.messages.steps import NeighbourRef, StepMessage

SITES = 4


def pilot(method: str, rows_per_site: int = 40, **arm: Any) -> PilotSpec:
    return PilotSpec.model_validate(
        {
            "name": "small", "rounds": 3, "topology": {"kind": "line"}, "data": {"rows_per_site": rows_per_site},
            "model": {"kind": "mlp", "hidden": [6]}, "train": {"warmup_epochs": 2, "keep_momentum": True},
            "merge": {"probe": {"rows": 16}},
            "sites": [{"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(SITES)],
            "arms": [{"name": "arm", "method": method, **arm}],
        }
    )  # fmt: skip


ARMS = {
    "matched": pilot("dimat"),
    "moments": pilot("regmean"),
    "over all": pilot("regmean", merge={"over": "tree"}),
    "head": pilot("common_basis", merge={"ridge_head": True, "over": "tree"}),
    "gradients": pilot("fisher"),
    "differences": pilot("dimat", merge={"wire": {"compress": True, "deltas": True}}),
}
AWAY = (Absence(site="s1", from_round=1, until_round=3),)


def executed(spec: PilotSpec, store: DirectoryStore, absences: tuple[Absence, ...] = ()) -> list[Report]:
    """All reports of the run's steps, of every kind that its arm has."""
    plan = RunPlan(spec, "arm", spec.seeds[0], (), absences)
    artifacts: Artifacts = {}
    told: list[Report] = []
    for step in [*(StepKey(0, "prepare", site) for site in range(SITES)), *in_order(plan)]:
        message: StepMessage = plan.message(step, StepId(str(step), 1, "p", "r"), artifacts, None)
        heard = Heard()
        Execution(message, "w", heard, 4.0, checkpoint_every_s=0.0).run(lambda: store, "cpu")
        end = heard.reports[-1]
        assert isinstance(end, StepFinished), end
        told += heard.reports
        made = end.artifact or message.own  # type: ignore[union-attr]
        artifacts[step] = Made(made, *(getattr(end, name) for name in MADE[1:] if name in Made.__slots__))
    return told


class Keeping(DirectoryStore):
    """Keeps what was removed again, too: checkpoints."""

    def remove(self, ref: ArtifactRef) -> None:
        pass


def unpacked(content: bytes) -> bytes:
    """What is in an artifact, of a difference the bits that differ."""
    packed = content[len(MAGIC) + 32 :] if content[: len(MAGIC)] == MAGIC else content
    return decompress(packed, 10**6) if is_compressed(packed) else packed


@pytest.mark.parametrize("arm", ARMS)
def test_no_row_of_any_site_is_in_what_its_steps_hand_out(arm: str, tmp_path: Path) -> None:
    spec, store = ARMS[arm], Keeping(tmp_path)
    told = executed(spec, store, AWAY if arm == "matched" else ())
    assert any(isinstance(one, StepBeat) and one.checkpoint is not None for one in told)
    files = [unpacked(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.read_bytes()[:3] == MAGIC for path in tmp_path.rglob("?" * 64)) == (arm == "differences")
    reports = "\n".join(one.model_dump_json() for one in told)
    assert len(files) > SITES
    for site in range(SITES):
        rows = load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, spec.seeds[0])
        for row in np.asarray(rows.train_x, dtype=np.float32):
            assert not any(row.tobytes() in content for content in files)
            assert f"{row[0]},{row[1]},{row[2]}" not in reports.replace(" ", "")


@pytest.mark.parametrize("arm", ARMS)
def test_what_is_handed_out_is_laid_out_alike_however_many_rows_a_site_has(arm: str, tmp_path: Path) -> None:
    def shapes(num_rows: int) -> set[Any]:
        spec = ARMS[arm]
        more = spec.model_copy(update={"data": spec.data.model_copy(update={"rows_per_site": num_rows})})
        store = DirectoryStore(tmp_path / str(num_rows))
        executed(more, store)
        found = set()
        for path in store.root.rglob("?" * 64):
            content = path.read_bytes()
            if content[: len(MAGIC)] == MAGIC:  # bits of a model, as many as it has
                found.add(len(unpacked(content)))
                continue
            tensors = load(unpacked(content))
            found.add(tuple(sorted((name, value.shape, str(value.dtype)) for name, value in tensors.items())))
        return found

    assert shapes(40) == shapes(64)


def test_the_arms_looked_at_have_steps_of_every_kind() -> None:
    found = {"prepare"}
    for arm, spec in ARMS.items():
        plan = RunPlan(spec, "arm", spec.seeds[0], (), AWAY if arm == "matched" else ())
        found |= {step.kind for step in in_order(plan)}
    assert found == set(get_args(StepKind))


def test_other_sites_are_handed_only_what_the_ledger_knows_to_carry_no_rows() -> None:
    """A message has no other way to name something of another site, and a step no other way to hand it out."""
    assert set(get_args(Purpose)) == set(CARRIES)
    assert _refs(NeighbourRef) == {"artifact", "moments", "delta"}
    assert _refs(StepFinished) == set(MADE)
    kinds = get_args(get_args(StepMessage)[0])
    of_others = {(kind.__name__, name) for kind in kinds for name in _fields(kind, NeighbourRef)}
    assert of_others == {
        ("AdoptMessage", "source"), ("AlignMessage", "parent"), ("GatherMessage", "branches"),
        ("MergeMessage", "neighbours"), ("MergeAllMessage", "parent"),
    }  # fmt: skip


def _refs(of: type[BaseModel]) -> set[str]:
    return _fields(of, ArtifactRef) | _fields(of, DeltaRef)


def _fields(of: type[BaseModel], kind: type[BaseModel]) -> set[str]:
    return {name for name, field in of.model_fields.items() if kind.__name__ in str(field.annotation)}
