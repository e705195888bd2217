"""Run folders: the durable truth of studies and runs, under a path or an fsspec URL that machines share.

A local root is written by temporary file and rename. An object store has neither rename nor locks: each file
is one whole put, result.json comes last, and a run folder without it does not count as finished. Attempts are
written locally and, where the root is remote, put there before their result.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec

from engine.errors import NotFoundError
from engine.records import Event, RunResult, RunSpec, Study
from engine.search import Search

STUDY_ID = re.compile(r"s-\d{8}-[0-9a-z]{6}")
RUN_ID = re.compile(rf"({STUDY_ID.pattern})-\d{{2,3}}")
PREDICTION_ID = re.compile(r"p-[0-9a-f]{12}")
JUDGING_ID = re.compile(r"[0-9a-f]{12}")
SEARCH_ID = re.compile(r"\d{2}")
DATASET_ID = re.compile(r"[0-9a-z][0-9a-z-]{2,63}")


def check_study(study: str) -> str:
    """The id itself; raises NotFoundError for anything that is not the shape of a study id."""
    if not STUDY_ID.fullmatch(study):
        raise NotFoundError(f"A study id looks like s-20260131-a1b2c3, but this is {study!r}.")
    return study


def study_of(run: str) -> str:
    """The study that a run id names; raises NotFoundError for anything that is not the shape of a run id."""
    match = RUN_ID.fullmatch(run)
    if match is None:
        raise NotFoundError(f"A run id looks like s-20260131-a1b2c3-01, but this is {run!r}.")
    return match[1]


class Artifacts:
    """The files of all studies under one root; a reader never sees half a file."""

    def __init__(self, root: str, scratch: Path) -> None:
        """`root` is a path or an fsspec URL; `scratch` holds what is being written for a remote root."""
        self._fs, path = fsspec.core.url_to_fs(root, use_listings_cache=False)
        self._root = path.rstrip("/")
        self._scratch = scratch
        self.is_local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else ())

    def write_study(self, study: Study) -> None:
        """Create or replace study.json."""
        self._write_json(f"{self._study(study.study)}/study.json", study.to_dict())

    def read_study(self, study: str) -> Study:
        """Raises NotFoundError when there is none."""
        values = self._read_json(f"{self._study(study)}/study.json")
        if values is None:
            raise NotFoundError(f"There is no study {study}. Open the list of studies to see what exists.")
        return Study.from_dict(values)

    def studies(self) -> list[str]:
        """Ids of all studies, newest first (the id begins with the day)."""
        return sorted((n for n in self._names("studies") if STUDY_ID.fullmatch(n)), reverse=True)

    def delete_study(self, study: str) -> None:
        """Remove the study with all its runs, for good."""
        self._remove(self._study(study))

    def write_spec(self, spec: RunSpec) -> None:
        """Create or replace spec.json."""
        self._write_json(f"{self._run(spec.run)}/spec.json", spec.to_dict())

    def read_spec(self, run: str) -> RunSpec:
        """Raises NotFoundError when there is none."""
        values = self._read_json(f"{self._run(run)}/spec.json")
        if values is None:
            raise NotFoundError(f"There is no run {run}.")
        return RunSpec.from_dict(values)

    def has_run(self, run: str) -> bool:
        """Whether the run exists; its study may have been deleted while it waited."""
        return bool(self._fs.exists(f"{self._run(run)}/spec.json"))

    def write_result(self, result: RunResult) -> None:
        """Create or replace result.json: the last file of a run."""
        self._write_json(f"{self._run(result.run)}/result.json", result.to_dict())

    def read_result(self, run: str) -> RunResult | None:
        """None: the run has not ended yet."""
        values = self._read_json(f"{self._run(run)}/result.json")
        return None if values is None else RunResult.from_dict(values)

    def delete_result(self, run: str) -> None:
        """Make the run unfinished again; its attempts stay."""
        self._remove(f"{self._run(run)}/result.json")

    def attempts(self, run: str) -> list[int]:
        """Numbers of the attempts that left a folder, oldest first."""
        names = {*self._names(self._run(run).removeprefix(f"{self._root}/"))}
        if not self.is_local and (local := self._scratch / run).is_dir():
            names |= set(os.listdir(local))
        return sorted(int(n[8:]) for n in names if n.startswith("attempt-") and n[8:].isdecimal())

    def attempt_folder(self, run: str, attempt: int) -> Path:
        """The local folder that an attempt writes into; made when missing."""
        folder = self._local_attempt(run, attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish_attempt(self, run: str, attempt: int) -> None:
        """Put a finished attempt's files under a remote root; nothing to do for a local one."""
        if self.is_local:
            return
        folder = self._local_attempt(run, attempt)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            target = f"{self._run(run)}/attempt-{attempt}/{path.relative_to(folder).as_posix()}"
            self._fs.put_file(str(path), target)

    def open_attempt(self, run: str, attempt: int) -> Path:
        """A local folder with the attempt's files, fetched first when the root is remote."""
        folder = self._local_attempt(run, attempt)
        if folder.is_dir():
            return folder
        remote = f"{self._run(run)}/attempt-{attempt}"
        if self.is_local or not self._fs.isdir(remote):
            raise NotFoundError(f"Run {run} has no files of attempt {attempt}.")
        self._fs.get(remote, str(folder), recursive=True)
        return folder

    def attempt_names(self, run: str, attempt: int) -> frozenset[str]:
        """What is at the top of an attempt's folder, without fetching any of it."""
        folder = f"{self._run(run)}/attempt-{attempt}"
        return frozenset(self._names(folder.removeprefix(f"{self._root}/")))

    def delete_from_attempt(self, run: str, attempt: int, name: str) -> None:
        """Remove a folder of an attempt, here and under a remote root."""
        shutil.rmtree(self._local_attempt(run, attempt) / name, ignore_errors=True)
        self._remove(f"{self._run(run)}/attempt-{attempt}/{name}")

    def write_export(self, run: str, name: str, content: bytes) -> None:
        """Keep a small file of a run's export; gone with the study."""
        self._write(f"{self._run(run)}/export/{name}", content)

    def read_export(self, run: str, name: str) -> bytes | None:
        """None: the run's export has no such file (yet)."""
        return self._read(f"{self._run(run)}/export/{name}")

    def keep_export(self, run: str, path: Path) -> None:
        """Move a local file into the run's export, whole."""
        target = f"{self._run(run)}/export/{path.name}"
        if self.is_local:
            draft = Path(f"{target}.part")
            draft.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, draft)
            os.replace(draft, target)
        else:
            self._fs.put_file(str(path), target)

    def open_export(self, run: str, name: str) -> Path:
        """A local copy of a file of the run's export; raises NotFoundError when there is none."""
        path = f"{self._run(run)}/export/{name}"
        if not self._fs.exists(path):
            raise NotFoundError(f"Run {run} has no export. Make one first.")
        if self.is_local:
            return Path(path)
        local = self._scratch / run / "export" / name
        local.parent.mkdir(parents=True, exist_ok=True)
        self._fs.get_file(path, str(local))
        return local

    def delete_export(self, run: str) -> None:
        """Remove the run's export with its copy on this machine."""
        self._remove(f"{self._run(run)}/export")
        shutil.rmtree(self._scratch / run / "export", ignore_errors=True)

    def events(self, run: str, attempt: int) -> list[Event]:
        """Events of an attempt in order; a last line cut off by a crash is left out."""
        return list(_events(self._event_bytes(run, attempt), run, attempt))

    def event_bytes(self, run: str, attempt: int) -> int:
        """Size of the attempt's events, to see cheaply whether there are new ones."""
        return len(self._event_bytes(run, attempt)) if not self.is_local else self._event_size(run, attempt)

    @property
    def datasets_root(self) -> Path:
        """The local root under which engine.dataset keeps its `datasets` folder."""
        return Path(self._root) if self.is_local else self._scratch / "shared"

    def push_dataset(self, dataset: str) -> None:
        """Put a saved dataset under a remote root, for workers of other machines."""
        folder = self._dataset(dataset)
        if self.is_local:
            return
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            self._fs.put_file(str(path), f"{self._root}/datasets/{dataset}/{name}")

    def pull_dataset(self, dataset: str) -> None:
        """Fetch a dataset of a remote root that this machine has not got yet."""
        folder = self._dataset(dataset)
        if not self.is_local and not folder.is_dir():
            self._fs.get(f"{self._root}/datasets/{dataset}", str(folder), recursive=True)

    def write_prediction(self, request: str, name: str, content: bytes) -> None:
        """Keep a file of a request for predictions; gone when the request is deleted."""
        self._write(f"{self._prediction(request)}/{name}", content)

    def read_prediction(self, request: str, name: str) -> bytes | None:
        """None: the request has no such file (yet)."""
        return self._read(f"{self._prediction(request)}/{name}")

    def delete_prediction(self, request: str) -> None:
        """Remove the request with its files."""
        self._remove(self._prediction(request))

    def write_promise(self, study: str, values: Mapping[str, Any]) -> None:
        """Create or replace what was promised of a study before its launch."""
        self._write_json(f"{self._study(study)}/promise.json", values)

    def read_promise(self, study: str) -> dict[str, Any] | None:
        """None: nothing was promised."""
        return self._read_json(f"{self._study(study)}/promise.json")

    def write_judging(self, study: str, judging: str, values: Mapping[str, Any]) -> None:
        """Keep what a judge said of two runs of a study; goes with the study."""
        self._write_json(self._judging(study, judging), values)

    def read_judging(self, study: str, judging: str) -> dict[str, Any] | None:
        """None: nothing was judged yet."""
        return self._read_json(self._judging(study, judging))

    def write_search(self, search: Search) -> None:
        """Create or replace a search's record; goes with the study."""
        self._write_json(self._search(search.study, search.search), search.to_dict())

    def searches(self, study: str) -> list[Search]:
        """The searches of a study, oldest first."""
        folder = f"{self._study(study)}/searches".removeprefix(f"{self._root}/")
        names = sorted(name.removesuffix(".json") for name in self._names(folder))
        found = (self._read_json(self._search(study, name)) for name in names if SEARCH_ID.fullmatch(name))
        return [Search.from_dict(values) for values in found if values is not None]

    def unfinished_search(self, study: str) -> Search | None:
        """The search that goes on, or waits for somebody to drive it; a study has at most one."""
        return next((search for search in self.searches(study) if search.ended is None), None)

    def delete_dataset(self, dataset: str) -> None:
        """Remove the copies under a remote root (engine.dataset removes the local ones)."""
        self._dataset(dataset)
        self._remove(f"{self._root}/datasets/{dataset}")

    def _study(self, study: str) -> str:
        return f"{self._root}/studies/{check_study(study)}"

    def _run(self, run: str) -> str:
        return f"{self._study(study_of(run))}/runs/{run}"

    def _prediction(self, request: str) -> str:
        if not PREDICTION_ID.fullmatch(request):
            raise NotFoundError(f"There is no prediction {request!r}.")
        return f"{self._root}/predictions/{request}"

    def _judging(self, study: str, judging: str) -> str:
        if not JUDGING_ID.fullmatch(judging):
            raise NotFoundError(f"There is no judging {judging!r}.")
        return f"{self._study(study)}/judge/{judging}.json"

    def _search(self, study: str, search: str) -> str:
        if not SEARCH_ID.fullmatch(search):
            raise NotFoundError(f"There is no search {search!r}.")
        return f"{self._study(study)}/searches/{search}.json"

    def _dataset(self, dataset: str) -> Path:
        if not DATASET_ID.fullmatch(dataset):
            raise NotFoundError(f"There is no dataset {dataset!r}.")
        return self.datasets_root / "datasets" / dataset

    def _local_attempt(self, run: str, attempt: int) -> Path:
        parent = Path(self._run(run)) if self.is_local else self._scratch / run
        return parent / f"attempt-{attempt}"

    def _event_size(self, run: str, attempt: int) -> int:
        path = self._local_attempt(run, attempt) / "events.jsonl"
        return path.stat().st_size if path.exists() else 0

    def _event_bytes(self, run: str, attempt: int) -> bytes:
        local = self._local_attempt(run, attempt) / "events.jsonl"
        if local.exists():
            return local.read_bytes()
        return self._read(f"{self._run(run)}/attempt-{attempt}/events.jsonl") or b""

    def _names(self, folder: str) -> list[str]:
        try:
            found = self._fs.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in found]

    def _remove(self, path: str) -> None:
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def _read(self, path: str) -> bytes | None:
        try:
            content = self._fs.cat_file(path)
        except FileNotFoundError:
            return None
        return bytes(content)

    def _read_json(self, path: str) -> dict[str, Any] | None:
        content = self._read(path)
        return None if content is None else json.loads(content)

    def _write_json(self, path: str, values: Mapping[str, Any]) -> None:
        self._write(path, json.dumps(values, indent=1).encode())

    def _write(self, path: str, content: bytes) -> None:
        if self.is_local:
            write_whole(Path(path), content)
        else:
            self._fs.pipe_file(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a local file so that a reader or a crash sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _events(content: bytes, run: str, attempt: int) -> Iterator[Event]:
    for line in content.split(b"\n")[:-1]:
        values = json.loads(line)
        yield Event(run, attempt, values["seq"], values["time"], values["kind"], values["data"])
