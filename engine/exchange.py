"""Grid versions and unfinished grids as files: out of one machine, checked row by row, into another."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from engine import grids
from engine.artifacts import Artifacts, write_whole
from engine.errors import ConfigError, TableError
from engine.grids import GridVersion
from engine.records import Method, RunResult, RunSpec

MEMBERS = (grids.RESULTS, grids.ROW_HASHES, grids.MANIFEST)
LARGEST = 2 * 2**30  # bytes of a member; more is no grid
PLACE = ["dataset", "model", "method", "train_size", "origin", "seed"]
REQUIRED = ("dataset", "model", "method", "score")
TOLERANCE = 1e-6


def export_version(version: str) -> bytes:
    """A zip of the version's results, row hashes and manifest."""
    found = grids.get(version)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            if (found.folder / name).exists():
                archive.write(found.folder / name, name)
    return buffer.getvalue()


def import_version(archive: Path, root: Path) -> GridVersion:
    """Unpack an exported version under `root` once every row has been checked; raises TableError naming it.

    A version never replaces another: the name must be new.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _unpack(archive, folder)
        manifest = _manifest(folder / grids.MANIFEST, archive.name)
        version = str(manifest["version"])
        if version in {known.version for known in grids.versions()}:
            raise TableError(f"There is a version {version!r} already; published versions never change.")
        check(_results(folder / grids.RESULTS, archive.name), manifest)
        root.mkdir(parents=True, exist_ok=True)
        for name in MEMBERS:
            if (folder / name).exists():
                write_whole(root / version / name, (folder / name).read_bytes())
    return grids.get(version)


def remove_version(version: str) -> None:
    """Delete a version that was published or imported here; raises ConfigError for one that ships."""
    found = grids.get(version)
    if found.shipped:
        raise ConfigError(f"{version} came with the product and stays. Choose another version as current.")
    if grids.current() == version:
        raise ConfigError(f"{version} is what shortlists come from. Choose another version as current first.")
    shutil.rmtree(found.folder)


def check(results: pd.DataFrame, manifest: Mapping[str, Any]) -> None:
    """Raises TableError naming the first row that is incomplete, stands there twice or contradicts itself."""
    configs = grids.config_columns(results)
    needed = [name for name in REQUIRED if name not in results]
    if needed or not configs:
        raise TableError(f"The results lack the column {(needed or ['learning_rate'])[0]!r}.")
    for number, problem in _problems(results, configs):
        raise TableError(f"Row {number} of the results {problem}.")
    counted = manifest.get("present", len(results))
    if len(results) != counted:
        raise TableError(
            f"The manifest counts {counted} results, but the table has {len(results)}: "
            "rows are missing. Export the version again."
        )


def export_results(runs: Iterable[RunSpec], read: Callable[[str], RunResult | None], path: Path) -> int:
    """Write what the runs of an unfinished grid have found so far into one file; how many."""
    ended = [result for run in runs if (result := read(run.run)) is not None]
    rows = [{"run": result.run, "result": json.dumps(result.to_dict())} for result in ended]
    buffer = io.BytesIO()
    pd.DataFrame(rows, columns=["run", "result"]).to_parquet(buffer, index=False, compression="zstd")
    write_whole(path, buffer.getvalue())
    return len(rows)


def import_results(runs: Iterable[RunSpec], path: Path, files: Artifacts) -> int:
    """Take over the results of runs that have none here; how many. Results of other grids are refused.

    Raises TableError naming the row that is unknown, damaged, or contradicts what is known here.
    """
    known = {run.run: run for run in runs}
    table = _results(path, path.name)
    if not {"run", "result"} <= set(table):
        raise TableError(f"{path.name} is no export of a grid's results: it lacks the column 'result'.")
    taken = []
    for number, (run, text) in enumerate(zip(table["run"], table["result"], strict=True), start=1):
        result = _result(number, str(run), str(text))
        if run not in known:
            raise TableError(
                f"Row {number}: run {run} does not belong to this grid: its spec, data or model differs."
            )
        here = files.read_result(result.run)
        if here is not None and here.dev != result.dev:
            raise TableError(f"Row {number}: run {run} has another result here. Remove one of the two.")
        if here is None:
            taken.append(result)
    for result in taken:
        files.write_spec(known[result.run])
        files.write_result(result)
    return len(taken)


def _problems(results: pd.DataFrame, configs: list[str]) -> Iterable[tuple[int, str]]:
    keys = [*(name for name in PLACE if name in results), *configs]
    again = results.duplicated(keys)
    for number, row in enumerate(results.to_dict("records"), start=1):
        if problem := _problem(row, bool(again.iloc[number - 1])):
            yield number, problem


def _problem(row: Mapping[str, Any], again: bool) -> str | None:
    """What is wrong with one result; None when nothing is."""
    for name in PLACE:
        if name in row and (pd.isna(row[name]) or row[name] == ""):
            return f"has no {name}"
    if row["method"] not in list(Method):
        return f"has the method {row['method']!r}, which is none of {', '.join(Method)}"
    if again:
        return "gives a result to a config, cell and seed that has one already"
    if ("lora_r" in row and pd.notna(row["lora_r"])) != (row["method"] == Method.LORA):
        return f"contradicts itself: method {row['method']}, lora_r {row.get('lora_r')}"
    if pd.isna(row["score"]):
        return None if row.get("error", "not stated") else "has neither a score nor the cause of a failure"
    return _wrong_score(row)


def _wrong_score(row: Mapping[str, Any]) -> str | None:
    low, score, high = row.get("score_low"), row["score"], row.get("score_high")
    if low is not None and high is not None and not low - TOLERANCE <= score <= high + TOLERANCE:
        return f"contradicts itself: the score {score:.4f} lies outside its interval {low:.4f} to {high:.4f}"
    rows = row.get("dev_rows")
    if rows is not None and row.get("score_n") != len(rows):
        return f"contradicts itself: {row.get('score_n')} rows are counted, {len(rows)} are listed"
    return None


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in MEMBERS:
                if name not in opened.namelist():
                    continue
                if opened.getinfo(name).file_size > LARGEST:
                    raise TableError(f"{archive.name}: {name} is larger than {LARGEST // 2**30} GB.")
                (folder / name).write_bytes(opened.read(name))
    except (OSError, zipfile.BadZipFile) as error:
        raise TableError(f"{archive.name} is not a zip of a grid version: {error}.") from error


def _manifest(path: Path, source: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version = str(found["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"{source} holds no readable {grids.MANIFEST}.") from error
    if not version.replace("-", "").isalnum() or len(version) > 31:
        raise TableError(f"{source}: {version!r} is no name of a version: use small letters, digits and '-'.")
    return dict(found)


def _results(path: Path, source: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise TableError(f"{source} holds no readable table of results.") from error


def _result(number: int, run: str, text: str) -> RunResult:
    try:
        result = RunResult.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise TableError(f"Row {number}: the result of run {run} is damaged: {error}.") from error
    if result.run != run:
        raise TableError(f"Row {number}: the result is that of {result.run}, not of {run}.")
    return result
