"""What a run holds in memory."""

from collections.abc import Callable
from typing import Any

import pytest

from dimat.made import Made
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from dimat.wire.sending import Artifacts

MakeSpec = Callable[..., PilotSpec]


@pytest.mark.parametrize(
    "arm",
    [
        {"method": "local_only"},
        {"method": "dimat", "merge": {"wire": {"numbers": "int8"}, "merge_every": 3}},
        {"method": "slowmo", "train": {"keep_momentum": True, "own_model": True}},
        {"method": "regmean", "merge": {"over": "tree", "ridge_head": True}},
        {"method": "dimat_guarded", "merge": {"warm_start": True}, "topology": {"kind": "one_peer"}},
    ],
    ids=lambda arm: str(arm["method"]),
)
def test_only_what_a_later_step_reads_is_kept(arm: dict[str, Any], make_spec: MakeSpec) -> None:
    """Of 60 rounds as little as of 12, and in the end the last models."""
    most = []
    for rounds in (12, 60):
        schedule = Schedule.of(make_spec(rounds=rounds, arms=[{"name": "arm", **arm}]), "arm")
        made, done, held = Made(schedule), set(), []
        steps = [StepKey(0, "prepare", site) for site in range(schedule.num_sites)]
        while steps:
            for step in steps:
                for read in schedule.inputs(step):
                    assert made[read] is not None
                made.add(step, Artifacts())
                done.add(step)
                held.append(len(made))
            steps = schedule.ready_steps(done)
        assert done >= set(schedule.all_steps())
        assert len(made) == schedule.num_sites
        assert all(made[schedule.model_after(rounds, site)] for site in range(schedule.num_sites))
        most.append(max(held))
    assert most[0] == most[1] <= 6 * schedule.num_sites
