"""Finds texts that say the same: equal once spelling is evened out, or nearly equal by their pieces."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from os.path import commonprefix
from typing import TYPE_CHECKING

from engine.headings import bare
from engine.records import Role, Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pieces = NDArray[np.uint32]

INPUT_ROLES = (Role.CONTEXT, Role.SOURCE, Role.QUESTION, Role.PROMPT, Role.MESSAGES)
SIMILARITY = 0.8
PIECE = 5
BANDS, BAND_ROWS = 8, 5
BUCKET = 8
CHECKED = 3
CHUNK = 20_000
COMPARED = 1_000_000
FRAME_TEXTS = 20


def normalized(text: str) -> str:
    """Upper and lower case, spaces and compatibility forms of letters do not count."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def input_hash(row: Row) -> str:
    """16 hex digits of the row's input text; case, spacing and column names do not matter."""
    text = "\n".join(normalized(bare(row, role)) for role in INPUT_ROLES if role in row.inputs)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clusters(texts: Sequence[str]) -> list[int]:
    """For each text the index of the first one that is equal or nearly equal to it (its own when none is).

    Nearly: the sets of 5-letter pieces have a Jaccard similarity of at least 0.8. Candidates come from
    MinHash and locality-sensitive hashing (Broder 1997; Indyk and Motwani 1998). A bucket holds the first
    BUCKET texts only and a text is compared with at most CHECKED others (datasketch's own index holds all),
    so that time grows with the rows even when all of them are somewhat alike.
    """
    firsts: dict[str, int] = {}
    exact = [firsts.setdefault(normalized(text), index) for index, text in enumerate(texts)]
    near = _nearly_equal(dict(zip(firsts.values(), _unframed(list(firsts)), strict=True)))
    return [near[index] for index in exact]


def _unframed(texts: Sequence[str]) -> list[str]:
    """Without the start and end that all texts share, such as the same instruction around every one."""
    if len(texts) < FRAME_TEXTS:
        return list(texts)
    start = len(commonprefix(texts))
    bare = [text[start:] for text in texts]
    end = len(commonprefix([text[::-1] for text in bare]))
    return [text[: len(text) - end] for text in bare]


def _nearly_equal(texts: Mapping[int, str]) -> dict[int, int]:
    from datasketch import MinHash

    factors, offsets = MinHash(num_perm=BANDS * BAND_ROWS).permutations
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    kept: dict[int, Pieces] = {}
    found: dict[int, int] = {}
    for number, text in texts.items():
        pieces = _pieces(text)
        bands = _least_hashes(pieces, factors, offsets).reshape(BANDS, BAND_ROWS)
        homes = [buckets[key] for key in enumerate(map(bytes, bands))]
        votes = Counter(candidate for home in homes for candidate in home)
        likely = [candidate for candidate, _ in votes.most_common(CHECKED)]
        found[number] = next((c for c in likely if _similarity(pieces, kept[c]) >= SIMILARITY), number)
        if found[number] == number:
            kept[number] = pieces
            for home in homes:
                if len(home) < BUCKET:
                    home.append(number)
    return found


def _least_hashes(pieces: Pieces, factors: Pieces, offsets: Pieces) -> Pieces:
    """MinHash of pieces that are hashed already (datasketch would hash them one by one, in Python)."""
    import numpy as np

    parts = (pieces[start : start + CHUNK, None] for start in range(0, len(pieces), CHUNK))
    return np.min([(part * factors + offsets).min(axis=0) for part in parts], axis=0)  # type: ignore[no-any-return]


def _pieces(text: str) -> Pieces:
    """The different runs of PIECE letters in the first COMPARED ones, as 32-bit hashes in order."""
    import numpy as np

    letters = np.frombuffer(text[:COMPARED].ljust(PIECE).encode("utf-32-le"), dtype=np.uint32)
    count = len(letters) - PIECE + 1
    hashes = np.zeros(count, dtype=np.uint32)
    for shift in range(PIECE):
        hashes = hashes * np.uint32(0x01000193) + letters[shift : shift + count]
    hashes ^= hashes >> np.uint32(15)
    hashes = hashes * np.uint32(0x2C1B3C6D)
    return np.unique(hashes ^ (hashes >> np.uint32(12)))


def _similarity(first: Pieces, second: Pieces) -> float:
    import numpy as np

    small, large = sorted((len(first), len(second)))
    if small < SIMILARITY * large:
        return 0.0
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (small + large - shared)
