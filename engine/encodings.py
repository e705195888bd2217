"""Finds out how the bytes of a file are to be read as text; where two ways are as good, a person is asked."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import NamedTuple

from engine.alphabets import LANGUAGES, MANY_LETTERS, frequent_share, likelihood
from engine.errors import DatasetError
from engine.findings import Code, counted, listed
from engine.records import Issue, Severity
from engine.sheets import note

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
CHOICES = (*LANGUAGES, "iso8859_7", *MANY_LETTERS)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
ENGLISH = re.compile(rb"(?i:the|and|of|to|in|is|for|you|that|it|with|on|this|was|are|be|not|have|we|my)")
ENGLISH_SHARE = 0.08
PREFERRED = {"cp1252": 1.0, "cp1250": 0.5, "cp1251": 0.5}  # nats: these are the usual ones
ENGLISH_PRIOR = 10.0
ENOUGH = 5.0  # nats between the likeliest and the next reading: 150 to 1
FOREIGN_SHARE = 0.1  # above it the letters are not those of any language in the table
FREQUENT_SHARE = 0.08
DENSE = 0.2  # the share of bytes beyond ASCII in text of scripts with thousands of letters
PREVIEW_WORDS = 4


class Decoded(NamedTuple):
    """A file's text. `encodings`: those that the bytes allow, the likeliest first, with words to compare."""

    text: str
    encoding: str
    encodings: tuple[tuple[str, str], ...] = ()
    issues: tuple[Issue, ...] = ()


def decode(data: bytes, path: Path, wish: str | None = None) -> Decoded:
    """The text and its encoding, the person's if the bytes do not contradict; refuses what is not text."""
    found = _decoded(data, path, wish)
    if len(CONTROL.findall(found.text)) > len(found.text) / 500:
        raise _no_text(path)
    if not found.text.strip():
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    return found


def _decoded(data: bytes, path: Path, wish: str | None) -> Decoded:
    marked = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    certain = marked or ("utf-8" if _decodes(data, "utf-8") else None) or _wide(data)
    if certain and (wish is None or marked or not data.isascii()):
        try:
            return Decoded(data.decode(certain), certain.removesuffix("-sig"))
        except UnicodeDecodeError as error:
            raise _no_text(path) from error
    if wish is not None:
        return _as_wished(data, path, wish)
    return _mostly_utf8(data) or _legacy(data, path)


def _as_wished(data: bytes, path: Path, wish: str) -> Decoded:
    try:
        text = data.decode(wish)
    except LookupError as error:
        raise DatasetError(f"There is no encoding {wish!r}; use one of {listed(CHOICES, 30)}.") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path.name} is not {wish}: line {line} cannot be read so. Choose another."
        ) from error
    return Decoded(text, wish, _candidates(data))


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    zeros = data[:4000].count(0)
    if zeros <= len(data[:4000]) / 5:
        return None
    return "utf-16-le" if data[1:4000:2].count(0) > zeros / 2 else "utf-16-be"


def _mostly_utf8(data: bytes) -> Decoded | None:
    """UTF-8 with a few broken lines, which are named; None when there are more broken than good ones."""
    lines = [(n, line) for n, line in enumerate(data.split(b"\n"), 1) if not line.isascii()]
    broken = [n for n, line in lines if not _decodes(line, "utf-8")]
    if 2 * len(broken) > len(lines):
        return None
    text = (
        f"{counted(len(broken), 'line')} of the file are not UTF-8 like the others: {listed(broken)}. What "
        "cannot be read is shown as \ufffd. Save the file as UTF-8."
    )
    found = Issue(Severity.WARNING, Code.BROKEN_LETTERS, None, text)
    return Decoded(data.decode("utf-8", errors="replace"), "utf-8", (), (found,))


def _legacy(data: bytes, path: Path) -> Decoded:
    odd = _odd_lines(data)
    ranked = _ranked(odd, data)
    dense = sum(byte > 127 for byte in odd) > DENSE * len(odd)
    strange = dense and (not ranked or ranked[0].foreign > FOREIGN_SHARE)
    if strange and (other := _of_many_letters(odd, data)):
        return _said(data, [other], odd)
    if not ranked:
        raise _no_text(path)
    return _said(data, ranked, odd, doubtful=strange)


class _Reading(NamedTuple):
    """An encoding, how likely it makes the odd letters (nats, with a prior), the share of foreign ones."""

    encoding: str
    score: float
    foreign: float


def _odd_lines(data: bytes) -> bytes:
    """The lines that are not ASCII, at most 500: only they tell encodings apart."""
    lines = (line for line in re.split(rb"[\r\n]+", data) if not line.isascii())
    return b"\n".join(itertools.islice(lines, 500))[:100_000]


def _ranked(odd: bytes, data: bytes) -> list[_Reading]:
    """The single-byte encodings that the bytes allow, the likeliest first; one of those that read alike."""
    english = _is_english(data)
    found: dict[str, _Reading] = {}
    for encoding in LANGUAGES:
        if not _decodes(data, encoding):
            continue
        text = odd.decode(encoding)
        prior = PREFERRED.get(encoding, 0.0) + (ENGLISH_PRIOR if english and encoding == "cp1252" else 0.0)
        nats, foreign = likelihood(text.split(), encoding)
        if text not in found or nats + prior > found[text].score:
            found[text] = _Reading(encoding, nats + prior, foreign)
    return sorted(found.values(), key=lambda reading: -reading.score)


def _is_english(data: bytes) -> bool:
    words = re.findall(rb"[A-Za-z]+", data[:200_000])
    return sum(bool(ENGLISH.fullmatch(word)) for word in words) > ENGLISH_SHARE * len(words)


def _of_many_letters(odd: bytes, data: bytes) -> _Reading | None:
    """A script of thousands of letters, by its most frequent ones; else what charset-normalizer finds."""
    from charset_normalizer import from_bytes

    fitting = {name: frequent_share(odd.decode(name), name) for name in MANY_LETTERS if _decodes(data, name)}
    name = max(fitting, key=fitting.__getitem__, default=None)
    if name is not None and fitting[name] >= FREQUENT_SHARE:
        return _Reading(name, 0.0, 0.0)
    best = from_bytes(odd, cp_exclusion=["utf_16", "utf_16_le", "utf_16_be", "utf_32"]).best()
    known = best is not None and best.encoding in MANY_LETTERS and _decodes(data, best.encoding)
    return _Reading(best.encoding, 0.0, 0.0) if best is not None and known else None


def _said(data: bytes, ranked: list[_Reading], odd: bytes, doubtful: bool = False) -> Decoded:
    """The text; a question where another reading is nearly as likely, else a note."""
    encoding = ranked[0].encoding
    close = [reading.encoding for reading in ranked if reading.score > ranked[0].score - ENOUGH][:3]
    shown = _previews(odd, close)
    choices = tuple(sorted(_candidates(data), key=lambda pair: pair[0] != encoding))
    text = (
        f"The text is read as {encoding} ({shown[encoding]}); check accents, choose another encoding, or "
        "save the file as UTF-8."
    )
    found = note(Code.ENCODING, text)
    if len(close) > 1 or doubtful:
        readings = "; ".join(f"{name} reads {words}" for name, words in shown.items())
        text = f"The encoding is not certain: {readings}. Choose it, or save the file as UTF-8."
        found = Issue(Severity.ERROR, Code.ENCODING, None, text)
    return Decoded(data.decode(encoding), encoding, choices, (found,))


def _candidates(data: bytes) -> tuple[tuple[str, str], ...]:
    """Every encoding that a person may choose, with words as it reads them."""
    fitting = [name for name in CHOICES if _decodes(data, name)]
    return tuple(_previews(_odd_lines(data), fitting).items())


def _previews(odd: bytes, encodings: list[str]) -> dict[str, str]:
    """A few words for each encoding: those that the encodings read differently."""
    texts = {name: odd.decode(name, errors="replace").split() for name in encodings}
    fewest = min(map(len, texts.values()), default=0)
    places = [
        i for i in range(fewest)
        if not texts[encodings[0]][i].isascii()
        and (len(encodings) == 1 or len({words[i] for words in texts.values()}) > 1)
    ]  # fmt: skip
    shown = places[:PREVIEW_WORDS]
    return {name: repr(" ".join(words[i] for i in shown)) for name, words in texts.items()}


def _no_text(path: Path) -> DatasetError:
    return DatasetError(
        f"{path.name} is not a text table. Use CSV, TSV, JSON, JSONL, Parquet or XLSX, text saved as UTF-8."
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True
