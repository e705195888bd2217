"""Writes the sample files, the same ones every time: python samples/generate.py

All of it is invented here. The files are as untidy as real ones: tickets that touch two topics, typing
errors, rows that repeat, missing labels, the address and the number of people who do not exist.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from samples import words  # noqa: E402

HERE = Path(__file__).resolve().parent
TICKETS, MEETINGS, PRODUCTS, QUESTIONS = 420, 230, 64, 4
MISLABELLED = 0.06


def files(seed: int = 7) -> dict[str, str]:
    """The text of each sample file by its name."""
    return {
        "support_tickets.csv": _csv(_tickets(random.Random(seed))),
        "meeting_notes.jsonl": _jsonl(_meetings(random.Random(seed + 1))),
        "product_faq.jsonl": _jsonl(_questions(random.Random(seed + 2))),
    }


def _filled(text: str, draw: random.Random, **given: str) -> str:
    values = {
        "product": draw.choice(words.PRODUCTS),
        "product2": draw.choice(words.PRODUCTS),
        "brand": draw.choice(words.BRANDS),
        "brand2": draw.choice(words.BRANDS),
        "place": draw.choice(words.PLACES),
        "day": draw.choice(words.DAYS),
        "month": draw.choice(words.MONTHS),
        "name": draw.choice(words.NAMES),
        "number": str(draw.randint(2, 30)),
        "amount": f"{draw.randint(20, 390)}.{draw.choice(('00', '50', '90', '99'))}",
        "amount2": f"{draw.randint(3, 45)} euros",
        "code": f"{draw.choice('BCKRSX')}{draw.randint(10, 990)}",
        "order": f"{draw.randint(10_000, 99_999)}",
        "year": str(draw.randint(2012, 2025)),
        **given,
    }
    return text.format(**values)


def _tickets(draw: random.Random) -> list[dict[str, str]]:
    """Labels are not evenly frequent; about one in twenty is what a tired person would click."""
    labels = draw.choices(list(words.TICKETS), weights=(18, 24, 20, 14, 13, 15), k=TICKETS)
    rows = [{"message": _ticket(label, draw), "category": _clicked(label, draw)} for label in labels]
    rows[57] = dict(rows[21])
    rows[301] = dict(rows[140])
    rows[222] = {**rows[96], "message": rows[96]["message"].rstrip(".!? ") + " !!"}
    rows[333] = {**rows[180], "category": "returns" if rows[180]["category"] != "returns" else "delivery"}
    rows[75]["category"] = rows[260]["category"] = rows[188]["message"] = ""
    rows[119]["message"] += " You can reach me at wanda.k@example.org."
    rows[274]["message"] += " Call me on +44 113 4960 123 after six."
    day = date(2025, 3, 3)
    for number, row in enumerate(rows):
        day += timedelta(days=draw.random() < 0.3)
        row.update(ticket_id=f"T-{20_000 + 7 * number}", received=day.isoformat())
    return [{name: row[name] for name in ("ticket_id", "received", "message", "category")} for row in rows]


def _ticket(label: str, draw: random.Random) -> str:
    parts = [_filled(draw.choice(words.TICKETS[label]), draw)]
    parts += [_filled(text, draw) for text in draw.sample(words.ASIDES, draw.choice((0, 1, 1, 2, 2)))]
    if draw.random() < 0.12:
        parts.append("Also: " + _filled(draw.choice(words.TICKETS[draw.choice(list(words.TICKETS))]), draw))
    elif draw.random() < 0.6:
        draw.shuffle(parts)
    text = draw.choice(words.OPENINGS) + " ".join(parts) + _filled(draw.choice(words.CLOSINGS), draw)
    return _typed(text, draw)


def _typed(text: str, draw: random.Random) -> str:
    """As people type: some without capitals, some with letters swapped."""
    if draw.random() < 0.25:
        text = text.lower()
    if draw.random() < 0.1:
        text = text.replace(".", "...").replace("?", "??")
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        at = draw.randrange(1, len(text) - 2)
        if text[at : at + 2].isalpha():
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text


def _clicked(label: str, draw: random.Random) -> str:
    return draw.choice(list(words.TICKETS)) if draw.random() < MISLABELLED else label


def _meetings(draw: random.Random) -> list[dict[str, str]]:
    topics = list(words.TOPICS)
    return [_meeting(topics[i % len(topics)], draw) for i in range(MEETINGS)]


def _meeting(topic: str, draw: random.Random) -> dict[str, str]:
    """Notes with one decision and one or two tasks among other talk; the summary says just these."""
    problems, decisions, tasks = words.TOPICS[topic]
    subject = _filled(topic, draw)
    people = draw.sample(words.NAMES, draw.randint(3, 5))
    decision = _filled(draw.choice(decisions), draw)
    chosen = [
        (who, _filled(task, draw))
        for who, task in zip(people, draw.sample(tasks, draw.choice((1, 1, 2))), strict=False)
    ]
    due = draw.choice(words.DAYS)
    lines = [
        _filled(f"{draw.choice(people)} said that {problem}.", draw)
        for problem in draw.sample(problems, draw.randint(1, 3))
    ]
    lines += [
        _filled(text, draw, name=draw.choice(people))
        for text in draw.sample(words.SMALL_TALK, draw.randint(1, 3))
    ]
    draw.shuffle(lines)
    agreed = draw.choice(
        ("We agreed to {x}.", "Decision: {x}.", "In the end everybody was for it: {x}.", "Decided to {x}.")
    )
    lines.insert(draw.randint(len(lines) // 2, len(lines)), agreed.format(x=decision))
    lines += [
        draw.choice(
            (
                "{who} will {task} by {due}.",
                "To do for {who}: {task}, by {due}.",
                "{who} takes it on to {task} until {due}.",
            )
        ).format(who=who, task=task, due=due)
        for who, task in chosen
    ]
    head = draw.choice(("Meeting about {s}, {p}.", "Notes on {s}. Present: {p}.", "{p} met about {s}."))
    bullet = draw.choice(("", "- ", "* "))
    document = "\n".join([head.format(s=subject, p=_and(people)), *(bullet + line for line in lines)])
    who_does = " and ".join(f"{who} will {task}" for who, task in chosen)
    return {"document": document, "summary": f"On {subject}: {decision}. {who_does} by {due}."}


def _and(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1]


def _questions(draw: random.Random) -> list[dict[str, object]]:
    names = draw.sample(
        [f"{brand} {product}" for brand in words.BRANDS for product in words.PRODUCTS], PRODUCTS
    )
    return [row for name in names for row in _product(name, draw)]


def _product(name: str, draw: random.Random) -> list[dict[str, object]]:
    """A passage with five or six facts in any order, and questions on some of them."""
    kinds = draw.sample(list(words.FACTS), draw.randint(5, 6))
    values = {
        kind: draw.choice(words.FACTS[kind][2]).format(n=draw.randint(2, 9) * 10 + draw.randint(0, 9))
        for kind in kinds
    }
    said = [draw.choice(words.FACTS[kind][0]).format(value=values[kind]) for kind in kinds]
    said += [_filled(text, draw) for text in draw.sample(words.FAQ_FILLERS, draw.randint(1, 2))]
    draw.shuffle(said)
    opening = draw.choice(
        (
            "Meet the {n}.",
            "The {n} is new in our shop.",
            "About the {n}:",
            "The {n} is one of our favourites.",
        )
    )
    context = " ".join([opening.format(n=name), *said])
    return [
        {
            "context": context,
            "question": draw.choice(words.FACTS[kind][1]).format(item=name),
            "answers": _answers(values[kind]),
        }
        for kind in draw.sample(kinds, QUESTIONS)
    ]


def _answers(value: str) -> list[str]:
    """Some facts may be told in two ways."""
    short = re.sub(
        r" (grams|kilograms|euros)$",
        lambda m: {"grams": " g", "kilograms": " kg", "euros": " €"}[m[1]],
        value,
    )
    return [value] if short == value else [value, short]


def _csv(rows: list[dict[str, str]]) -> str:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue()


def _jsonl(rows: list[dict[str, object]] | list[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    for file_name, content in files().items():
        (HERE / file_name).write_text(content, encoding="utf-8", newline="\n")
