"""Decides how a delimited text is to be taken apart: by comparing the rows that each way gives."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine import sheets
from engine.cells import is_known_header
from engine.sheets import MAX_BYTES, Layout, Quoting

DELIMITERS = "\t;,|"
NO_DELIMITER = "\x1f"
SAMPLE = 100_000
NEARLY_ALL = 0.9
SUFFIXES = {"tsv": "\t", "tab": "\t", "csv": ",;"}
MARK = '"'
PLACES = {"\n": "\x1d", "\r": "\x1c"}
DELIMITER_PLACE = "\x1e"


@dataclass(frozen=True, slots=True)
class Parse:
    """The rows that one way of reading gives (blank ones left out), and the line each of them begins on.

    `fault`: the line on which a strict reading finds quotation marks that are not as they should be;
    `unclosed`: the text ends inside a quotation. `padded`: a space follows each delimiter.
    """

    delimiter: str
    quoting: Quoting
    rows: list[list[str]]
    lines: list[int]
    padded: bool = False
    fault: int | None = None
    unclosed: bool = False

    @property
    def agreement(self) -> float:
        """The share of rows that are as wide as the first."""
        return sum(len(row) == len(self.rows[0]) for row in self.rows) / len(self.rows) if self.rows else 0.0

    @property
    def cells(self) -> Iterator[str]:
        return itertools.chain.from_iterable(self.rows)


def best_parse(text: str, layout: Layout, suffix: str) -> Parse:
    """The rows as the person's layout has them; what it leaves open is decided by comparing parses."""
    delimiter = layout.delimiter or _delimiter(text, suffix)
    padded = _padded(text, delimiter)
    if layout.quoting is not None:
        return parse(text, delimiter, layout.quoting, padded)
    plain = parse(text, delimiter, Quoting.NONE, padded)
    if MARK not in text:
        quoted = Parse(delimiter, Quoting.DOUBLED, plain.rows, plain.lines, padded)
        return _more_agreeing(quoted, [Quoting.ESCAPED], text)
    quoted = parse(text, delimiter, Quoting.DOUBLED, padded, strict=True)
    if quoted.fault is not None or quoted.agreement < 1:
        other = _more_agreeing(quoted, [Quoting.BACKSLASH], text)
        if other is not quoted:
            return other
        if (escaped := _more_agreeing(plain, [Quoting.ESCAPED], text)) is not plain:
            return escaped
    if plain.agreement >= NEARLY_ALL and _marks_belong_to_texts(plain, quoted):
        return plain
    if quoted.fault is None or quoted.unclosed:
        return quoted
    loose = parse(text, delimiter, Quoting.DOUBLED, padded)
    return Parse(delimiter, Quoting.DOUBLED, loose.rows, loose.lines, padded, fault=quoted.fault)


def parse(text: str, delimiter: str, quoting: Quoting, padded: bool = False, strict: bool = False) -> Parse:
    """All rows, at most one more than may be used; strict: up to the first fault."""
    csv.field_size_limit(MAX_BYTES)
    prepared = io.StringIO(_prepared(text, delimiter, quoting), newline="")
    plain = quoting in (Quoting.NONE, Quoting.ESCAPED)
    style: Literal[0, 3] = csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL
    reader = csv.reader(prepared, delimiter=delimiter, strict=strict, quoting=style, skipinitialspace=padded)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(start)
            if len(rows) > sheets.MAX_ROWS + 1:
                break
            start = reader.line_num + 1
    except csv.Error as error:
        unclosed = "unexpected end" in str(error)
        return Parse(delimiter, quoting, rows, lines, padded, fault=start, unclosed=unclosed)
    return Parse(delimiter, quoting, _restored(rows, delimiter, quoting), lines, padded)


def swallowed_line(found: Parse, text: str) -> int | None:
    """The first line that opens a quotation which takes in lines that are rows themselves; else None."""
    physical = re.split(r"\r\n|\r|\n", text)
    width = len(found.rows[0])
    for start, end in itertools.pairwise([*found.lines, len(physical) + 1]):
        inner = [line for line in physical[start : end - 1] if line.strip()]
        if any(len(next(csv.reader([line], delimiter=found.delimiter))) == width for line in inner):
            return start
    return None


def _prepared(text: str, delimiter: str, quoting: Quoting) -> str:
    """Escapes by backslash are written as the csv module reads them; other backslashes stay."""
    if quoting is Quoting.BACKSLASH:
        return re.sub(r'\\(["\\])', lambda found: '""' if found[1] == MARK else "\\", text)
    if quoting is Quoting.ESCAPED:
        places = {delimiter: DELIMITER_PLACE, **PLACES}
        pattern = rf'\\([{re.escape(delimiter)}\n\r"\\])'
        return re.sub(pattern, lambda found: places.get(found[1], found[1]), text)
    return text


def _restored(rows: list[list[str]], delimiter: str, quoting: Quoting) -> list[list[str]]:
    if quoting is not Quoting.ESCAPED:
        return rows
    signs = str.maketrans({DELIMITER_PLACE: delimiter, **{place: sign for sign, place in PLACES.items()}})
    return [[cell.translate(signs) for cell in row] for row in rows]


def _more_agreeing(found: Parse, others: Sequence[Quoting], text: str) -> Parse:
    """Another quoting, if the text has its signs and its rows agree better."""
    signs = {Quoting.BACKSLASH: '\\"', Quoting.ESCAPED: f"\\{found.delimiter}"}
    for quoting in others:
        if signs[quoting] not in text or (found.agreement == 1 and found.fault is None):
            continue
        other = parse(text, found.delimiter, quoting, found.padded, strict=True)
        better = other.agreement > found.agreement or found.fault is not None
        if other.fault is None and better and other.agreement >= NEARLY_ALL:
            return other
    return found


def _delimiter(text: str, suffix: str) -> str:
    """The one that takes the rows apart most evenly; see `_evenness`."""
    sample = text if len(text) <= SAMPLE else text[:SAMPLE].rpartition("\n")[0]
    found = {delimiter: _evenness(sample, delimiter, suffix) for delimiter in DELIMITERS}
    best = max(found, key=found.__getitem__)
    return best if found[best] > 0 else NO_DELIMITER


def _evenness(sample: str, delimiter: str, suffix: str) -> float:
    """The share of rows as wide as the first, more where the first row holds names that columns have or
    the file's name says so and for tabs, which are rare in texts, less where a space follows the delimiter,
    as in prose; 0: it splits nothing, or only prose."""
    parses = [parse(sample, delimiter, quoting) for quoting in (Quoting.DOUBLED, Quoting.NONE)]
    found = max((p for p in parses if p.rows and len(p.rows[0]) > 1), key=_agreement, default=None)
    if found is None:
        return 0.0
    known = is_known_header(found.rows[0])
    spaced = [cell.startswith(" ") for row in found.rows for cell in row[1:]]
    prose = sum(spaced) > len(spaced) / 2
    if not known and (found.agreement < 0.5 or prose):
        return 0.0
    named = delimiter in SUFFIXES.get(suffix, "")
    return found.agreement + 0.3 * known - 0.3 * prose + 0.1 * named + 0.15 * (delimiter == "\t")


def _agreement(found: Parse) -> float:
    return found.agreement


def _padded(text: str, delimiter: str) -> bool:
    """Whether the header has a space after each delimiter: 'text, label'."""
    first = next((line for line in text[:SAMPLE].splitlines() if line.strip()), "")
    cells = first.split(delimiter)[1:]
    return (
        delimiter != "\t"
        and bool(cells)
        and all(re.match(r' +"?\w', cell) for cell in cells)
        and (is_known_header([cell.strip(f" {MARK}") for cell in first.split(delimiter)]))
    )


def _marks_belong_to_texts(plain: Parse, quoted: Parse) -> bool:
    """Whether quotation marks are signs of the texts, not of the format; both ways give even rows.

    They are where one opens and nothing in its cell closes it. Where the format's reading is faultless too,
    it takes lines together: the labels decide, and between tabs whether every cell of every line is filled.
    Marks around whole cells belong to the texts only between tabs, and only where the format needs none.
    """
    dangling = any(_opens(cell) and not _wrapped(cell) for cell in plain.cells)
    if quoted.fault is not None:
        return dangling or plain.delimiter == "\t"
    if len(quoted.rows) < len(plain.rows):
        full = plain.delimiter == "\t" and all(cell.strip() for cell in plain.cells)
        alike = full or _fewest_values(plain) <= _fewest_values(quoted)
        return dangling and plain.agreement == 1 and alike
    return plain.delimiter == "\t" and quoted.agreement <= plain.agreement and _needless(plain)


def _opens(cell: str) -> bool:
    return cell.startswith(MARK)


def _wrapped(cell: str) -> bool:
    return len(cell) > 1 and cell.startswith(MARK) and cell.endswith(MARK)


def _fewest_values(found: Parse) -> int:
    """How many different values the column has that has the fewest: the labels', if there are labels."""
    width = len(found.rows[0]) if found.rows else 0
    columns = zip(*(row for row in found.rows if len(row) == width), strict=True)
    return min((len(set(column)) for column in columns), default=0)


def _needless(plain: Parse) -> bool:
    """Whether no writer of CSV would have put these marks: neither Excel (which quotes cells with commas)
    nor one that quotes whole columns or cells with marks in them."""
    wrapped = [cell for cell in plain.cells if _wrapped(cell)]
    bare = [cell for cell in plain.cells if not _wrapped(cell)]
    if not wrapped or any(MARK * 2 in cell[1:-1] for cell in wrapped):
        return False
    if any(MARK in cell for cell in bare):
        return True
    body = [row for row in plain.rows[1:] if len(row) == len(plain.rows[0])]
    if any(all(map(_wrapped, column)) for column in zip(*body, strict=True)):
        return False
    return not all("," in cell for cell in wrapped) or any("," in cell for cell in bare)
