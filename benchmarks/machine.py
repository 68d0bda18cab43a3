"""Where a benchmark ran: without it a number says nothing."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def machine(*about: str) -> str:
    """Processor, cores, versions, what else the script says, and the commit."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    parts = (
        platform.machine(), f"{os.cpu_count()} cores", f"Python {platform.python_version()}", f"torch {version('torch')}",
        *about, f"commit {commit or 'unknown'}",
    )  # fmt: skip
    return ", ".join(parts)


def device_name(device: str) -> str:
    """What torch calls a CUDA device, by `cuda:0`."""
    import torch

    return torch.cuda.get_device_name(device)
