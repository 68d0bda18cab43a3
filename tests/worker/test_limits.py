"""What a step may take of its site's machine."""

import json
import subprocess
import sys

import pytest
import torch

from worker.limits import within_threads
from worker.messages.steps import StepLimits

GROWS = """
import json, psutil, sys, time
from worker.limits import MB, MemoryWatch
from worker.messages.steps import StepLimits

limit_mb = psutil.Process().memory_info().rss // MB + 100
tell = lambda used, limit: print(json.dumps([used, limit]), flush=True)
with MemoryWatch(StepLimits(memory_mb=limit_mb), tell):
    time.sleep(1)
    print("within", flush=True)
    kept = [bytearray(b"x" * MB) for _ in range(int(sys.argv[1]))]
    time.sleep(20)
"""


def test_a_process_that_grows_beyond_its_limit_says_so_and_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", GROWS, "200"], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == -9, ended.stderr
    within, told = ended.stdout.splitlines()
    used_mb, limit_mb = json.loads(told)
    assert within == "within"
    assert limit_mb < used_mb <= limit_mb + 200


@pytest.mark.parametrize(("configured", "limit", "expected"), [(2, 1, 1), (1, 4, 1), (2, None, 2), (2, 2, 2)])
def test_threads_are_only_lowered(configured: int, limit: int | None, expected: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(configured)
        with within_threads(StepLimits(threads=limit)):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == configured
    finally:
        torch.set_num_threads(before)
