"""A step's end is always reported, whatever stopped it."""

import shutil
import threading
from pathlib import Path

import pytest
from safetensors.torch import load

from dimat.data_spec import DataSpec
from dimat.model_spec import MlpSpec
from dimat.parts import EvaluationSpec, MergeSpec, TrainSpec, WireSpec
from dimat.spec import SiteSpec
from dimat.wire.codec import encode
from worker.artifacts import DirectoryStore, StoreUnavailable, open_store
from worker.execution import Execution
from worker.messages.refs import ArtifactRef
from worker.messages.reports import Report, StepBeat, StepFailed, StepFinished, StepStarted
from worker.messages.steps import (
    NO_STORE,
    AlignMessage,
    EvaluateMessage,
    PrepareMessage,
    SiteContext,
    StepMessage,
)


class Heard:
    """The reports of one execution, in order."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.beaten = threading.Event()

    def send(self, report: Report, until_taken: bool = True) -> None:
        self.reports.append(report)
        if isinstance(report, StepBeat):
            self.beaten.set()

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        return False


def prepare(step_id: str = "s", warmup_epochs: int = 0) -> PrepareMessage:
    site = SiteSpec.model_validate({"name": "site-01", "data": {"dataset": "pendigits"}})
    context = SiteContext(
        site=site, index=0, num_sites=2, site_names=("site-01", "site-02"), seed=1,
        data=DataSpec(rows_per_site=20), evaluation=EvaluationSpec(),
    )  # fmt: skip
    return PrepareMessage(
        step_id=step_id, attempt=1, pilot_id="p", run_id=None, context=context, model=MlpSpec(hidden=(4,)),
        train=TrainSpec(warmup_epochs=warmup_epochs),
    )  # fmt: skip


def test_a_store_of_an_unknown_kind_cannot_be_opened() -> None:
    with pytest.raises(StoreUnavailable, match="nowhere://"):
        open_store("nowhere://bucket/x")


def test_a_step_whose_store_cannot_be_opened_says_so() -> None:
    heard = Heard()
    Execution(prepare(), "w", heard, 4.0).run(lambda: open_store("nowhere://bucket/x"), "cpu")
    started, failed = heard.reports
    assert isinstance(started, StepStarted)
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("store_unreachable", True)
    assert failed.cpu_s is not None


@pytest.mark.parametrize("trouble", ["removed", "damaged"])
def test_a_model_that_cannot_be_read_is_tried_again_under_its_own_name(trouble: str, tmp_path: Path) -> None:
    heard, store, message = Heard(), DirectoryStore(tmp_path), prepare()
    Execution(message, "w", heard, 4.0).run(lambda: store, "cpu")
    made = heard.reports[-1]
    assert isinstance(made, StepFinished)
    assert made.artifact is not None
    file = next(tmp_path.rglob(made.artifact.sha256))
    if trouble == "removed":
        file.unlink()
    else:
        file.write_bytes(b"x" + file.read_bytes()[1:])
    evaluate = EvaluateMessage(
        step_id="e", attempt=1, pilot_id="p", run_id="r", context=message.context, model=message.model, round=0,
        own=made.artifact,
    )  # fmt: skip
    Execution(evaluate, "w", heard, 4.0).run(lambda: store, "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert failed.retryable
    assert failed.code == {"removed": "artifact_missing", "damaged": "artifact_invalid"}[trouble]
    assert failed.params["sha256"] == made.artifact.sha256


def test_a_number_too_large_to_be_sent_is_told_by_the_step_that_sends_it(tmp_path: Path) -> None:
    heard, store, message = Heard(), DirectoryStore(tmp_path), prepare()
    Execution(message, "w", heard, 4.0).run(lambda: store, "cpu")
    made = heard.reports[-1]
    assert isinstance(made, StepFinished)
    assert made.artifact is not None
    model = load(store.get(made.artifact))
    name = sorted(model)[0]
    large = store.put(encode({**model, name: model[name] * 0 + 7e5}))
    align = AlignMessage(
        step_id="a", attempt=1, pilot_id="p", run_id="r", context=message.context, model=message.model, own=large,
        parent=None, merge=MergeSpec(), wire=WireSpec(numbers="float16"),
    )  # fmt: skip
    Execution(align, "w", heard, 4.0).run(lambda: store, "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("wire_overflow", False)
    assert failed.params == {"tensor": name, "value": "700000", "numbers": "float16", "most": "65504"}


def test_an_end_is_told_whatever_a_library_said() -> None:
    """Too long for a report, or with a NUL in it, the sentence must not swallow the end of the step."""

    class Odd(DirectoryStore):
        def put(self, content: bytes) -> ArtifactRef:
            raise StoreUnavailable("be used", "disk\0" + 5000 * "x")

    heard = Heard()
    Execution(prepare(), "w", heard, 4.0).run(lambda: Odd(Path()), "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert failed.code == "store_unreachable"
    assert str(failed.params["error"]).startswith("disk\N{REPLACEMENT CHARACTER}xxx")


def test_a_worker_with_another_store_than_the_server_s_makes_nothing_there(tmp_path: Path) -> None:
    heard, message = Heard(), prepare()
    theirs = open_store(str(tmp_path / "server")).identify()
    context = message.context.model_copy(update={"store_id": theirs})
    asked = message.model_copy(update={"context": context})
    Execution(asked, "w", heard, 4.0).run(lambda: open_store(str(tmp_path / "mine")), "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("store_unreachable", True)
    assert failed.params == {"error": "this worker's store is not that of the server"}
    assert not (tmp_path / "mine").exists()
    Execution(asked, "w", heard, 4.0).run(lambda: open_store(str(tmp_path / "server")), "cpu")
    assert isinstance(heard.reports[-1], StepFinished)


def test_a_step_that_was_sent_while_the_server_had_seen_no_store_makes_nothing_anywhere(
    tmp_path: Path,
) -> None:
    heard, message = Heard(), prepare()
    context = message.context.model_copy(update={"store_id": NO_STORE})
    asked = message.model_copy(update={"context": context})
    Execution(asked, "w", heard, 4.0).run(lambda: open_store(str(tmp_path / "store")), "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("store_unreachable", True)
    assert failed.params == {"error": "the server had not seen it yet"}
    assert not (tmp_path / "store").exists()


def test_what_was_put_while_the_store_was_not_mounted_is_made_again(tmp_path: Path) -> None:
    """The directory below took it; the step had been told as finished, and the run failed for want of its model."""
    here, aside = tmp_path / "store", tmp_path / "aside"

    class AwayForAPut(DirectoryStore):
        def put(self, content: bytes) -> ArtifactRef:
            here.rename(aside)
            try:
                return super().put(content)
            finally:
                shutil.rmtree(here)
                aside.rename(here)

    heard, message = Heard(), prepare()
    context = message.context.model_copy(update={"store_id": open_store(str(here)).identify()})
    asked = message.model_copy(update={"context": context})
    Execution(asked, "w", heard, 4.0).run(lambda: AwayForAPut(here), "cpu")
    failed = heard.reports[-1]
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("store_unreachable", True)
    assert failed.params == {"error": "it was away meanwhile"}


def test_a_step_shows_that_it_lives_and_how_far_it_is(tmp_path: Path) -> None:
    heard = Heard()

    class Slow(DirectoryStore):
        """Takes as long as it takes until another sign of life has been heard."""

        def put(self, content: bytes) -> ArtifactRef:
            heard.beaten.clear()
            assert heard.beaten.wait(60)
            return super().put(content)

    Execution(prepare(warmup_epochs=1), "w", heard, step_beat_s=0.01).run(lambda: Slow(tmp_path), "cpu")
    started, *beats, finished = heard.reports
    assert isinstance(started, StepStarted)
    assert isinstance(finished, StepFinished)
    progress = [beat.progress for beat in beats if isinstance(beat, StepBeat)]
    assert len(progress) == len(beats) >= 1
    assert progress == sorted(progress)
    assert progress[-1] == 1  # it is trained; what is left is to store it
