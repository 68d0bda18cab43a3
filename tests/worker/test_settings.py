"""A worker that cannot start says in one line which setting is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests import services
from worker.main import broker_problem

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "awase: BROKER_URL is not set. Set it to that of the server.\n"),
        ({"BROKER_URL": ""}, "awase: BROKER_URL is not set. Set it to that of the server.\n"),
        (
            {"BROKER_URL": "redis://127.0.0.1:1", "AWASE_SITE": "../../evil"},
            "awase: '../../evil' is no name of a site. Use the name that the dashboard shows, such as site-01.\n",
        ),
        (
            {"BROKER_URL": "redis://127.0.0.1:1", "AWASE_DEVICE": "tpu"},
            "awase: AWASE_DEVICE is 'tpu'. Input should be 'auto', 'cpu' or 'cuda'.\n",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(changes: dict[str, str], said: str, tmp_path: Path) -> None:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("AWASE_", "BROKER_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker.main"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**environment, "AWASE_DATA_DIR": str(tmp_path), **changes},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, said)


def test_a_broker_that_does_not_answer_or_refuses_is_told() -> None:
    told = broker_problem("redis://:hidden@127.0.0.1:1/0")
    assert told is not None
    assert told.startswith(
        "the broker at 127.0.0.1:1/0 does not answer (ConnectionError). Trying again until it does"
    )
    with services.broker(password="right-one") as url:
        assert broker_problem(url) is None
        with pytest.raises(redis.AuthenticationError):
            broker_problem(url.replace("right-one", "wrong-one"))
