"""A user's own rows with answers beside them: every row and column, in the order and format of the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.errors import ConfigError
from engine.findings import counted
from engine.sheets import Table

FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
OWN_FORMAT = {"csv": ".csv", "tsv": ".tsv", "json": ".json", "jsonl": ".jsonl", "parquet": ".parquet",
              "xlsx": ".xlsx"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The rows of a file and what was answered: `answers` has a line for each answered row, by its number,
    and the columns prediction, valid and, where it was measured, confidence (0 to 1)."""

    table: Table
    answers: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The ending of the user's format; .jsonl where it can only be read."""
        return OWN_FORMAT.get(self.table.format.lower(), ".jsonl")

    @property
    def told(self) -> str:
        """How many rows came back, how many of them without an answer, and what could not be read."""
        rows, said = len(self.table.records), len(self.answers)
        parts = [f"{counted(rows, 'row')} given back, {said:,} answered"]
        if rows > said:
            parts.append(f"{rows - said:,} without text: kept, with an empty prediction and valid false")
        if unread := self.table.total - rows:
            parts.append(f"{counted(unread, 'row')} of the file could not be read: not given back")
        invalid = int((~self.answers["valid"].astype(bool)).sum())
        if invalid:
            parts.append(f"{invalid:,} with an answer that is none of the labels")
        return f"{'; '.join(parts)}."

    def records(self) -> list[dict[str, Any]]:
        """Every row with all its fields, and the answers behind them."""
        by_number: dict[int, dict[str, Any]] = {}
        for line in self.answers.to_dict("records"):
            by_number[int(line["row"])] = {str(k): v for k, v in line.items() if k != "row"}
        names = {name: self._free(name) for name in self.answers.columns if name != "row"}
        empty = {name: False if name == "valid" else None for name in names}
        return [
            {**record, **{names[k]: _plain(v) for k, v in by_number.get(number, empty).items()}}
            for number, record in zip(self.table.numbers, self.table.records, strict=True)
        ]

    def frame(self) -> pd.DataFrame:
        """As a table."""
        columns = [*self.table.columns, *(self._free(n) for n in self.answers.columns if n != "row")]
        return pd.DataFrame(self.records(), columns=columns, dtype=object)

    def encode(self, suffix: str) -> bytes:
        """In one of FORMATS; a text table with the user's own delimiter where the format is theirs."""
        if suffix in (".csv", ".tsv"):
            several = len(self.table.columns) > 1  # of one column no delimiter can be read
            own = self.table.layout.delimiter if several and suffix == self.suffix else None
            return self._delimited(own or ("\t" if suffix == ".tsv" else ","))
        if suffix == ".jsonl":
            return "".join(f"{_json(record)}\n" for record in self.records()).encode()
        if suffix == ".json":
            lines = ",\n".join(map(_json, self.records()))
            return f"[\n{lines}\n]\n".encode()
        if suffix == ".parquet":
            buffer = io.BytesIO()
            _writable(self.frame()).to_parquet(buffer, index=False)
            return buffer.getvalue()
        if suffix == ".xlsx":
            return _workbook(self.frame())
        raise ConfigError(
            f"Predictions are written as {', '.join(FORMATS)}; {suffix or 'no ending'} is none of them."
        )

    def _free(self, name: str) -> str:
        """The name of an added column, which no column of the user has."""
        return name if name not in self.table.columns else self._free(f"{name}_")

    def _delimited(self, delimiter: str) -> bytes:
        """Quoted where needed; in added cells that a spreadsheet would run as a formula a quote in front."""
        buffer = io.StringIO()
        frame = self.frame()
        added = set(frame.columns) - set(self.table.columns)
        writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
        writer.writerow(frame.columns)
        for record in frame.to_dict("records"):
            writer.writerow(_cell(value, str(name) in added) for name, value in record.items())
        encoding = self.table.encoding or "utf-8"
        try:
            return buffer.getvalue().encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return buffer.getvalue().encode("utf-8")


def guarded(value: object) -> object:
    """A cell that a spreadsheet would run as a formula, with a quote in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _plain(value: Any) -> Any:
    """Numbers and truth of Python, None for what is missing."""
    if isinstance(value, float) and pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _cell(value: Any, added: bool) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return _json(value)
    return guarded(value) if added else value


def _json(value: Mapping[str, Any] | list[Any] | Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _writable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that mix types as texts: Parquet has one type a column."""
    found = {}
    for name in frame.columns:
        values = [value for value in frame[name] if value is not None]
        mixed = len({type(value) for value in values} - {int, float}) > 1
        found[name] = [None if v is None else str(v) for v in frame[name]] if mixed else list(frame[name])
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in found.items()})


def _workbook(frame: pd.DataFrame) -> bytes:
    """A sheet in which texts are texts, also those that look like formulas."""
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook()
    sheet = book.active
    lines = [list(frame.columns), *([_sheet_cell(v) for v in row] for row in frame.to_numpy().tolist())]
    for row, line in enumerate(lines, 1):
        for column, value in enumerate(line, 1):
            text = ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value
            cell = sheet.cell(row, column, text)
            if isinstance(text, str):
                cell.data_type = "s"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _sheet_cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return _json(value)
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
