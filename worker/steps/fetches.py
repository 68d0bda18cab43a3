"""What a step will fetch over links, worked out from its message alone: told before the first byte moves."""

from collections.abc import Mapping, Sequence

from worker.messages import (
    AdoptMessage,
    AlignMessage,
    FetchDue,
    GatherMessage,
    MergeAllMessage,
    MergeMessage,
    NeighbourRef,
    Purpose,
    StepMessage,
)

PURPOSES: Mapping[str, Purpose] = {"align": "align", "adopt": "join"}
"""For what a neighbour's model is fetched, by kind of step; else to be merged."""


def purpose_of(message: StepMessage) -> Purpose:
    """Of the models that the step fetches."""
    return PURPOSES.get(message.kind, "merge")


def fetches_of(message: StepMessage) -> tuple[FetchDue, ...]:
    """Everything of other sites that the step reads. The site's own artifacts cross no link."""
    due: list[FetchDue] = []
    for ref in _sources(message):
        num_bytes = ref.artifact.num_bytes
        due.append(FetchDue(from_index=ref.index, purpose=purpose_of(message), num_bytes=num_bytes))
        if ref.moments is not None:
            due.append(FetchDue(from_index=ref.index, purpose="moments", num_bytes=ref.moments.num_bytes))
    return tuple(due)


def _sources(message: StepMessage) -> Sequence[NeighbourRef]:
    match message:
        case AdoptMessage():
            return (message.source,)
        case AlignMessage() | MergeAllMessage():
            return () if message.parent is None else (message.parent,)
        case GatherMessage():
            return message.branches
        case MergeMessage():
            return message.neighbours
        case _:
            return ()
