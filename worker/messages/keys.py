"""Where messages and reports travel, and where steps are told that they count no more: names of queues, lists and keys."""


def site_queue(site_name: str) -> str:
    """The Celery queue of a site."""
    return f"site.{site_name}"


REPORTS_LIST = "awase:reports"
"""The Redis list on which reports travel up: pushed on the left, taken from the right."""


def cancel_key(run_id: str) -> str:
    """The Redis key that, while it exists, asks the steps of a run to stop; those that prepare are no run's."""
    return f"awase:cancel:{run_id}"


def refused_key(site_name: str) -> str:
    """The Redis key that, while it exists, tells workers why their site gets no work: `unknown` or `revoked`."""
    return f"awase:refused:{site_name}"


def recall_key(step_id: str, attempt: int) -> str:
    """The Redis key that, while it exists, says that this attempt of a step counts no more: it was taken back before it began, or nobody
    needs what it makes."""
    return f"awase:recall:{step_id}.{attempt}"


def superfluous_key(execution_id: str) -> str:
    """The Redis key that, while it exists, says that another execution of the same attempt counts: the message had arrived twice."""
    return f"awase:superfluous:{execution_id}"
