"""What the answers of a file turn out to be: labels written by an assistant, calls of tools, or what no task
here learns (preferences, spans, scores)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.columns import Kind, Profile, profile
from engine.findings import Code, counted
from engine.records import Issue, Severity
from engine.sheets import Table, is_conversation, note, parsed, text_of

FEWEST_ROWS = 4  # a label, on average, before answers are taken for labels
MOST_NUMBERS = 10  # different ones that may be labels
ANSWERERS = {"assistant", "gpt", "model", "bot", "chatgpt", "ai"}
ASKERS = {"user", "human", "system", "developer"}
TAGS = {"ner_tags", "ner", "pos_tags", "bio_tags", "token_labels"}
SPANS = {"entities", "spans", "ner", "annotations", "relations"}
SCORES = {"score", "similarity", "similarity_score", "grade", "points", "price", "percent", "percentage",
          "temperature", "age", "value", "relevance_score", "sentiment_score"}  # fmt: skip


def labels_of(found: Profile) -> int:
    """How many labels a column of answers holds: few, short, repeating; 0 where they are no labels."""
    few = 1 < found.distinct <= max(2, found.filled / FEWEST_ROWS)
    numbers = found.kind is Kind.NUMBER
    if not few or numbers and found.distinct > MOST_NUMBERS:
        return 0
    return found.distinct if found.kind is Kind.CATEGORY or numbers else 0


def labels_in_conversations(column: str, table: Table) -> int:
    """As labels_of, for conversations of one question and one answer each; 0 where tools speak too."""
    records = []
    for value in table.values(column):
        turns = parsed(value)
        if not is_conversation(turns):
            continue
        speakers = [str(turn.get("role", turn.get("from"))).strip().lower() for turn in turns]
        answered = [speaker in ANSWERERS for speaker in speakers]
        if sum(answered) != 1 or not answered[-1] or not set(speakers[:-1]) <= ASKERS:
            return 0
        records.append({"answer": turns[-1].get("content", turns[-1].get("value"))})
    if any(turn_text is None or "\n" in turn_text for turn_text in (text_of(r["answer"]) for r in records)):
        return 0
    numbers = tuple(range(1, len(records) + 1))
    return labels_of(profile("answer", replace(table, records=tuple(records), numbers=numbers)))


def refusal(profiles: Sequence[Profile], table: Table) -> str | None:
    """Why no task here learns from the file, and what would; None: nothing speaks against it."""
    names = {p.name: p for p in profiles if p.kind is not Kind.EMPTY}
    if {"chosen", "rejected"} <= set(names):
        return (
            "'chosen' and 'rejected' are preference pairs, which no task here learns: keep the prompt and "
            "the chosen answer, as columns named prompt and completion."
        )
    marked = next((name for name in TAGS if name in names and "tokens" in names), None)
    spans = next((p.column for n, p in names.items() if n in SPANS and _holds_spans(table, p.column)), None)
    if marked or spans:
        return (
            f"{(names[marked].column if marked else spans)!r} marks spans of texts (NER), which no task here "
            "learns: write them as an answer, such as 'person: Ann; place: Oslo', in a column completion."
        )
    return None


def score_refusal(target: Profile, table: Table) -> str | None:
    """Why a column of numbers is no column of labels: it measures something, and what would work instead."""
    if target.kind is not Kind.NUMBER or target.distinct <= MOST_NUMBERS:
        return None
    values = [float(text.replace(",", ".")) for v in table.values(target.column) if (text := _number(v))]
    parts = any(not value.is_integer() for value in values)
    if not parts and target.name not in SCORES and target.few_values:
        return None
    return (
        f"{target.column!r} has {target.distinct:,} different numbers, too many for labels: a score or an "
        "amount (regression), which no task here learns. Bring the numbers into a few classes, such as low, "
        "medium and high."
    )


def only_scores(profiles: Sequence[Profile], table: Table) -> str | None:
    """Where nothing else could be learned, why the columns of numbers cannot; None: there are none."""
    refused = (score_refusal(p, table) for p in profiles if p.name in SCORES)
    return next(filter(None, refused), None)


def scale_issue(target: Profile, table: Table) -> Issue | None:
    """That the classes are steps of a scale, whose order is not seen."""
    named = target.name in {"rating", "ratings", "stars", "score", "grade", "scale", "likert"}
    if target.kind is not Kind.NUMBER or target.distinct < 3 or not named:
        return None
    text = (
        f"The {target.distinct} numbers in {target.column!r} are a scale, learned as classes: their order is "
        "not seen, and a near miss counts like any other. Fewer classes named by words may work better."
    )
    return Issue(Severity.WARNING, Code.INTEGER_LABELS, None, text)


def tool_calls(column: str, table: Table) -> list[Issue]:
    """That answers call tools, and how that is learned."""
    calls = sum(_calls(parsed(value)) for value in table.values(column))
    if not calls:
        return []
    tools = next((name for name in ("tools", "functions") if name in table.columns), None)
    shown = f"; the definitions in {tools!r} are not in the prompt" if tools else ""
    text = f"{counted(calls, 'answer')} call tools: the call is learned as JSON text{shown}."
    return [note(Code.TOOL_CALLS, text)]


def _calls(turns: Any) -> bool:
    if not is_conversation(turns):
        return False
    last: Mapping[str, Any] = turns[-1]
    return bool(last.get("tool_calls") or last.get("function_call")) or str(last.get("from")) in (
        "function_call", "tool_call",
    )  # fmt: skip


def _holds_spans(table: Table, column: str) -> bool:
    """Whether the values are lists of things with a start and an end."""
    for value in table.values(column):
        found = parsed(value)
        if isinstance(found, list) and found:
            return all(_is_span(item) for item in found)
    return False


def _is_span(item: Any) -> bool:
    if isinstance(item, dict):
        keys = {str(key).lower() for key in item}
        return bool(keys & {"start", "start_offset", "begin"}) and bool(keys & {"end", "end_offset", "stop"})
    return isinstance(item, list) and len(item) >= 3 and all(type(part) is int for part in item[:2])


def _number(value: Any) -> str | None:
    text = text_of(value)
    try:
        float((text or "").replace(",", "."))
    except ValueError:
        return None
    return text
