"""Limits of a site travel with its steps, as they are when those are sent."""

from typing import Any

from sqlalchemy import update

from backend.db.tables import SiteRow
from tests.backend.coordinator.stage import SITES, Stage, spec


def allow(stage: Stage, limits: dict[str, Any] | None) -> None:
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == SITES[0]).values(limits=limits))


def test_what_a_step_may_take_is_what_its_site_allows_when_it_is_sent(stage: Stage) -> None:
    allow(stage, {"threads": 2, "memory_mb": 900, "max_epochs": 1})
    stage.launch(spec())
    found: list[tuple[int | None, int | None]] = []
    for _ in range(2):
        stage.turn()
        for message in stage.waiting():
            limits = (message.limits.threads, message.limits.memory_mb)
            if message.context.site.name == SITES[0]:
                found.append(limits)
            else:
                assert limits == (None, None)
            stage.finish(message, stage.begin(stage.take(message)))
        allow(stage, None)
    assert found[0] == (2, 900)
    assert set(found[1:]) == {(None, None)}


def test_a_step_beyond_its_memory_is_not_tried_again(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    about = stage.begin(stage.take(message))
    stage.fail(about, "memory_over_limit", retryable=False)
    stage.fail({**about, "seq": 2**31 - 1}, "worker_lost", retryable=True)  # what its parent saw
    stage.turn()
    assert (stage.step(message).state, stage.step(message).attempt) == ("failed", 1)
    reason = stage.run("p/dimat").reason
    assert reason is not None
    assert reason["code"] == "memory_over_limit"
