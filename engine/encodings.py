"""Finds out how the bytes of a file are to be read as text."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from engine.errors import DatasetError

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
OTHER_LATIN = {"Croatian", "Czech", "Hungarian", "Polish", "Romanian", "Slovak", "Slovene", "Turkish"}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def decode(data: bytes, path: Path) -> tuple[str, str]:
    """The text and its encoding; refuses what is not text."""
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    encoding = encoding or _encoding(data)
    try:
        text = data.decode(encoding or "utf-8")
    except (UnicodeDecodeError, LookupError):
        text, encoding = data.decode("latin-1"), None
    if encoding is None or len(CONTROL.findall(text)) > len(text) / 500:
        raise DatasetError(
            f"{path.name} is not a text table. Use CSV, TSV, JSON, JSONL or Parquet, text saved as UTF-8."
        )
    if not text.strip():
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    return text, encoding.removesuffix("-sig")


def _encoding(data: bytes) -> str | None:
    if _decodes(data, "utf-8"):
        return "utf-8"
    if (zeros := data[:4000].count(0)) > len(data[:4000]) / 5:
        return ("utf-16-le" if data[1:4000:2].count(0) > zeros / 2 else "utf-16-be") if zeros else None
    return _single_byte_encoding(data)


def _single_byte_encoding(data: bytes) -> str | None:
    """By charset-normalizer, from the lines that are not ASCII. A few accents are too little for it (it takes
    'naïve' for Czech): text mostly in Latin letters is read as cp1252, Latin-1's letters and more, unless
    its language has others."""
    from charset_normalizer import from_bytes

    odd = b"\n".join(itertools.islice((line for line in data.split(b"\n") if not line.isascii()), 500))
    odd = odd[:100_000]
    best = from_bytes(odd, cp_exclusion=["utf_16", "utf_16_le", "utf_16_be", "utf_32"]).best()
    latin = sum(byte > 127 for byte in odd) < len(odd) / 4
    if latin and (best is None or best.language not in OTHER_LATIN) and _decodes(data, "cp1252"):
        return "cp1252"
    return best.encoding if best else None


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
