"""Answers without a language model, from the same training rows: what one would try in three seconds.

Each baseline is fit to an object that answers rows; scoring, predictions, Try it and exports use one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine import extractive, labelsets
from engine.errors import ConfigError
from engine.headings import bare, longest
from engine.records import Role, Row, Task
from engine.words import TOKEN_PATTERN, composed


class Fitted(Protocol):
    """What a baseline learned: equal rows always get equal answers."""

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The answer to each row."""
        ...


TITLES = {
    "majority": "majority class",
    "tfidf_logreg": "TF-IDF + logistic regression",
    "majority_set": "most common set of labels",
    "tfidf_one_vs_rest": "TF-IDF + a logistic regression per label",
    "lead_sentence": "lead sentence",
    "extractive": "trained pick of sentences",
    "most_common_answer": "most common answer",
    "extractive_answer": "trained pick of a passage",
    "nearest_answer": "answer to the most similar prompt",
}

CONSTANT = ("majority", "majority_set", "most_common_answer")  # the same answer to every row


def names(task: Task) -> tuple[str, ...]:
    """The baselines of a task, the plainest first."""
    return tuple(_FITS[task])


def fit(name: str, train_rows: Sequence[Row], task: Task) -> Fitted:
    """The baseline after these rows; raises ConfigError for a baseline that the task has not."""
    if name not in _FITS[task]:
        raise ConfigError(
            f"There is no baseline {name!r} for {task}; choose one of {', '.join(names(task))}."
        )
    return _FITS[task][name](train_rows)


def predict(name: str, train_rows: Sequence[Row], rows: Sequence[Row], task: Task) -> list[str]:
    """The baseline's answer to each row; raises ConfigError for a baseline that the task has not."""
    return fit(name, train_rows, task).answers(rows)


def text_of(row: Row) -> str:
    """What TF-IDF reads of a row: the texts of all its fields."""
    return composed(" ".join(bare(row, role) for role in row.inputs))


@dataclass(frozen=True, slots=True)
class Constant:
    """The same answer to every row."""

    answer: str

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The one answer, again and again."""
        return [self.answer] * len(rows)


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """A scikit-learn pipeline from texts to labels."""

    pipeline: Any

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The likeliest label of each row."""
        return [str(label) for label in self.pipeline.predict([text_of(row) for row in rows])]

    def likelihoods(self, rows: Sequence[Row], labels: Sequence[str]) -> npt.NDArray[np.float64]:
        """The log-probability of each of the labels; of one that no training row has, that of nothing."""
        found = self.pipeline.predict_log_proba([text_of(row) for row in rows])
        place = {str(name): n for n, name in enumerate(self.pipeline.classes_)}
        nothing = np.full(len(rows), -1e6)
        columns = [found[:, place[label]] if label in place else nothing for label in labels]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class SetClassifier:
    """A scikit-learn pipeline from texts to a yes or no for each label."""

    pipeline: Any
    labels: tuple[str, ...]
    always: tuple[str, ...] = ()

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """All labels that are likelier than not, and those that every training row has."""
        found = np.asarray(self.pipeline.predict([text_of(row) for row in rows])).reshape(len(rows), -1)
        named = ([label for label, yes in zip(self.labels, line, strict=True) if yes] for line in found)
        return [labelsets.joined((*self.always, *labels)) for labels in named]


@dataclass(frozen=True, slots=True)
class NearestAnswer:
    """The answer of the training row whose text is the most similar; `known`: their TF-IDF, a row each."""

    vectorizer: Any
    known: Any
    known_answers: tuple[str, ...]

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """By the cosine of the angle; of equals the first."""
        new = self.vectorizer.transform([text_of(row) for row in rows])
        return [self.known_answers[index] for index in (new @ self.known.T).toarray().argmax(axis=1)]


@dataclass(frozen=True, slots=True)
class LeadSentence:
    """The first sentence of each text."""

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """Up to the first mark that ends a sentence."""
        return [extractive.sentences(longest(row, Role.SOURCE))[0] for row in rows]


def _most_common(train_rows: Sequence[Row]) -> Constant:
    """Of equally common answers the first in the order of the alphabet."""
    counts = Counter(row.targets[0] for row in train_rows)
    return Constant(min(counts, key=lambda answer: (-counts[answer], answer)))


def _tfidf_logreg(train_rows: Sequence[Row]) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = [row.targets[0] for row in train_rows]
    if len(set(labels)) < 2:
        return _most_common(train_rows)
    model = make_pipeline(_tfidf(), LogisticRegression(C=10.0, max_iter=1000))
    return TextClassifier(model.fit([text_of(row) for row in train_rows], labels))


def _tfidf_one_vs_rest(train_rows: Sequence[Row]) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    sets = [labelsets.parts(row.targets[0]) for row in train_rows]
    everywhere = frozenset.intersection(*sets)
    labels = tuple(sorted(frozenset.union(*sets) - everywhere))
    if not labels:
        return _most_common(train_rows)
    known = np.array([[label in found for label in labels] for found in sets], dtype=int)
    each = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=1000))
    model = make_pipeline(_tfidf(), each).fit([text_of(row) for row in train_rows], known)
    return SetClassifier(model, labels, tuple(sorted(everywhere)))


def _nearest_answer(train_rows: Sequence[Row]) -> NearestAnswer:
    vectorizer = _tfidf()
    known = vectorizer.fit_transform([text_of(row) for row in train_rows])
    return NearestAnswer(vectorizer, known, tuple(row.targets[0] for row in train_rows))


def _tfidf() -> Any:
    """Words and pairs of words of any script; each sign counts, so that no text is left empty."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN_PATTERN)


def _lead_sentence(train_rows: Sequence[Row]) -> LeadSentence:
    return LeadSentence()


_FITS: dict[Task, dict[str, Callable[[Sequence[Row]], Fitted]]] = {
    Task.CLASSIFICATION: {"majority": _most_common, "tfidf_logreg": _tfidf_logreg},
    Task.MULTILABEL: {"majority_set": _most_common, "tfidf_one_vs_rest": _tfidf_one_vs_rest},
    Task.SUMMARIZATION: {"lead_sentence": _lead_sentence, "extractive": extractive.fit_summaries},
    Task.QA: {"most_common_answer": _most_common, "extractive_answer": extractive.fit_answers},
    Task.GENERATION: {"most_common_answer": _most_common, "nearest_answer": _nearest_answer},
}
