"""Sites that answer every step at once with a result of no content: the load of `coordinator.py`, in one process.

    python -m benchmarks.noop_sites BROKER_URL NUM_SITES

It says what real workers say, in the same words and over the same lists: each site has a worker of its own that beats every
four seconds, takes one step after the other from its Celery queue, and reports that it has begun and finished. It stops
with its standard input.
"""

import base64
import hashlib
import itertools
import json
import select
import sys
import time
from typing import Any

import redis

from worker.app import connect
from worker.messages.keys import site_queue
from worker.messages.refs import ArtifactRef
from worker.messages.reports import (
    Accuracies,
    ExchangeReport,
    Purpose,
    Report,
    StepFinished,
    StepStarted,
    WorkerBeat,
)
from worker.messages.steps import AlignMessage, MergeMessage, StepMessage, TrainMessage, step_message
from worker.reporting import REPORTS_LIST

MODEL_BYTES = 90_000
BEAT_S = 4.0
POLL_S = 0.01
# One step of each site's queue, as a worker with one process takes them; one way to the broker and back for all sites.
_TAKE = "local f = {}\nfor _, k in ipairs(KEYS) do local m = redis.call('RPOP', k); if m then f[#f+1] = m end end\nreturn f"


def site_name(index: int) -> str:
    return f"site-{index:04}"


class Sites:
    """All workers of all sites."""

    def __init__(self, broker: redis.Redis, num_sites: int) -> None:
        self._broker = broker
        self._take: Any = broker.register_script(_TAKE)
        self._names = [site_name(index) for index in range(num_sites)]
        self._queues = [site_queue(name) for name in self._names]
        self._beats = itertools.cycle(self._names)
        self._said = 0
        self._began = time.monotonic()

    def work(self) -> int:
        """Beats that are due, and all steps that wait now; how many steps there were."""
        reports: list[Report] = [self._beat(next(self._beats)) for _ in range(self._beats_due())]
        bodies: list[bytes] = self._take(keys=self._queues)
        for body in bodies:
            reports += answers(*_unpacked(body))
        if reports:
            self._broker.lpush(REPORTS_LIST, *(report.model_dump_json() for report in reports))
        return len(bodies)

    def _beats_due(self) -> int:
        """All sites at the start, then evenly over time."""
        whole = len(self._names) * (1 + (time.monotonic() - self._began) / BEAT_S)
        due, self._said = int(whole) - self._said, int(whole)
        return due

    def _beat(self, name: str) -> WorkerBeat:
        return WorkerBeat(
            worker_id=_worker_of(name), placement="site", hostname=name, pid=1, queues=(site_queue(name),),
            device="cpu", concurrency=1,
        )  # fmt: skip


def answers(message: StepMessage, execution_id: str) -> list[Report]:
    """What a worker says of a step: begun, and finished."""
    about: dict[str, Any] = {
        "worker_id": _worker_of(message.context.site.name), "step_id": message.step_id, "attempt": message.attempt,
        "execution_id": execution_id,
    }  # fmt: skip
    is_prepare, makes_model = message.kind == "prepare", message.kind != "evaluate"
    keeps = (
        isinstance(message, TrainMessage) and message.train.keep_momentum and message.round < message.rounds
    )
    end = StepFinished(
        artifact=_made("model", message) if makes_model else None,
        momentum=_made("momentum", message) if keeps else None,
        moments=_made("moments", message) if getattr(message, "tell", None) else None,
        num_epochs=message.train.epochs if isinstance(message, TrainMessage) else None,
        accuracies=Accuracies(own_site=0.9, all_site=0.8, validation=0.7),
        exchanges=tuple(_exchanges(message)),
        uploaded_bytes=MODEL_BYTES if makes_model else 0,
        seconds=0.0, cpu_s=0.0, device="cpu",
        fingerprint="f" * 64 if is_prepare else None, num_rows=10 if is_prepare else None,
        seq=1, **about,
    )  # fmt: skip
    return [StepStarted(device="cpu", pid=1, seq=0, **about), end]


def _exchanges(message: StepMessage) -> list[ExchangeReport]:
    def one(from_index: int, purpose: Purpose) -> ExchangeReport:
        return ExchangeReport(
            from_index=from_index, to_index=message.context.index, purpose=purpose, num_bytes=MODEL_BYTES, seconds=0.0
        )  # fmt: skip

    if isinstance(message, MergeMessage):
        models = [one(neighbour.index, "merge") for neighbour in message.neighbours]
        return models + [one(n.index, "moments") for n in message.neighbours if n.moments is not None]
    if isinstance(message, AlignMessage) and message.parent is not None:
        return [one(message.parent.index, "align")]
    return []


def _made(what: str, message: StepMessage) -> ArtifactRef:
    name = f"{what} {message.step_id}"
    return ArtifactRef(sha256=hashlib.sha256(name.encode()).hexdigest(), num_bytes=MODEL_BYTES)


def _unpacked(body: bytes) -> tuple[StepMessage, str]:
    """A step and the id of its execution, from a message of Celery's."""
    envelope = json.loads(body)
    arguments, _, _ = json.loads(base64.b64decode(envelope["body"]))
    return step_message.validate_json(arguments[0]), envelope["headers"]["id"]


def _worker_of(name: str) -> str:
    return f"worker-{name}@benchmark"


def main(broker_url: str, num_sites: int) -> int:
    sites = Sites(connect(broker_url), num_sites)
    while not select.select([sys.stdin], [], [], 0)[0]:
        if not sites.work():
            time.sleep(POLL_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
