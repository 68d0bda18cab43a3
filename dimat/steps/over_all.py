"""The steps in which all sites' models come to one: `gather` adds them up along the tree, `merge_all` takes in the mean."""

from collections.abc import Mapping
from dataclasses import replace

from dimat.errors import NonFiniteParams, SumsImpossible
from dimat.merging import sums
from dimat.merging.mix import Remembered
from dimat.merging.registry import SUMMED
from dimat.merging.sums import SHARE, Sums
from dimat.methods import MOMENTS_OF, Method
from dimat.params import Params, averaged, first_non_finite
from dimat.parts import MergeSpec
from dimat.rows import SiteRows
from dimat.steps.context import StepContext, StepResult, finite, moments_of, stop_if_asked
from dimat.steps.layouts import sums_layout
from dimat.steps.merging import merge_inputs, settled


def gather(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    method: Method,
    own: Params,
    branches: Mapping[int, Sums],
) -> StepResult:
    """The own summand and those of the branches below in the tree, added up for the parent. `federated_average` counts a site
    as often as it has training rows, other methods count each site once; what `ridge_head` solves is a sum over rows.

    Args:
        branches: what the children gathered, by site index. One that is not finite, or cannot be, is left out, with all sites of its
            branch, and is named in `rejected`.

    Raises:
        Cancelled. NonFiniteParams: the own model. KeyError: the method's merge is no sum.
    """
    finite(context, own)
    stop_if_asked(context)
    summed = SUMMED[method]
    moments = moments_of(context, rows, own, MOMENTS_OF.get(method)) or {}
    by_rows = method == "federated_average"
    rejected: dict[int, str] = {}
    for j in sorted(branches):
        if first_non_finite(branches[j].params) or first_non_finite(branches[j].moments):
            rejected[j] = NonFiniteParams.code
        elif summed.first_impossible(branches[j].moments) or not _can_be(
            branches[j], None if by_rows else context.num_sites - 1
        ):
            rejected[j] = SumsImpossible.code
    share = float(len(rows.train_x)) if by_rows else 1.0
    total = sums.add(
        [
            (share, summed.of_site(own, moments, merge)),
            *((1.0, sums.received(branches[j])) for j in sorted(branches) if j not in rejected),
        ]
    )
    sent = sums.for_the_way(total)
    expected = sums_layout(context.model, rows)
    return StepResult(
        params={name: value.to(expected[name][1]) for name, value in sent.params.items()},
        moments={name: value.float() for name, value in sent.moments.items()} if summed.by_moments else None,
        rejected=rejected,
    )


def merge_all(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    method: Method,
    own: Params,
    found: Sums | Params,
    before: Remembered | None = None,
) -> StepResult:
    """Takes in what all sites' models come to, re-estimates norm statistics, evaluates.

    Args:
        found: the sums over all sites at the root of the tree; elsewhere the `mean` that the parent took in.
        before: see `merge`.

    Raises:
        Cancelled. NonFiniteParams: the own model, or the mean.
    """
    finite(context, own)
    summed = SUMMED[method]
    mean = averaged(summed.params_of(sums.received(found), own)) if isinstance(found, Sums) else found
    inputs = replace(
        merge_inputs(context, rows, merge, {context.site_index: own}, {context.site_index: 1.0}),
        before=before,
    )
    merged = summed.finish(inputs, {**own, **finite(context, mean)})
    return replace(settled(context, rows, inputs.model, merged), mean=mean)


def _can_be(branch: Sums, most: int | None) -> bool:
    """Whether a branch holds at least one site, or row, and no more than there can be (None: nobody knows)."""
    share = float(branch.params[SHARE])
    return share >= 1 and (most is None or share <= most)
