"""Brings a model's weights into their folder of the home once, whatever the source, and says what is there.

Of several processes that want a model one works and the others wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from engine import checkpoints
from engine.artifacts import write_whole
from engine.checkpoints import Checkpoint

FACTS = "shortlist.json"  # written last: a folder without it is not complete
LOOK_SECONDS = 0.5

Say = Callable[[str], None]
Stopped = Callable[[], bool]


def here(folder: Path) -> Checkpoint | None:
    """What was checked when the folder was complete; None: it is not (all) here."""
    path = folder / FACTS
    return Checkpoint.from_dict(checkpoints.read_json(path)) if path.is_file() else None


def complete(folder: Path, checkpoint: Checkpoint) -> None:
    """Say in the folder that all of it is there, and what was checked."""
    write_whole(folder / FACTS, json.dumps(checkpoint.to_dict()).encode())


def once(folder: Path, work: Callable[[Say], bool], waiting: str, say: Say, stopped: Stopped) -> bool:
    """Let `work` complete the folder unless it is here; False: stopped (as when `work` answers False).

    `say` gets each new line about the progress once, `waiting` while another process works.
    """
    say = _only_news(say)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0)
    while here(folder) is None:
        if stopped():
            return False
        try:
            with lock:
                if here(folder) is None and not work(say):
                    return False
        except Timeout:
            say(waiting)
            time.sleep(LOOK_SECONDS)
    return True


def _only_news(say: Say) -> Say:
    said: list[str] = []

    def fresh(text: str) -> None:
        if said[-1:] != [text]:
            said.append(text)
            say(text)

    return fresh
