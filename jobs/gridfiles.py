"""The files of one grid: what a person asked for, the plan made of it, and the folders of its runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from engine import dataset as dataset_files
from engine import gridspec
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.errors import NotFoundError
from engine.gridspec import GridSpec
from engine.records import Method, RunSpec
from engine.settings import Settings

VERSION = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
KEPT, PLAN = "grid.json", "plan.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A grid as it was asked for: the spec's text, the folder of datasets, their ids by name, the workers."""

    spec: str
    source: str
    datasets: Mapping[str, str]
    created: float
    workers: int

    @property
    def parsed(self) -> GridSpec:
        """The spec."""
        return gridspec.parse_spec(self.spec)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan and its place in the matrix; an untuned model that is only scored does not train."""

    run: str
    name: str
    dataset: str
    model: str
    method: Method
    train_size: int
    seed: int
    trains: bool

    @property
    def cell(self) -> tuple[str, str, Method, int]:
        """Dataset, model, method and size."""
        return self.dataset, self.model, self.method, self.train_size


class GridFiles(Artifacts):
    """Run folders of one grid, apart from those of studies, with its spec and plan beside them."""

    def __init__(self, settings: Settings, version: str) -> None:
        """Raises NotFoundError for what cannot be a version's name."""
        if not VERSION.fullmatch(version):
            raise NotFoundError(f"A grid version looks like v2 or my-grid, but this is {version!r}.")
        super().__init__(f"{settings.artifact_root}/grids/{version}", settings.home / "scratch" / "grids")
        self.version = version

    def write_kept(self, kept: Kept) -> None:
        """Create or replace what is known of the grid."""
        self._write_json(f"{self._root}/{KEPT}", asdict(kept))

    def read_kept(self) -> Kept:
        """Raises NotFoundError for a grid that was never started here."""
        values = self._read_json(f"{self._root}/{KEPT}")
        if values is None:
            raise NotFoundError(f"There is no grid {self.version}. `python cli.py grid run SPEC` starts one.")
        return Kept(**values)

    def write_plan(self, runs: Iterable[RunSpec], datasets: Mapping[str, Dataset]) -> list[PlannedRun]:
        """Write down every run in the order in which they will be done."""
        names = {found.id: name for name, found in datasets.items()}
        plan = [_planned(run, names[run.dataset]) for run in runs]
        self._write(f"{self._root}/{PLAN}", json.dumps([asdict(run) for run in plan]).encode())
        return plan

    def read_plan(self) -> list[PlannedRun]:
        """Empty when there is none yet."""
        rows = json.loads(self._read(f"{self._root}/{PLAN}") or b"[]")
        return [PlannedRun(**{**row, "method": Method(row["method"])}) for row in rows]

    def load_datasets(self, kept: Kept) -> dict[str, Dataset]:
        """The grid's datasets as they were cut at its start, by name."""
        for found in kept.datasets.values():
            self.pull_dataset(found)
        return {name: dataset_files.load(i, self.datasets_root) for name, i in kept.datasets.items()}

    def drop_attempt(self, run: str, attempt: int) -> None:
        """Remove what an attempt left that was broken off."""
        shutil.rmtree(self._local_attempt(run, attempt), ignore_errors=True)
        self._remove(f"{self._run(run)}/attempt-{attempt}")

    def remove(self) -> None:
        """Remove the grid with its runs, for good."""
        self._remove(self._root)


def kept_versions(settings: Settings) -> list[str]:
    """Names of the grids that were started here, in alphabetical order."""
    names = _Root(settings.artifact_root, settings.home / "scratch").grids()
    return sorted(name for name in names if VERSION.fullmatch(name))


class _Root(Artifacts):
    def grids(self) -> list[str]:
        return [name for name in self._names("grids") if self._fs.exists(f"{self._root}/grids/{name}/{KEPT}")]


def _planned(run: RunSpec, dataset: str) -> PlannedRun:
    assert run.train_size is not None
    return PlannedRun(
        run.run, run.name, dataset, run.model, run.method, run.train_size, run.seed, run.kind.trains
    )
