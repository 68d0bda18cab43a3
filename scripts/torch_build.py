"""Which build of torch a machine gets, and from where.

torch is not in the hash lock: on PyPI the Linux build brings gigabytes of CUDA libraries that a machine
without an NVIDIA device has no use for. What torch itself needs is in the lock.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

VERSION = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_FREE_BYTES = 12_000_000_000
"""Free space below which a CUDA build is not tried on its own account."""


@dataclass(frozen=True)
class Attempt:
    """One way to get torch: arguments for `pip install`, and what to say meanwhile.

    `only_cpu`: take it only if what pip would choose is a CPU build (a dry run tells).
    """

    what: str
    arguments: tuple[str, ...]
    only_cpu: bool = False


def has_nvidia_device(devices: Path = Path("/dev")) -> bool:
    """Whether an NVIDIA device can be seen. Asks the file system only: `nvidia-smi` may be missing."""
    return (devices / "nvidia0").exists() or (devices / "nvidiactl").exists()


def attempts(
    choice: str, device: bool, free_bytes: int, platform: str, pip_settings: Mapping[str, str]
) -> list[Attempt]:
    """Ways to get torch, best first.

    Args:
        choice: auto, cpu or cuda (AWASE_TORCH).
        device: an NVIDIA device is there.
        free_bytes: free disk space.
        platform: sys.platform.
        pip_settings: of the machine, e.g. {"find-links": "..."}.
    """
    wanted = f"torch=={VERSION}"
    # '===' takes the plain version only, never a '+cpu' build that a folder of the machine may hold.
    cuda = Attempt("CUDA build, several gigabytes", (f"torch==={VERSION}",))
    with_all = Attempt("from the package index, with all it asks for (several gigabytes)", (wanted,))
    if choice == "cuda":
        return [cuda]
    ways = []
    if choice == "auto" and device and free_bytes >= CUDA_FREE_BYTES:
        ways.append(cuda)
    if "find-links" in pip_settings:
        ways.append(Attempt("CPU build of this machine", ("--no-deps", "--no-index", wanted)))
    if pip_settings.keys() & {"index-url", "extra-index-url"}:
        ways.append(
            Attempt("CPU build of the configured package source", ("--no-deps", wanted), only_cpu=True)
        )
    if platform != "linux":
        return [*ways, Attempt("CPU build", ("--no-deps", wanted))]
    public = Attempt(
        "CPU build, about 200 MB",
        ("--no-deps", "--index-url", CPU_INDEX, "--retries", "1", "--timeout", "20", wanted),
    )
    return [*ways, public, with_all]


def parse_pip_settings(listing: str) -> dict[str, str]:
    """`pip config list` as {option: value}; the environment (listed first) wins over files."""
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        key, found, value = line.partition("=")
        if found:
            settings.setdefault(
                key.strip().rpartition(".")[2], value.strip().strip("'\"").replace("\\n", " ")
            )
    return settings


def is_cpu_build(report: str | None) -> bool:
    """Whether pip's installation report (JSON; None: there is none) names a CPU build of torch."""
    try:
        items = json.loads(report or "")["install"]
        return any("+cpu" in unquote(item["download_info"]["url"]) for item in items)
    except (ValueError, KeyError, TypeError):
        return False
