"""How much raw data an exchange carried: nothing, and why that can be said of every row of the ledger.

What one site fetches of another is an artifact that a message names, in one of the ways of `worker.messages.reports.Purpose`. Whoever fetches it
decodes it against names, shapes and dtypes that follow from the pilot's model and method alone, and refuses everything else: there
is no tensor in which a row could lie. So the question is only what kinds there are, and this is their closed list: a new way to
fetch something has no place in it until somebody says what it carries.
`tests/worker/test_what_leaves.py` looks for rows of every site in all that its steps hand out.
"""

from collections.abc import Mapping
from typing import Literal

Carried = Literal["params", "second_moments", "rows"]
CARRIES: Mapping[str, Carried] = {
    "align": "params",
    "join": "params",
    "merge": "params",  # of a model, or the sum or mean of those of several sites
    "difference": "params",  # which bits of a model are others than in the one before
    "moments": "second_moments",  # of features of hidden layers, or of gradients: sums over all rows
}
"""By what an exchange was fetched for."""


def raw_data_bytes(fetched_for: str, num_bytes: int) -> int:
    """How many of an exchange's bytes were rows of a site's data. Raises: KeyError, for what nobody has looked at."""
    return num_bytes if CARRIES[fetched_for] == "rows" else 0
