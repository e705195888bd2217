"""Tells the trackers that users already have (TensorBoard, MLflow, W&B) of the trainings of their studies.

`SHORTLIST_REPORT_TO=tensorboard,mlflow` names them as the trainer's `report_to` does. Grids are not tracked.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.records import RunSpec

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",), "wandb": ("wandb",)}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tracked:
    """A run that is tracked: by what, and what went wrong on the way, in one sentence each."""

    run: str
    trackers: tuple[str, ...]
    problems: list[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, list[str]]:
        """For the run's result; nothing where no tracker was asked for."""
        found = {"trackers": list(self.trackers), "tracking_problems": self.problems}
        return {name: values for name, values in found.items() if values}


_current: ContextVar[Tracked | None] = ContextVar("tracked", default=None)


def chosen(report_to: str) -> tuple[str, ...]:
    """The trackers that a setting names; raises ConfigError for one that is not known."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in report_to.split(",") if name.strip()))
    for name in names:
        if name not in PACKAGES:
            raise ConfigError(f"SHORTLIST_REPORT_TO takes {', '.join(PACKAGES)}, but has {name!r}.")
    return names


def missing(names: tuple[str, ...]) -> list[str]:
    """A sentence for each of these trackers whose package is not installed."""
    return [
        f"{name} is named in SHORTLIST_REPORT_TO but not installed: run `pip install {PACKAGES[name][0]}`."
        for name in names
        if not _installed(name)
    ]


def folder(home: Path, run: str) -> Path:
    """Where TensorBoard finds a run: `tensorboard --logdir HOME/tracking` shows all of them."""
    return home / "tracking" / run


@contextmanager
def of_run(spec: RunSpec, report_to: str, home: Path) -> Iterator[Tracked]:
    """While it is open, trainings of this process are tracked as this run; nothing here fails the run."""
    try:
        names = chosen(report_to) if spec.kind.trains else ()
        found = Tracked(spec.run, tuple(filter(_installed, names)), missing(names))
    except ConfigError as error:
        found = Tracked(spec.run, (), [str(error)])
    if found.trackers:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder(home, spec.run))
        os.environ.setdefault("WANDB_PROJECT", "shortlist")
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", "shortlist")
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)
        _close(found.trackers)


def callbacks() -> list[Any]:
    """What `report_to` would add to a trainer, but silenced by its first failure: a tracker that cannot be
    reached must not cost a training."""
    found = _current.get()
    if found is None or not found.trackers:
        return []
    from transformers.integrations.integration_utils import get_reporting_integration_callbacks

    makers = get_reporting_integration_callbacks(list(found.trackers))
    return [_silenced(found, name, make) for name, make in zip(found.trackers, makers, strict=True)]


def _silenced(found: Tracked, tracker: str, make: Callable[[], Any]) -> Any:
    from transformers import TrainerCallback

    class Silenced(TrainerCallback):
        """The tracker's own callback until it fails."""

        def __init__(self) -> None:
            self.inner: Any = None
            self.failed = False

        def tell(self, event: str, args: Any, *rest: Any, **more: Any) -> None:
            if self.failed:
                return
            try:
                self.inner = self.inner or make()
                args.run_name = found.run
                getattr(self.inner, event)(args, *rest, **more)
            except Exception as error:  # of any tracker's own making
                self.failed = True
                cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                found.problems.append(f"{tracker} was not told of the run ({cause}).")
                _log.warning("%s was not told of %s", tracker, found.run, exc_info=True)

    for event in (name for name in dir(TrainerCallback) if name.startswith("on_")):
        setattr(Silenced, event, _teller(event))
    return Silenced()


def _teller(event: str) -> Callable[..., None]:
    def tell(self: Any, *given: Any, **more: Any) -> None:
        self.tell(event, *given, **more)

    return tell


def _close(trackers: tuple[str, ...]) -> None:
    """A worker's child ends without the exit handlers in which these say that a run is complete."""
    for name, end in (("mlflow", "end_run"), ("wandb", "finish")):
        if name in trackers and (module := sys.modules.get(name)) is not None:
            try:
                getattr(module, end)()
            except Exception:  # of any tracker's own making
                _log.warning("%s could not be closed", name, exc_info=True)


def _installed(name: str) -> bool:
    return any(importlib.util.find_spec(package) for package in PACKAGES[name])
