"""Reads what annotation tools export: tasks of Label Studio, choices and decisions of Prodigy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import DatasetError
from engine.findings import Code, by_row, counted, listed
from engine.records import Issue, Severity
from engine.sheets import note

DECISIONS = {"accept", "reject", "ignore"}
PRODIGY_SIGNS = {"_input_hash", "_task_hash", "options", "accept", "spans", "_view_id"}
PRODIGY_OWN = {"_input_hash", "_task_hash", "_session_id", "_view_id", "_timestamp", "_annotator_id",
               "options", "accept", "answer", "config", "tokens"}  # fmt: skip
ANSWERS = ("choices", "text", "rating", "number", "taxonomy")
OTHER = {"labels": "spans of texts", "rectanglelabels": "boxes in pictures", "polygonlabels": "shapes",
         "brushlabels": "shapes", "keypointlabels": "points", "pairwise": "preferences",
         "ranker": "rankings", "relation": "relations"}  # fmt: skip
WAY_OUT = "Export texts with one chosen label or a written answer each"


class Export(NamedTuple):
    """The rows of an export as plain records, and what to say about them."""

    rows: Sequence[Any]
    issues: tuple[Issue, ...]


class _Verdict(NamedTuple):
    """What annotators say about a task, and what it counts as: 'used', 'skipped', 'none' or 'disagree'."""

    answers: Mapping[str, Any]
    kind: str


def read_export(rows: Sequence[Any], path: Path) -> Export | None:
    """The rows of an annotation tool's export; None when they are no such thing."""
    some = [row for row in rows[:50] if isinstance(row, dict)]
    if not some or len(some) < len(rows[:50]):
        return None
    if all(isinstance(row.get("data"), dict) and _annotations(row) is not None for row in some):
        return _label_studio(rows, path)
    if all(str(row.get("answer")) in DECISIONS and PRODIGY_SIGNS & set(row) for row in some):
        return _prodigy(rows, path)
    return None


def _read_as(tool: str, tasks: Sequence[Any], used: set[str]) -> Issue:
    """Which tool's export it is, and which of its fields are no columns."""
    others = dict.fromkeys(key for task in tasks if isinstance(task, dict) for key in task if key not in used)
    rest = f"; its own fields {listed(map(repr, others))} are not used" if others else ""
    return note(Code.ANNOTATIONS, f"Read as a {tool} export: {counted(len(tasks), 'task')}{rest}.")


def _annotations(task: Mapping[str, Any]) -> list[Any] | None:
    found = task.get("annotations", task.get("completions"))
    return found if isinstance(found, list) else None


def _label_studio(tasks: Sequence[Any], path: Path) -> Export:
    verdicts = [_verdict(task, path) if isinstance(task, dict) else _Verdict({}, "none") for task in tasks]
    if not any(verdict.answers for verdict in verdicts):
        raise DatasetError(f"{path.name} is a Label Studio export without an annotation. {WAY_OUT}.")
    questions = list(dict.fromkeys(name for verdict in verdicts for name in verdict.answers))
    rows = []
    for task, verdict in zip(tasks, verdicts, strict=True):
        data = task.get("data") if isinstance(task, dict) else None
        texts = data if isinstance(data, dict) else {}
        taken = {name: name if name not in texts else f"{name} (annotated)" for name in questions}
        chosen = {taken[name]: verdict.answers.get(name) for name in questions}
        rows.append({**({"id": task["id"]} if "id" in task and "id" not in texts else {}), **texts, **chosen})
    counts = Counter(verdict.kind for verdict in verdicts)
    said = _read_as("Label Studio", tasks, {"id", "data", "annotations", "completions"})
    return Export(rows, (said, *_left_out(counts), *_disagreements(verdicts)))


def _verdict(task: Mapping[str, Any], path: Path) -> _Verdict:
    """The ground truth, else what all annotators say, else what more than half of them say."""
    there = [a for a in _annotations(task) or [] if isinstance(a, dict)]
    given = [a for a in there if not a.get("was_cancelled") and a.get("result")]
    if not given:
        return _Verdict({}, "skipped" if there else "none")
    truth = [a for a in given if a.get("ground_truth")]
    answers = [_answers(annotation, path) for annotation in truth or given]
    best = max(answers, key=answers.count)
    if answers.count(best) == len(answers):
        return _Verdict(best, "used")
    return _Verdict(best, "majority") if answers.count(best) > len(answers) / 2 else _Verdict({}, "disagree")


def _answers(annotation: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What was chosen or written, by the name of the question; one choice as text, several as a list."""
    found: dict[str, list[Any]] = {}
    parts = annotation["result"] if isinstance(annotation["result"], list) else []
    for part in filter(_is_object, parts):
        kind, value = str(part.get("type", "")).lower(), part.get("value")
        if kind in OTHER and not (isinstance(value, dict) and "choices" in value):
            raise DatasetError(f"{path.name} marks {OTHER[kind]}, which no task here learns. {WAY_OUT}.")
        if not isinstance(value, dict):
            continue
        given = next((value[key] for key in ANSWERS if key in value), None)
        items = given if isinstance(given, list) else [given]
        flat = [" / ".join(map(str, item)) if isinstance(item, list) else item for item in items]
        found.setdefault(str(part.get("from_name", "label")), []).extend(flat)
    return {name: items[0] if len(items) == 1 else items for name, items in found.items()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _left_out(counts: Mapping[str, int]) -> list[Issue]:
    reasons = {
        "skipped": "skipped by its annotator", "none": "not annotated",
        "disagree": "annotated in different ways, none by more than half",
    }  # fmt: skip
    parts = [f"{counts[kind]:,} {reason}" for kind, reason in reasons.items() if counts.get(kind)]
    if not parts:
        return []
    text = f"Tasks without an answer, set aside: {'; '.join(parts)}."
    return [Issue(Severity.WARNING, Code.ANNOTATIONS, None, text)]


def _disagreements(verdicts: Sequence[_Verdict]) -> list[Issue]:
    rows = [n for n, verdict in enumerate(verdicts, 1) if verdict.kind == "majority"]
    return by_row(
        Severity.WARNING, Code.ANNOTATIONS, rows,
        lambda n: f"The annotators of row {n} disagree; what more than half of them say is used.",
    )  # fmt: skip


def _prodigy(found: Sequence[Any], path: Path) -> Export:
    tasks = [task for task in found if isinstance(task, dict)]
    if any(task.get("spans") and not task.get("accept") and "label" not in task for task in tasks):
        raise DatasetError(f"{path.name} marks spans of texts, which no task here learns. {WAY_OUT}.")
    labels = {str(task["label"]) for task in tasks if task.get("label") is not None}
    choices = any("accept" in task or "options" in task for task in tasks)
    yes_no = not choices and len(labels) == 1
    rows = [_decided(task, choices, yes_no) if isinstance(task, dict) else task for task in found]
    counts = Counter(str(task.get("answer")) for task in tasks)
    fields = {key for task in tasks for key in task} - PRODIGY_OWN
    issues = [_read_as("Prodigy", tasks, fields | {"accept", "answer", "options"})]
    if yes_no:
        (label,) = labels
        text = f"Only {label!r} was asked for: accepted rows have this label, rejected ones 'not {label}'."
        issues.append(note(Code.ANNOTATIONS, text))
    aside = {
        name: counts[name]
        for name in ("reject", "ignore")
        if counts[name] and not (yes_no and name == "reject")
    }
    if aside:
        parts = " and ".join(f"{number:,} with the decision {name!r}" for name, number in aside.items())
        text = f"Set aside: {parts}; only accepted rows have a label."
        issues.append(Issue(Severity.WARNING, Code.ANNOTATIONS, None, text))
    return Export(rows, tuple(issues))


def _decided(task: Mapping[str, Any], choices: bool, yes_no: bool) -> dict[str, Any]:
    """The task without the tool's own fields, and the label that was decided on; None: none was."""
    rest = {key: value for key, value in task.items() if key not in PRODIGY_OWN and key != "label"}
    label = _chosen(task) if choices else task.get("label")
    if task.get("answer") != "accept":
        label = f"not {label}" if yes_no and task.get("answer") == "reject" else None
    return {**rest, "label": label}


def _chosen(task: Mapping[str, Any]) -> Any:
    """The accepted options: by id, or by their text where ids are only numbers."""
    texts = {str(o.get("id")): o.get("text") for o in _listed(task.get("options")) if isinstance(o, dict)}
    numbered = bool(texts) and all(key.isdigit() for key in texts)
    items = _listed(task.get("accept"))
    named = [texts.get(str(item), item) if numbered else item for item in items if item is not None]
    return (named[0] if len(named) == 1 else named) or None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
