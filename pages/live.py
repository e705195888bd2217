"""What lives as long as the web process, shared by app.py and the pages: store, collector, stack."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import StackError
from jobs import collector, search, stack, tasks

UPLOADS_KEPT_SECONDS = 7 * 86_400
SAMPLE_STUDY = Path(__file__).resolve().parents[1] / "samples" / "study"
NOT_STARTED = "The job queue is not started. Serve the pages with `python cli.py serve`."

_stack: stack.Stack | None = None
_stack_problem: str | None = NOT_STARTED
_searches: search.Driver | None = None


def start() -> None:
    """Called once, before the first page; a stack that cannot start leaves the pages readable."""
    global _stack, _stack_problem, _searches
    home = settings.current().home
    home.mkdir(parents=True, exist_ok=True)
    _forget_old_uploads(home / "uploads")
    ensure_sample_study(files())
    collector.start()
    try:
        _stack = stack.start(user="web")
        _stack_problem = None
        _searches = search.Driver()
        _searches.start()
    except StackError as error:
        logging.getLogger("shortlist").error("%s", error)
        _stack_problem = str(error)


def stop() -> None:
    """Called once, after the last page."""
    global _stack, _stack_problem, _searches
    if _searches is not None:
        _searches.stop()
        _searches = None
    if _stack is not None:
        _stack.leave()
        _stack = None
    _stack_problem = NOT_STARTED
    collector.stop()


def problem() -> str | None:
    """Why runs cannot be started now, in one sentence; None: they can."""
    if _stack is not None and not stack.view().redis:
        return "The job queue does not answer. It is being restarted; try again in a few seconds."
    return _stack_problem


def files() -> Artifacts:
    """The run folders of this moment's settings."""
    return tasks.artifacts(settings.current())


def datasets_root() -> Path:
    """Where kept datasets are."""
    return files().datasets_root


def ensure_sample_study(artifacts: Artifacts) -> None:
    """Copy the finished sample study into a home that has no study yet, so that no page is empty."""
    if SAMPLE_STUDY.is_dir() and artifacts.is_local and not artifacts.studies():
        shutil.copytree(SAMPLE_STUDY, artifacts.datasets_root, dirs_exist_ok=True)


def sample_studies() -> frozenset[str]:
    """Ids of the studies that came with the product: they ran on another machine."""
    return frozenset(path.name for path in SAMPLE_STUDY.glob("studies/*"))


def _forget_old_uploads(folder: Path) -> None:
    """Uploads that no study took over are kept for a week."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if time.time() - path.stat().st_mtime > UPLOADS_KEPT_SECONDS:
            shutil.rmtree(path)
