"""Finds the rows in a JSON document: every layout of pandas, dataset viewers, SQuAD, columns, rows by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.findings import Code, by_row, counted, listed
from engine.records import Issue, Severity
from engine.sheets import Record, note

ROW_KEYS = ("data", "rows", "train", "examples", "items", "records", "samples", "instances")
VIEWER_KEYS = {"row_idx", "row", "truncated_cells"}


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a document and what to say about it. `cells`: they are lists without names of columns."""

    rows: Sequence[Any]
    issues: tuple[Issue, ...] = ()
    columns: tuple[str, ...] | None = None
    cells: bool = False


def rows_in(document: Any) -> Found:
    """The rows of a JSON document: the list itself, or those that one of the known layouts holds."""
    if isinstance(document, list):
        return _listed(document)
    for read in (_split, _rows_under_key, _columns, _records_by_key):
        if (found := read(document)) is not None:
            return found
    return Found([document])


def _listed(rows: list[Any]) -> Found:
    if rows and all(isinstance(row, dict) and "row" in row and set(row) <= VIEWER_KEYS for row in rows):
        return _viewer({"rows": rows})
    if rows and all(isinstance(row, dict) and isinstance(row.get("paragraphs"), list) for row in rows):
        return _squad(rows)
    lists = len(rows) > 1 and all(isinstance(row, list) for row in rows)
    cells = lists and not any(isinstance(cell, (list, dict)) for row in rows for cell in row)
    return Found(rows, cells=cells and len({len(row) for row in rows}) == 1)


def _split(document: Mapping[str, Any]) -> Found | None:
    """pandas' "split" and "tight": columns, index and data apart."""
    columns, data = document.get("columns"), document.get("data")
    if not isinstance(columns, list) or not isinstance(data, list):
        return None
    names = [" ".join(map(str, c)) if isinstance(c, list) else str(c) for c in columns]
    if not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    rows = [dict(zip(names, row, strict=True)) for row in data]
    index = document.get("index")
    if isinstance(index, list) and len(index) == len(rows):
        rows = _with_index(rows, index)
    return Found(rows, (_layout("split", len(rows)),), tuple(names))


def _rows_under_key(document: Mapping[str, Any]) -> Found | None:
    for name in (name for name in ROW_KEYS if document.get(name)):
        rows = document[name]
        if not isinstance(rows, list) or not isinstance(rows[0], dict):
            continue
        if "paragraphs" in rows[0]:
            return _squad(rows)
        if "row" in rows[0] and set(rows[0]) <= VIEWER_KEYS:
            return _viewer(document)
        schema = document.get("schema")
        if name == "data" and isinstance(schema, dict) and "fields" in schema:
            return Found(rows, (_layout("table", len(rows)),))
        others = [
            f"{key!r} ({counted(len(value), 'row')})"
            for key, value in document.items()
            if key != name and isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        rest = f"{listed(others)} and the rest are" if others else "the rest is"
        text = f"The rows are those under {name!r}; {rest} not used."
        return Found(rows, (note(Code.ROWS_UNDER_KEY, text),))
    return None


def _viewer(document: Mapping[str, Any]) -> Found:
    """Rows as dataset viewers hand them out: {row_idx, row, truncated_cells}, with the features' names."""
    rows = [
        entry["row"] if isinstance(entry, dict) and "row" in entry else entry for entry in document["rows"]
    ]
    issues = [note(Code.JSON_LAYOUT, f"Read as rows of a dataset viewer: {counted(len(rows), 'row')}.")]
    total = document.get("num_rows_total")
    if isinstance(total, int) and total > len(rows):
        text = f"The file holds {len(rows):,} of the dataset's {total:,} rows: a viewer gives them in pages."
        issues.append(Issue(Severity.WARNING, Code.JSON_LAYOUT, None, text))
    cut = [
        n for n, entry in enumerate(document["rows"], 1)
        if isinstance(entry, dict) and entry.get("truncated_cells")
    ]  # fmt: skip
    issues += by_row(
        Severity.WARNING, Code.CUT_CELLS, cut, lambda n: f"Row {n} has texts that the viewer has cut short."
    )
    features = document.get("features")
    names = class_names(features) if isinstance(features, list) else {}
    rows, said = with_class_names(rows, names)
    return Found(rows, (*issues, *said))


def class_names(features: Sequence[Any]) -> dict[str, list[str]]:
    """The labels' names of the columns that have them; a feature is {name, type} as in dataset viewers."""
    found = {}
    for feature in features:
        kind = feature.get("type") if isinstance(feature, dict) else None
        while isinstance(kind, dict) and isinstance(kind.get("feature"), dict):
            kind = kind["feature"]
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if (
            isinstance(kind, dict)
            and kind.get("_type") == "ClassLabel"
            and isinstance(kind.get("names"), list)
        ):
            found[str(feature.get("name"))] = [str(name) for name in kind["names"]]
    return found


def with_class_names(
    rows: Sequence[Any], names: Mapping[str, Sequence[str]]
) -> tuple[list[Any], list[Issue]]:
    """Rows with the names of labels in place of their numbers; -1 stands for none, as `datasets` has it."""
    strange: dict[int, str] = {}

    def named(value: Any, of: Sequence[str], row: int) -> Any:
        if isinstance(value, list):
            return [named(item, of, row) for item in value]
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        if 0 <= value < len(of):
            return of[value]
        if value != -1:
            strange[row] = str(value)
        return None

    used = [name for name in names if any(isinstance(row, dict) and name in row for row in rows)]
    if not used:
        return list(rows), []
    found = [
        {**row, **{name: named(row[name], names[name], n) for name in used if name in row}}
        if isinstance(row, dict)
        else row
        for n, row in enumerate(rows, 1)
    ]
    said = [
        note(Code.CLASS_NAMES, f"The numbers in {name!r} have names in the file: {listed(names[name])}.")
        for name in used
    ]
    return found, said + by_row(
        Severity.WARNING, Code.CLASS_NAMES, list(strange),
        lambda n: f"Row {n} has the label {strange[n]}, for which the file has no name.",
    )  # fmt: skip


def _columns(document: Mapping[str, Any]) -> Found | None:
    """A list of cells for each column."""
    columns = list(document.values())
    if columns and all(_is_column(c) and len(c) == len(columns[0]) for c in columns):
        return Found([dict(zip(document, values, strict=True)) for values in zip(*columns, strict=True)])
    return None


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(cell, dict) for cell in value)


def _records_by_key(document: Mapping[str, Any]) -> Found | None:
    """pandas' "columns" ({column: {row: cell}}) and "index" ({row: {column: cell}}), or records by id."""
    outer, inner = list(document), list(document.values())
    if not inner or not all(isinstance(part, dict) and part for part in inner):
        return None
    same = all(list(part) == list(inner[0]) for part in inner)
    if same and _are_rows(list(inner[0]), outer):
        index = list(inner[0])
        rows = [{column: document[column][row] for column in outer} for row in index]
        return Found(_with_index(rows, index), (_layout("columns", len(rows)),))
    if len(outer) == 1:
        return None
    return Found(_with_index([dict(part) for part in inner], outer), (_layout("index", len(inner)),))


def _are_rows(keys: Sequence[str], others: Sequence[str]) -> bool:
    """Whether these keys are the rows, not the others: only they are numbers, or there are more of them."""
    numbers, other_numbers = all(map(str.isdigit, keys)), all(map(str.isdigit, others))
    if numbers != other_numbers:
        return numbers
    return len(keys) > len(others) if numbers else len(keys) > 2 * len(others)


def _with_index(rows: list[Any], index: Sequence[Any]) -> list[Any]:
    """The rows with their names in a column `index`, unless they are only counted."""
    if all(str(name).isdigit() for name in index) or any("index" in row for row in rows):
        return rows
    return [{"index": name, **row} for name, row in zip(index, rows, strict=True)]


def _layout(name: str, rows: int) -> Issue:
    return note(Code.JSON_LAYOUT, f"Read as pandas' layout {name!r}: {counted(rows, 'row')}.")


def _squad(articles: list[Any]) -> Found:
    return Found(
        list(_squad_rows(articles)), (note(Code.SQUAD_FORMAT, "Read as SQuAD: a row per question."),)
    )


def _squad_rows(articles: Any) -> Iterator[Record]:
    for article in _objects(articles):
        for paragraph in _objects(article.get("paragraphs")):
            for question in _objects(paragraph.get("qas")):
                yield {
                    **{name: question[name] for name in ("id", "is_impossible") if name in question},
                    **({"title": article["title"]} if "title" in article else {}),
                    "context": paragraph.get("context"),
                    "question": question.get("question"),
                    "answers": question.get("answers"),
                }


def _objects(value: Any) -> list[Record]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
