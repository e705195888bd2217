"""The shared datasets under other column names, in other orders: understood, or asked about; never wrong.

python -m pytest tests/engine/test_renamed.py -s   prints the three rates, which docs/data.md states.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from engine import roles
from engine.headings import columns_of
from engine.records import Role
from engine.sheets import Table
from tests.shared import shared

RENAMINGS = 200
ROWS = 100
RIGHT, ASKED, WRONG = "right", "asked", "silently wrong"
OF_ROLE = {
    "text": "text Text review message sentence tweet body content Text_EN utterance",
    "label": "label Label category class sentiment intent label_text LABEL topic gold_label",
    "document": "document article text dialogue source Document report transcript",
    "summary": "summary highlights Summary tldr abstractive_summary",
    "context": "context passage paragraph Context document background",
    "question": "question query Question",
    "answers": "answers answer Answer gold_answers final_answer",
}
NEUTRAL = "a b col1 col2 col3 x y field_1 field_2 Spalte texto etiqueta Frage réponse 列1 data value v1 v2 zq"


def renamings() -> Iterator[tuple[str, Table, dict[str, str]]]:
    """Of each a dataset's name, its rows under other names, and the new name of each old one."""
    draw = random.Random(15)
    folders = sorted(path.parent for path in shared("datasets").glob("*/train.jsonl"))
    records = {}
    for folder in folders:
        with (folder / "train.jsonl").open(encoding="utf-8") as lines:
            records[folder.name] = [json.loads(line) for line in islice(lines, ROWS)]
    for _ in range(RENAMINGS):
        name = draw.choice(sorted(records))
        old = list(records[name][0])
        new = dict(zip(old, _names(old, draw), strict=True))
        order = draw.sample(old, len(old))
        rows = tuple({new[column]: record[column] for column in order} for record in records[name])
        columns = tuple(new[column] for column in order)
        yield name, Table("jsonl", "utf-8", columns, tuple(range(1, ROWS + 1)), rows, ROWS), new


def _names(old: list[str], draw: random.Random) -> list[str]:
    """A new name for each column: another word for it, one that says nothing, or that of another column."""
    kind = draw.choice(("words", "words", "some", "nothing", "swapped"))
    if kind == "swapped":
        return draw.sample(old, len(old))
    said = [draw.choice(OF_ROLE[column].split()) for column in old]
    nothing = draw.sample(NEUTRAL.split(), len(old))
    share = {"words": 0.0, "some": 0.5, "nothing": 1.0}[kind]
    found = [n if draw.random() < share else s for s, n in zip(said, nothing, strict=True)]
    return found if len(set(found)) == len(found) else nothing


def judged(name: str, table: Table, new: dict[str, str]) -> str:
    """How the guess compares with what the dataset's own names mean."""
    guess = roles.guess(table)
    if guess.task is None or roles.missing_roles(guess):
        return ASKED
    target = new[next(column for column in ("label", "summary", "answers") if column in new)]
    read = {
        column
        for role, written in guess.roles.items()
        if role is not Role.TARGET
        for column in columns_of(written, table.columns)
    }
    task = {"label": "classification", "summary": "summarization", "answers": "qa"}
    wanted = next(task[column] for column in task if column in new)
    right = guess.task == wanted and guess.roles[Role.TARGET] == target and read == {*new.values()} - {target}
    if right and wanted == "qa":
        right = guess.roles[Role.QUESTION] == new["question"]
    return RIGHT if right else WRONG


def test_renamed_and_reordered_datasets_are_understood_or_asked_about_and_never_wrong() -> None:
    found = [(judged(*case), case[0], case[2]) for case in renamings()]

    counts = Counter(outcome for outcome, _, _ in found)
    sys.stdout.write(f"{dict(counts)} of {RENAMINGS}\n")
    assert [(name, new) for outcome, name, new in found if outcome == WRONG] == []
    assert counts[RIGHT] >= RENAMINGS / 2
