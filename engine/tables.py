"""Reads a table of fine-tuning results that somebody else measured, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine import floor
from engine.errors import TableError
from engine.space import ALIASES, CHOICES, HYPERPARAMETERS

NAMES = ("dataset", "model", "method")
REQUIRED = (*NAMES, "score")
OPTIONAL = ("train_size", "seed", "test_score")
CARRIED = ("origin", "source_group", "seconds")  # as they are, for engine.validation
BY_ROW = (*floor.COLUMNS, "test_rows", "test_groups")
BLANKS = frozenset({"", "nan", "na", "n/a", "none", "null"})


@dataclass(frozen=True, eq=False)
class ResultsTable:
    """One row a result, columns typed and named as in TRL/PEFT; a NaN score is a failed run."""

    frame: pd.DataFrame
    config_columns: tuple[str, ...]
    ignored: tuple[str, ...]


def read(source: Path | pd.DataFrame, config_columns: Sequence[str] | None = None) -> ResultsTable:
    """The results in a CSV or Parquet file; raises TableError for what cannot be ranked."""
    raw = source if isinstance(source, pd.DataFrame) else _read_file(source)
    if raw.empty:
        raise TableError("The table has no rows. Give one with a row for each result.")
    named, origin = _rename(raw)
    missing = [name for name in REQUIRED if name not in named]
    if missing:
        raise TableError(
            f"Column {missing[0]!r} is missing; found {', '.join(map(repr, raw.columns))}. "
            "A results table needs dataset, model, method and score."
        )
    configs = _config_columns(named, config_columns)
    used = (*REQUIRED, *(name for name in OPTIONAL if name in named), *configs)
    frame = pd.DataFrame({name: _typed(named[name], name) for name in used})
    carried = [name for name in CARRIED if name in named]
    carried += [name for name in BY_ROW if name in named and named[name].dtype == object]
    frame[carried] = named[carried]
    ignored = tuple(origin[name] for name in named if name not in (*used, *carried))
    return ResultsTable(_without_repeats(frame, configs), configs, ignored)


def _read_file(path: Path) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            start = file.read(65536)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from error
    if not start.strip():
        raise TableError(f"{path.name} is empty. Give a CSV or Parquet file of results.")
    try:
        if start.startswith(b"PAR1"):
            return pd.read_parquet(path)
        header = start.decode("utf-8-sig", errors="replace").splitlines()[0]
        separator = max(",;\t", key=header.count)
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("its rows have more fields than its header.")
        return table
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TableError(f"{path.name} is neither a readable CSV nor a Parquet file: {reason}") from error


def _rename(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table under TRL/PEFT names, and what each column was called before."""
    origin: dict[str, str] = {}
    for column in raw.columns:
        name = str(column).strip()
        name = ALIASES.get(name, name)
        if name in origin:
            raise TableError(f"Columns {origin[name]!r} and {column!r} mean the same. Keep one of them.")
        origin[name] = str(column)
    return raw.set_axis(list(origin), axis="columns"), origin


def _config_columns(named: pd.DataFrame, chosen: Sequence[str] | None) -> tuple[str, ...]:
    if chosen is None:
        found = tuple(sorted(HYPERPARAMETERS.intersection(named.columns)))
        if not found:
            raise TableError("No hyperparameter column found, such as learning_rate. Name the columns.")
        return found
    columns = tuple(dict.fromkeys(ALIASES.get(name, name) for name in chosen))
    for name in columns:
        if name not in named or name in (*REQUIRED, *OPTIONAL):
            raise TableError(
                f"Config column {name!r} is not a hyperparameter column of the table; "
                f"found {', '.join(map(repr, named.columns))}."
            )
    return columns


def _typed(column: pd.Series, name: str) -> pd.Series:
    """Names as text, measurements as numbers, anything else as numbers where all of it is."""
    if name in NAMES or name in CHOICES:
        return _text(column, name)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype("float64")
    text = column.astype("str").str.strip()
    blank = column.isna() | text.str.lower().isin(BLANKS)
    numbers = pd.to_numeric(text.mask(blank), errors="coerce").astype("float64")
    wrong = np.flatnonzero(numbers.isna() & ~blank)
    if not len(wrong):
        return numbers
    if name in HYPERPARAMETERS or name in ("score", "test_score"):
        raise TableError(
            f"Column {name!r} must hold numbers, but row {wrong[0] + 1} has {text.iloc[wrong[0]]!r}."
        )
    return text.mask(blank)


def _text(column: pd.Series, name: str) -> pd.Series:
    text = column.astype("str").str.strip()
    if name not in NAMES:
        return text.mask(column.isna() | text.str.lower().isin(BLANKS))
    empty = np.flatnonzero(column.isna() | (text == ""))
    if len(empty):
        raise TableError(f"Column {name!r} is empty in row {empty[0] + 1}. Fill it in or drop the row.")
    return text


def _without_repeats(frame: pd.DataFrame, configs: Sequence[str]) -> pd.DataFrame:
    """Each result once; one result stated twice with different scores is an error."""
    keys = [*NAMES, *(name for name in ("train_size", "seed") if name in frame), *configs]
    once = frame[~frame.duplicated([*keys, "score"])] if frame.duplicated(keys).any() else frame
    again = np.flatnonzero(once.duplicated(keys))
    if len(again):
        first = once.iloc[again[0]]
        raise TableError(
            f"Two rows give different scores to the same config, dataset {first['dataset']!r}, model "
            f"{first['model']!r}, method {first['method']!r}. Add a seed column or the column that differs."
        )
    return once
