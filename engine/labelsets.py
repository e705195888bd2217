"""Several labels in one answer: written in a fixed order, read back as a set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from engine.errors import DatasetError
from engine.words import composed

SEPARATOR = "; "
NONE = "none"  # the answer to a row without any label
_MARKS = re.compile(r"[;|\n]")
_LIST_SIGNS = " \t[](){}\"'`.-*"


def joined(labels: Iterable[str]) -> str:
    """The answer that names these labels, in the order of the alphabet; NONE for no label.

    Raises DatasetError for a label that holds the sign between labels.
    """
    found = sorted({label for label in labels if label.casefold() != NONE})
    for label in found:
        if ";" in label or "\n" in label:
            raise DatasetError(f"The label {label!r} holds the sign between labels (;). Rename it.")
    return SEPARATOR.join(found) or NONE


def parts(answer: str) -> frozenset[str]:
    """The labels that an answer in the form of `joined` names."""
    found = (part.strip() for part in answer.split(SEPARATOR.strip()))
    return frozenset(part for part in found if part and part.casefold() != NONE)


def as_labels(answer: str, labels: Sequence[str]) -> tuple[str, bool]:
    """The answer in the form of `joined`, and whether it is one: only labels, or NONE.

    Lists are read whatever their signs (;, |, lines, commas, brackets), and labels up to case; what is no
    label stays as it was written.
    """
    known = {composed(label).casefold(): label for label in reversed(labels)}
    known |= {composed(label): label for label in labels}
    found, strange = [], []
    for said in _said(answer, known):
        name = composed(said)
        label = known.get(name) or known.get(name.casefold())
        if label is not None:
            found.append(label)
        elif said.casefold() != NONE:
            strange.append(said)
    if not answer.strip():
        return "", False
    return SEPARATOR.join([*sorted(set(found)), *dict.fromkeys(strange)]) or NONE, not strange


def _said(answer: str, known: Iterable[str]) -> list[str]:
    names = set(known)
    found = []
    for part in _MARKS.split(answer):
        whole = part.strip()
        pieces = (
            [whole] if _is_known(whole, names) else [piece.strip(_LIST_SIGNS) for piece in part.split(",")]
        )
        found += [piece for piece in pieces if piece]
    return found


def _is_known(said: str, names: set[str]) -> bool:
    return composed(said) in names or composed(said).casefold() in names
