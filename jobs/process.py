"""What the system must know of our processes: who ends with whom, which cores and GPUs they use."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """End this process when its parent ends; call it first of all in the child.

    The kernel follows the thread that forked, so a parent forks from a thread that lives as long as itself. A
    parent that died before this call is noticed by the changed parent id.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(sent))
    if os.getppid() != parent:
        os._exit(1)


def be_nice(level: int) -> None:
    """Leave the cores to others, 0 to 19; call it in the child.

    Where Linux groups processes by session, a level counts only within it, so the session gets it too:
    measured on two busy cores, a session at nice 19 took as much as one at 0.
    """
    os.nice(level)
    group = Path("/proc/self/autogroup")
    while level and group.exists():
        try:
            group.write_text(str(level))
        except BlockingIOError:  # Linux takes one such change per 0.1 s from users other than root
            time.sleep(0.1)
        else:
            return


def cores() -> int:
    """Processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> tuple[str, ...]:
    """The GPUs that CUDA may use, by their names in CUDA_VISIBLE_DEVICES; found without starting CUDA."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name and name != "-1")
    found = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
    return tuple(sorted((match[1] for match in found if match), key=int))


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs; one that only waits to be collected by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
