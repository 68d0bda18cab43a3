"""What Prometheus is told of runs, steps, sites and parts of the server. Pure: facts in, families of numbers out.

Labels are states, kinds and parts only. No name of a site, pilot or person, no id, no accuracy: those would grow without
end, and who may see the numbers need not see them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from backend.runs.states import RUN, SITE, STEP, STEP_ENDS

Counted = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Attributes:
        steps: (kind, state) -> number.
        exchanged_bytes: by result of the exchange.
        heartbeat_age_s: by part, seconds since the latest sign of life of any of its processes.
        workers: by placement, those that live.
        queues: lengths by queue; None when the broker does not answer.
    """

    runs: Counted
    sites: Counted
    steps: Mapping[tuple[str, str], int]
    attempts_lost: int
    exchanged_bytes: Counted
    heartbeat_age_s: Counted
    workers: Counted
    queues: Counted | None


def of_server(facts: Facts) -> Iterator[Metric]:
    yield _gauge("awase_runs", "Runs by state.", "state", _all(RUN, facts.runs))
    yield _gauge("awase_sites", "Sites by state.", "state", _all(SITE, facts.sites))
    open_steps = GaugeMetricFamily("awase_steps", "Steps that have not ended.", labels=("kind", "state"))
    ended = CounterMetricFamily("awase_steps_ended", "Steps that have ended.", labels=("kind", "result"))
    for kind in sorted({kind for kind, _ in facts.steps}):
        for state in STEP:
            num = facts.steps.get((kind, state), 0)
            (ended if state in STEP_ENDS else open_steps).add_metric((kind, state), num)
    yield from (open_steps, ended)
    yield CounterMetricFamily(
        "awase_attempts_lost", "Attempts of steps that were lost or failed, after which another was made.",
        value=facts.attempts_lost,
    )  # fmt: skip
    exchanged = CounterMetricFamily("awase_exchanged_bytes", "Bytes that crossed links.", labels=("result",))
    for result, num_bytes in _all(
        ("accepted", "rejected", "wasted", "failed"), facts.exchanged_bytes
    ).items():
        exchanged.add_metric((result,), num_bytes)
    yield exchanged
    yield _gauge(
        "awase_heartbeat_age_seconds",
        "Since the latest sign of life of a part.",
        "part",
        facts.heartbeat_age_s,
    )
    yield _gauge("awase_workers", "Workers that live, by placement.", "placement", facts.workers)
    yield GaugeMetricFamily(
        "awase_broker_up", "Whether the broker answers.", value=float(facts.queues is not None)
    )
    if facts.queues is not None:
        yield _gauge("awase_queue_length", "Messages that wait.", "queue", facts.queues)


def _all(known: Iterable[str], found: Counted) -> Counted:
    """Zero for what there is none of: an alert must not depend on whether there ever was one."""
    return {**dict.fromkeys(known, 0), **found}


def _gauge(name: str, help: str, label: str, values: Counted) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
