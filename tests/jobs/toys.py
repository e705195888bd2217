"""Toy jobs, one trait each, run by real workers in tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def succeeds(value: str) -> str:
    return value


def raises() -> None:
    raise ValueError("on purpose")


def never_ends(folder: str) -> None:
    """Leaves its process id in the folder, then sleeps."""
    Path(folder, f"{os.getpid()}.pid").touch()
    while True:
        time.sleep(0.05)


def killed_once(folder: str) -> str:
    """Ends itself like the kernel does when memory runs out, but only the first time."""
    mark = Path(folder, "killed")
    if mark.exists():
        return "survived"
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "unreachable"


def never_ends_at_first(folder: str) -> str:
    """Sleeps for ever the first time, returns the second time."""
    mark = Path(folder, "begun")
    if mark.exists():
        return "done"
    mark.touch()
    never_ends(folder)
    return "unreachable"
