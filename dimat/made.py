"""What the steps of a run made, as long as a later step reads it: what a simulated run needs of memory does not grow with its rounds."""

from collections import Counter

from dimat import told
from dimat.schedule import Schedule, StepKey
from dimat.wire.sending import Artifacts


class Made:
    """Artifacts by the step that made them. Those of the sites' last models stay."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._held: dict[StepKey, Artifacts] = {}
        last = (schedule.last_trained(site) for site in range(schedule.num_sites))
        self._unread = Counter(step for step in last if step is not None)
        for step in schedule.all_steps():
            self._unread.update(told.read_by(schedule, step))

    def __getitem__(self, step: StepKey) -> Artifacts:
        return self._held[step]

    def __len__(self) -> int:
        return len(self._held)

    def add(self, step: StepKey, artifacts: Artifacts) -> None:
        """Keeps what `step` made, and lets go of what it was the last one to read."""
        self._held[step] = artifacts
        read = told.read_by(self._schedule, step)
        self._unread.subtract(read)
        for one in (step, *read):
            if self._unread[one] == 0:
                self._held.pop(one, None)
