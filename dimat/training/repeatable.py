"""Computing so that the same step gives the same bits again."""

import os

import torch


def compute_repeatably() -> None:
    """One thread, and only algorithms that give the same bits again, for the whole process.

    More threads sum in another order, and are slower for models of the usual size. Call it before anything is computed
    on CUDA: cuBLAS promises the same bits only with a workspace that was fixed when it was first used, and versions of torch that
    look for it refuse to compute repeatably without (2.11 with CUDA 13 did not look).
    Convolutions there round inputs to 10 bits (TF32) unless told not to: units that are nearly alike would be paired otherwise than on
    a processor, for no gain in time that was seen (benchmarks/devices.py).
    Reference: NVIDIA cuBLAS documentation, "Results Reproducibility".
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(True)
