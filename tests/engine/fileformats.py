"""Writes the same records as people have them: delimited text, JSON, Parquet, workbooks, exports."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

Records = Sequence[Mapping[str, Any]]
LONGEST_CELL = 32_000  # characters; Excel's cells hold 32,767


def one_line(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as a file without quoting can hold it: tabs and line breaks are spaces."""
    return {
        name: " ".join(value.split()) if isinstance(value, str) else [" ".join(v.split()) for v in value]
        for name, value in record.items()
    }


def _cells(records: Records) -> pd.DataFrame:
    """Lists as JSON, as a cell of a table can hold them."""
    rows = [
        {k: json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for k, v in r.items()}
        for r in records
    ]
    return pd.DataFrame(rows)


def _delimited(delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Callable[[Records, Path], None]:
    def write(records: Records, path: Path) -> None:
        if quoting != csv.QUOTE_NONE:
            _cells(records).to_csv(path, sep=delimiter, index=False, quoting=quoting)  # type: ignore[call-overload]
            return
        frame = _cells([one_line(record) for record in records])
        lines = [delimiter.join(row) for row in [list(frame.columns), *frame.to_numpy().tolist()]]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


def _pandas(orient: str) -> Callable[[Records, Path], None]:
    def write(records: Records, path: Path) -> None:
        path.write_text(pd.DataFrame(records).to_json(orient=orient, force_ascii=False))  # type: ignore[call-overload]

    return write


def _lists(records: Records, path: Path) -> None:
    path.write_text(json.dumps({name: [r[name] for r in records] for name in records[0]}))


def _jsonl(records: Records, path: Path) -> None:
    path.write_text("".join(json.dumps(dict(record)) + "\n" for record in records))


def _parquet(records: Records, path: Path) -> None:
    pd.DataFrame(records).to_parquet(path)


def _workbook(records: Records, path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    frame = _cells(records)
    sheet.append(list(frame.columns))
    for row in frame.to_numpy().tolist():
        cells = [WriteOnlyCell(sheet, value) for value in row]
        for cell in cells:
            cell.data_type = "s"
        sheet.append(cells)
    book.save(path)


def _label_studio(records: Records, path: Path) -> None:
    """The last column is what annotators chose or wrote."""
    tasks = []
    for number, record in enumerate(records):
        *inputs, target = record
        chosen = record[target] if isinstance(record[target], list) else [record[target]]
        kind, key = ("choices", "choices") if target == "label" else ("textarea", "text")
        result = {"from_name": target, "to_name": inputs[0], "type": kind, "value": {key: chosen}}
        annotation = {"id": number, "result": [result], "was_cancelled": False}
        tasks.append(
            {"id": number, "data": {name: record[name] for name in inputs}, "annotations": [annotation]}
        )
    path.write_text(json.dumps(tasks))


def _chat(records: Records, path: Path) -> None:
    """The last column is the assistant's answer."""
    lines = []
    for record in records:
        *inputs, target = record
        answer = record[target][0] if isinstance(record[target], list) else record[target]
        asked = "\n".join(record[name] for name in inputs)
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n")


FORMATS: dict[str, tuple[str, Callable[[Records, Path], None]]] = {
    "comma": ("a.csv", _delimited(",")),
    "comma, all quoted": ("a.csv", _delimited(",", csv.QUOTE_ALL)),
    "semicolon": ("a.csv", _delimited(";")),
    "tab": ("a.tsv", _delimited("\t")),
    "unquoted": ("a.tsv", _delimited("\t", csv.QUOTE_NONE)),
    "records": ("a.json", _pandas("records")),
    "columns": ("a.json", _pandas("columns")),
    "index": ("a.json", _pandas("index")),
    "split": ("a.json", _pandas("split")),
    "table": ("a.json", _pandas("table")),
    "lists": ("a.json", _lists),
    "JSONL": ("a.jsonl", _jsonl),
    "Parquet": ("a.parquet", _parquet),
    "XLSX": ("a.xlsx", _workbook),
    "Label Studio": ("a.json", _label_studio),
    "chat": ("a.jsonl", _chat),
}
