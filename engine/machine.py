"""The memory that a training would run in: the first GPU's, else this machine's."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import NamedTuple

import psutil

LOOK_SECONDS = 10


class Memory(NamedTuple):
    """Bytes, and whether they are a GPU's."""

    size: int
    of_gpu: bool


@cache
def memory() -> Memory:
    """Found without starting CUDA: the web process and a worker before its fork must not."""
    gpu = _gpu_bytes()
    return Memory(psutil.virtual_memory().total, False) if gpu is None else Memory(gpu, True)


def _gpu_bytes() -> int | None:
    command = shutil.which("nvidia-smi")
    if command is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    asked = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=LOOK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # a driver that does not answer: torch would find no GPU either
    first = answer.stdout.split()[:1]
    return int(first[0]) * 2**20 if first and first[0].isdecimal() else None
