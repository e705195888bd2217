"""How good one answer is: values of each task's metrics per row, by customary libraries and definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from functools import lru_cache
from typing import Any

from engine import labelsets
from engine.errors import ConfigError
from engine.records import Score, Task
from engine.words import RougeTokens, answer_words, composed, normalize_answer

METRICS: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: ("accuracy", "macro_f1"),
    Task.MULTILABEL: ("micro_f1", "macro_f1", "exact_set"),
    Task.SUMMARIZATION: ("rougeL", "rouge1"),
    Task.QA: ("token_f1", "exact_match"),
    Task.GENERATION: ("rougeL", "loss"),
}
ROW_METRICS: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: ("accuracy",),
    Task.MULTILABEL: ("row_f1", "exact_set"),
    Task.SUMMARIZATION: ("rougeL", "rouge1"),
    Task.QA: ("token_f1", "exact_match"),
    Task.GENERATION: ("rougeL",),
}
TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "exact_set": "exact set of labels",
    "row_f1": "F1 of a row's labels",
    "rougeL": "ROUGE-L",
    "rouge1": "ROUGE-1",
    "token_f1": "token F1",
    "exact_match": "exact match",
    "loss": "loss",
}


def check_metric(metric: str, task: Task) -> str:
    """The metric itself; raises ConfigError when the task has no such metric."""
    if metric not in METRICS[task]:
        raise ConfigError(f"The metric for {task} must be one of {', '.join(METRICS[task])}, not {metric!r}.")
    return metric


def lower_is_better(metric: str) -> bool:
    """True of losses."""
    return metric == "loss"


def row_metric(metric: str, task: Task) -> str:
    """What a row has of a metric: of F1 over classes, which a row alone has not, whether it is right."""
    return ROW_METRICS[task][0] if metric in ("macro_f1", "micro_f1") else metric


def number(value: float, loss: bool) -> str:
    """A score or difference as it is written everywhere: in points '71.2', a loss in nats '1.234'."""
    text = f"{value:.3f}" if loss else f"{100 * value:.1f}"
    return text if float(text) else text.removeprefix("-")


def points(score: Score, loss: bool, unit: str = "") -> str:
    """A score or difference with its interval: '71.2 (65.0 to 76.8)'; `unit` comes behind the value."""
    value, low, high = (number(part, loss) for part in (score.value, score.low, score.high))
    return f"{value}{unit} ({low} to {high})"


def row_values(task: Task, answer: str, golds: Sequence[str]) -> dict[str, float]:
    """The value of each metric of one row; with several right answers the best match counts."""
    if task is Task.CLASSIFICATION:
        return {"accuracy": float(composed(answer) == composed(golds[0]))}
    if task is Task.MULTILABEL:
        said, right = labelsets.parts(answer), labelsets.parts(golds[0])
        exact = bool(answer) and composed(answer) == composed(golds[0])
        return {"row_f1": _set_f1(said, right) if answer else 0.0, "exact_set": float(exact)}
    if task is Task.QA:
        return {
            "token_f1": max(token_f1(answer, gold) for gold in golds),
            "exact_match": max(exact_match(answer, gold) for gold in golds),
        }
    best = [rouge(answer, gold) for gold in golds]
    return {name: max(values[name] for values in best) for name in ROW_METRICS[task]}


def _set_f1(said: Set[str], right: Set[str]) -> float:
    """1 for two empty sets: none of the labels was right, and none was said."""
    return 2 * len(said & right) / (len(said) + len(right)) if said or right else 1.0


def as_answer(task: Task, answer: str, labels: Sequence[str]) -> tuple[str, bool]:
    """An answer as it is judged and shown, and whether it is valid: free text always is."""
    if task is Task.MULTILABEL:
        return labelsets.as_labels(answer, labels)
    label = as_label(answer, labels) if task is Task.CLASSIFICATION else answer
    return (answer, False) if label is None else (label, True)


def as_label(answer: str, labels: Sequence[str]) -> str | None:
    """The label that the answer names: exactly, or else up to case when only one fits; None: invalid."""
    if answer in labels:
        return answer
    said = composed(answer)
    exact = [label for label in labels if composed(label) == said]
    alike = [label for label in labels if composed(label).casefold() == said.casefold()]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


def rouge(answer: str, gold: str) -> dict[str, float]:
    """ROUGE-1 and ROUGE-L F-measures (Lin 2004) by rouge-score, over words of any script (engine.words)."""
    scores = _rouge_scorer().score(gold, answer)
    return {name: float(score.fmeasure) for name, score in scores.items()}


@lru_cache(maxsize=1)
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL", "rouge1"], tokenizer=RougeTokens())


def exact_match(answer: str, gold: str) -> float:
    """1 when both are equal after normalisation (engine.words), else 0."""
    return float(normalize_answer(answer) == normalize_answer(gold))


def token_f1(answer: str, gold: str) -> float:
    """F1 of the normalised words (characters in scripts without spaces) that both share; two empty answers
    agree."""
    said, right = answer_words(answer), answer_words(gold)
    if not said or not right:
        return float(said == right)
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right))
