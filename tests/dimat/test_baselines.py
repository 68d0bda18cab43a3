"""What studies compare with: pooled data, and exchange at every batch."""

from collections.abc import Callable

import pytest
import torch

from dimat.baselines import _pushing, cdsgd, centralised, sgp
from dimat.rows import SiteRows
from dimat.spec import PilotSpec
from dimat.topology_spec import TopologySpec

MakeSpec = Callable[..., PilotSpec]
# A round of the small pilots is a single batch.
LONG = {"warmup_epochs": 2, "epochs": 60, "lr": 0.2, "warmup_lr": 0.05}


@pytest.mark.parametrize("baseline", [centralised, cdsgd, sgp])
def test_it_learns_and_gives_the_same_twice(
    baseline: Callable[..., object], make_spec: MakeSpec, site_rows: tuple[SiteRows, ...]
) -> None:
    spec, rows = make_spec(rounds=3, train=LONG), site_rows[:4]
    found = baseline(spec, rows, 1)
    assert found == baseline(spec, rows, 1)
    assert [one.round for one in found] == [0, 1, 2, 3]  # type: ignore[attr-defined]
    means = [sum(m.all_site or 0 for m in one.after_train) / 4 for one in found]  # type: ignore[attr-defined]
    assert means[-1] > means[0]


def test_all_sites_hold_almost_one_model_when_each_reads_all_at_every_batch(
    make_spec: MakeSpec, site_rows: tuple[SiteRows, ...]
) -> None:
    """W = 1/n: before the steps of a batch all are the mean, so that they differ by one step at most."""
    spec = make_spec(rounds=2, topology={"kind": "full"}, train=LONG)
    found = [[m.all_site or 0 for m in one.after_train] for one in cdsgd(spec, site_rows[:4], 1)]
    assert max(found[-1]) - min(found[-1]) < 0.02
    assert min(found[-1]) > 0.25  # of ten classes


def test_bytes_are_those_of_a_model_over_every_link_at_every_batch(
    make_spec: MakeSpec, site_rows: tuple[SiteRows, ...]
) -> None:
    spec = make_spec(rounds=2)  # a ring of 4: 8 directed links; 60 rows in batches of 32: one whole batch
    size = 16 * 12 + 12 + 12 * 8 + 8 + 8 * 10 + 10
    batches = len(site_rows[0].train_x) // 32
    assert [one.bytes_so_far for one in sgp(spec, site_rows[:4], 1)] == [
        round * batches * 8 * 4 * size for round in range(3)
    ]


def test_a_push_gives_all_of_a_site_s_mass_away() -> None:
    for kind in ("ring", "star", "line", "full", "one_peer"):
        given = _pushing(TopologySpec(kind=kind).build([f"site-{i}" for i in range(5)]))
        torch.testing.assert_close(given.sum(dim=0), torch.ones(5))


@pytest.mark.parametrize("baseline", [cdsgd, sgp])
def test_a_graph_that_changes_with_every_merge_changes_with_every_batch(
    baseline: Callable[..., object], make_spec: MakeSpec, site_rows: tuple[SiteRows, ...]
) -> None:
    """Where steps do next to nothing, two batches of pairs leave one model at four sites."""
    train = {"warmup_epochs": 2, "epochs": 2, "lr": 1e-9}
    spec = make_spec(rounds=1, topology={"kind": "one_peer"}, train=train)
    found = [m.all_site for m in baseline(spec, site_rows[:4], 1)[-1].after_train]  # type: ignore[index]
    assert len(set(found)) == 1
    alone = [m.all_site for m in baseline(spec, site_rows[:4], 1)[0].after_train]  # type: ignore[index]
    assert len(set(alone)) > 1
