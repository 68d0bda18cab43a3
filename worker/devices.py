"""Which device a step computes on. Chosen in the child process that computes, because a parent that has
asked CUDA anything makes its forked children hang."""

from pathlib import Path

import torch

from worker.settings import DeviceChoice


class DeviceMissing(Exception):
    """The device that was asked for is not there."""

    code = "device_missing"

    def __init__(self, device: str) -> None:
        self.params = {"device": device}
        super().__init__(
            f"AWASE_DEVICE is '{device}', but torch finds no such device on this machine. "
            "Install the driver and a CUDA build of torch, or set AWASE_DEVICE=cpu."
        )


def choose(wanted: DeviceChoice) -> str:
    """`cpu` or `cuda:0`; only in a process that computes. Raises: DeviceMissing."""
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda:0"
    if wanted == "cuda":
        raise DeviceMissing(wanted)
    return "cpu"


def expected(wanted: DeviceChoice) -> str:
    """What `choose` will most likely say, without waking CUDA: for the beats of the parent process."""
    has_driver = torch.version.cuda is not None and Path("/dev/nvidia0").exists()
    return "cuda:0" if wanted != "cpu" and has_driver else "cpu"
