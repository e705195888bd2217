"""Answers without a language model, from the same training rows: what one would try in three seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from engine import extractive
from engine.errors import ConfigError
from engine.records import Role, Row, Task

Predictor = Callable[[Sequence[Row], Sequence[Row]], list[str]]

TITLES = {
    "majority": "majority class",
    "tfidf_logreg": "TF-IDF + logistic regression",
    "lead_sentence": "lead sentence",
    "extractive": "trained pick of sentences",
    "most_common_answer": "most common answer",
    "extractive_answer": "trained pick of a passage",
    "nearest_answer": "answer to the most similar prompt",
}


def names(task: Task) -> tuple[str, ...]:
    """The baselines of a task, the plainest first."""
    return tuple(_PREDICTORS[task])


def predict(name: str, train_rows: Sequence[Row], rows: Sequence[Row], task: Task) -> list[str]:
    """The baseline's answer to each row; raises ConfigError for a baseline that the task has not."""
    if name not in _PREDICTORS[task]:
        raise ConfigError(
            f"There is no baseline {name!r} for {task}; choose one of {', '.join(names(task))}."
        )
    return _PREDICTORS[task][name](train_rows, rows)


def _most_common(train_rows: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """Of equally common answers the first in the order of the alphabet."""
    counts = Counter(row.targets[0] for row in train_rows)
    common = min(counts, key=lambda answer: (-counts[answer], answer))
    return [common] * len(rows)


def _tfidf_logreg(train_rows: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    from sklearn.linear_model import LogisticRegression

    labels = [row.targets[0] for row in train_rows]
    if len(set(labels)) < 2:
        return _most_common(train_rows, rows)
    known, new = _tfidf([_source(row) for row in train_rows], [_source(row) for row in rows])
    model = LogisticRegression(C=10.0, max_iter=1000).fit(known, labels)
    return [str(label) for label in model.predict(new)]


def _nearest_answer(train_rows: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    known, new = _tfidf([_source(row) for row in train_rows], [_source(row) for row in rows])
    nearest = (new @ known.T).toarray().argmax(axis=1)
    return [train_rows[index].targets[0] for index in nearest]


def _tfidf(known: Sequence[str], new: Sequence[str]):  # type: ignore[no-untyped-def]
    """Words and pairs of words; every run of letters or digits counts, so that no text is left empty."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    return vectorizer.fit_transform(known), vectorizer.transform(new)


def _source(row: Row) -> str:
    return " ".join(row.inputs.values())


def _lead_sentence(train_rows: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    return [extractive.sentences(row.inputs[Role.SOURCE])[0] for row in rows]


_PREDICTORS: dict[Task, dict[str, Predictor]] = {
    Task.CLASSIFICATION: {"majority": _most_common, "tfidf_logreg": _tfidf_logreg},
    Task.SUMMARIZATION: {"lead_sentence": _lead_sentence, "extractive": extractive.summaries},
    Task.QA: {"most_common_answer": _most_common, "extractive_answer": extractive.answers},
    Task.GENERATION: {"most_common_answer": _most_common, "nearest_answer": _nearest_answer},
}
