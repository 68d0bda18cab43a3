"""What the coordinator needs of the way to its sites, whatever that way is.

Every implementation passes the conformance suite `tests/backend/coordinator/test_ports.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from worker.messages.steps import StepMessage


class PortUnavailable(Exception):
    """The other side cannot be reached now; try again later."""


class Execution(NamedTuple):
    """A step under way at a worker."""

    worker_id: str
    id: str


class Inbox(Protocol):
    """The way down: steps to sites. Every method raises PortUnavailable."""

    def send(self, messages: Sequence[StepMessage]) -> None:
        """Puts each step into its site's queue, in this order; it waits there for as long as the site is away. After an error
        nobody knows which of them were sent."""
        ...

    def waiting(self, site_names: Collection[str]) -> dict[str, int]:
        """How many steps wait in each site's queue."""
        ...

    def serve(self, site_name: str, worker_id: str) -> None:
        """Asks a worker to take steps of this site, too."""
        ...

    def cancel(self, flags: Sequence[str]) -> None:
        """Asks steps to stop that are under way, or that begin yet; `flags`: see `worker.messages.keys.cancel_key`,
        `recall_key` and `superfluous_key`."""
        ...

    def allow(self, flags: Collection[str]) -> None:
        """Takes back what `cancel` asked for, also long ago, and what was never asked."""
        ...

    def refuse(self, sites: Mapping[str, str]) -> None:
        """Tells the workers of these sites why those get no work: `unknown` or `revoked`. Forgotten after a minute."""
        ...

    def kill(self, executions: Collection[Execution]) -> None:
        """Asks workers to kill the processes of these executions, if they still run. Nobody answers; a
        worker that is not there does not hear it later either."""
        ...


class Reports(Protocol):
    """The way up: reports at least once, in about the order they were sent."""

    def take(self, limit: int, wait_s: float) -> list[bytes]:
        """The oldest reports, at most `limit`; waits up to `wait_s` for the first one.

        What was taken and not acknowledged comes again, first, from the next `take` of a new process.
        Raises: PortUnavailable.
        """
        ...

    def acknowledge(self) -> None:
        """Everything taken so far has been committed. Raises: PortUnavailable."""
        ...
