"""What a step will fetch over links, worked out from its message alone: told before the first byte moves."""

from collections.abc import Callable, Mapping, Sequence

from dimat.wire.deltas import is_of_use
from worker.messages.refs import ArtifactRef
from worker.messages.reports import FetchDue, Purpose
from worker.messages.steps import (
    AdoptMessage,
    AlignMessage,
    GatherMessage,
    MergeAllMessage,
    MergeMessage,
    NeighbourRef,
    StepMessage,
)

PURPOSES: Mapping[str, Purpose] = {"align": "align", "adopt": "join"}
"""For what a neighbour's model is fetched, by kind of step; else to be merged."""


def purpose_of(message: StepMessage) -> Purpose:
    """Of the models that the step fetches."""
    return PURPOSES.get(message.kind, "merge")


def keeps_what_it_fetches(message: StepMessage) -> bool:
    """Whether the site keeps the models that come with this step: as `dimat.told.keeps_what_it_fetches`."""
    return isinstance(message, MergeMessage) and message.merge.wire.deltas


def fetches_of(
    message: StepMessage, held: Callable[[int], str | None] = lambda _: None
) -> tuple[FetchDue, ...]:
    """Everything of other sites that the step reads. The site's own artifacts cross no link.

    Args:
        held: by index of a neighbour the name of the model that the site still has of it, None: none.
    """
    due: list[FetchDue] = []
    for ref in _sources(message):
        num_bytes = _model(ref, held).num_bytes
        due.append(FetchDue(from_index=ref.index, purpose=purpose_of(message), num_bytes=num_bytes))
        if ref.moments is not None:
            due.append(FetchDue(from_index=ref.index, purpose="moments", num_bytes=ref.moments.num_bytes))
    return tuple(due)


def _model(ref: NeighbourRef, held: Callable[[int], str | None]) -> ArtifactRef:
    """As what it is fetched."""
    if ref.delta is not None and is_of_use(ref.delta.against, held(ref.index)):
        return ref.delta
    return ref.artifact


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
