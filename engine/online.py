"""A process of its own for one request, with the network or without; a training's own process stays offline.

The child reads the request from its standard input, answers in lines of JSON and ends with its parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOOK_SECONDS = 0.5


def start(
    module: str,
    request: dict[str, Any],
    in_child: Callable[[], None] | None = None,
    network: bool = True,
) -> subprocess.Popen[str]:
    """The child, `python -m module`; its standard input is open as long as this process lives. A token is
    never an argument."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "0" if network else "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    environment.update(HF_HUB_DISABLE_TELEMETRY="1", PYTHONPATH=str(ROOT))
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=in_child,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    return process


def follow(
    process: subprocess.Popen[str], stopped: Callable[[], bool], look: Callable[[Mapping[str, Any]], None]
) -> Mapping[str, Any] | None:
    """The newest value that the child said under each key, when it has ended; None: stopped, it is killed.

    `look` sees these values every half second until then.
    """
    heard: dict[str, Any] = {}
    reader = threading.Thread(target=_hear, args=(process, heard), daemon=True)
    reader.start()
    while process.poll() is None:
        if stopped():
            process.kill()
            reader.join()
            return None
        look(dict(heard))
        time.sleep(LOOK_SECONDS)
    reader.join()
    return heard


def _hear(process: subprocess.Popen[str], heard: dict[str, Any]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        heard.update(json.loads(line))


def request() -> Any:
    """In the child: what is asked of it; from now on it ends with its parent."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return asked


def answer(message: dict[str, Any]) -> None:
    """In the child: one line to the parent."""
    print(json.dumps(message), flush=True)  # noqa: T201


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
