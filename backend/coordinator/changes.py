"""What one report, or time, changed in a transaction: collected here, acted on once the batch is taken in."""

from collections import defaultdict
from dataclasses import dataclass, field

from backend.coordinator.ports import Execution
from backend.db.tables import StepRow
from backend.events.service import Line


@dataclass
class Changes:
    """
    Attributes:
        finished: steps that completed.
        failed: steps that failed for good; their `reason` says why.
        broken: steps on which the coordinator itself failed, and how; their rows are as before.
        runs: ids of runs that changed, with amounts to add to their counters.
        events: lines of the public log about steps that completed, in their order.
        look: a command may have been committed.
        flags: cancel flags to raise after the commit.
        allowed: flags that must not be up, to be taken down after the commit; one that is raised, too, is raised.
        refused: by name sites that have workers and get no work, and why (`Inbox.refuse`).
        stuck: executions that did not heed their flag, to be killed after the commit.
    """

    finished: list[StepRow] = field(default_factory=list)
    failed: list[StepRow] = field(default_factory=list)
    broken: list[tuple[StepRow, Exception]] = field(default_factory=list)
    runs: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    events: list[Line] = field(default_factory=list)
    look: bool = False
    flags: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    stuck: set[Execution] = field(default_factory=set)

    def touch(self, run_id: str | None, **amounts: float) -> None:
        if run_id is None:
            return
        counters = self.runs[run_id]
        for name, amount in amounts.items():
            counters[name] += amount

    def join(self, other: "Changes") -> None:
        self.finished += other.finished
        self.failed += other.failed
        self.broken += other.broken
        for run_id, amounts in other.runs.items():
            self.touch(run_id, **amounts)
        self.events += other.events
        self.look |= other.look
        self.flags |= other.flags
        self.allowed |= other.allowed
        self.refused |= other.refused
        self.stuck |= other.stuck
