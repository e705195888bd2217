"""Deals rows out to train, dev and test: seeded, by label where there are labels, groups never torn apart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from engine import labelsets
from engine.records import Row, Task

SPLITS = ("train", "dev", "test")


def sizes(rows: int, own_test: bool = False) -> dict[str, int]:
    """How many rows each split gets: half, a quarter, a quarter to 1,000 rows; above, dev 250 and test 250
    to 500. With the user's own test file nothing is taken for test."""
    dev = min(250, rows // 3 if own_test else rows // 4)
    test = 0 if own_test else min(500, rows // 4)
    return {"train": rows - dev - test, "dev": dev, "test": test}


def strata(rows: Sequence[Row], task: Task) -> list[str]:
    """What is shared out in proportion: labels, where there are any; of several labels of a row the rarest,
    since the others find enough rows (the idea of Sechidis et al. 2011, in one pass)."""
    if task is Task.MULTILABEL:
        sets = [labelsets.parts(row.targets[0]) for row in rows]
        often = Counter(label for found in sets for label in found)
        return [min(found, key=lambda label: (often[label], label), default="") for found in sets]
    return [row.targets[0] if task is Task.CLASSIFICATION else "" for row in rows]


def assign(
    wanted: Mapping[str, int], labels: Sequence[str], groups: Sequence[Hashable], seed: int
) -> dict[str, tuple[int, ...]]:
    """Indices of the rows by split, in file order.

    Rows are walked label by label, in random order within a label, and each goes to the split that is
    furthest behind its wanted size: so each label is shared out in proportion and, when no group has more
    than one row, the sizes are exact. The first row of each label goes to the first split (train). Rows of
    a group go together, by the label of the group's first row.
    """
    units = _shuffled_units(labels, groups, random.Random(seed))
    names = list(wanted)
    left = {name: float(wanted[name]) for name in names}
    chosen: dict[str, list[int]] = {name: [] for name in names}

    def put(unit: Sequence[int], name: str) -> None:
        left[name] -= len(unit)
        chosen[name].extend(unit)

    firsts: dict[str, Sequence[int]] = {}
    for unit in units:
        firsts.setdefault(labels[unit[0]], unit)
    opening = list(firsts.values()) if 1 < len(firsts) <= wanted[names[0]] else []
    for unit in opening:
        put(unit, names[0])
    taken = {id(unit) for unit in opening}
    for unit in units:
        if id(unit) not in taken:
            put(unit, max(names, key=lambda name: (left[name] / max(wanted[name], 1), left[name])))
    return {name: tuple(sorted(rows)) for name, rows in chosen.items()}


def _shuffled_units(
    labels: Sequence[str], groups: Sequence[Hashable], chance: random.Random
) -> list[Sequence[int]]:
    """Groups label by label, large ones first (they are hardest to place), otherwise in random order."""
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    units = list(members.values())
    chance.shuffle(units)
    return sorted(units, key=lambda unit: (labels[unit[0]], -len(unit)))
