"""Summaries and answers copied out of the text: a regression, trained on the same rows, picks what to copy.

Each candidate (a sentence, or for short answers a run of words) is described by a few numbers, the regression
predicts its score against the right answer, and the candidate with the highest prediction is the answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import words as text_words
from engine.headings import bare
from engine.metrics import rouge, token_f1
from engine.records import Role, Row
from engine.words import answer_words, normalize_answer

# After a full stop, question or exclamation mark (also Arabic, Urdu, Hindi, Armenian) and a space; the marks
# of Chinese and Japanese need none, and a closing quotation mark or bracket belongs to its sentence.
SENTENCE_END = re.compile(
    r"(?<=[.!?؟۔।॥։።])\s+|(?<=[。！？｡])(?![。！？｡」』”’）\s])|(?<=[。！？｡][」』”’）])|(?<=[。！？｡])\s+|\n+"
)
ARTICLES = ("a", "an", "the")
STOPS = ".,;:!?。、，；：！？｡؟۔،।"
MOST_SENTENCES = 3
SHARED_WITH_QUESTION = 5  # its place among a sentence's features
SHORT_ANSWER = 8  # words; up to here runs of words are candidates too
CANDIDATES_PER_ROW = 60  # that the regression is trained on
MANY_FEATURES = 12  # from here products of two features are left out
FREQUENT = 0.05  # share of training rows from which on an answer is offered in every row ("unanswerable")
SEARCHED_SENTENCES = 6  # of a context, in which runs of words are tried

Features = npt.NDArray[np.float64]
Rate = Callable[[Features], Features]


def sentences(text: str) -> list[str]:
    """The text at full stops, question and exclamation marks and line ends; never empty."""
    found = [part.strip() for part in SENTENCE_END.split(text) if part.strip()]
    return found or [text.strip()]


@dataclass(frozen=True, slots=True)
class SentencePick:
    """The `count` sentences of a text that the regression rates highest."""

    rate: Rate
    count: int

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The picked sentences in the order of the text."""
        found = (_sentence_candidates(bare(row, Role.SOURCE), "") for row in rows)
        return [_top(candidates, self.rate, self.count) for candidates in found]


@dataclass(frozen=True, slots=True)
class PassagePick:
    """The part of a context, or one of the usual answers, that the regression rates highest.

    `longest`: words in a run of words; 0: whole sentences.
    """

    rate: Rate
    longest: int
    usual: tuple[str, ...]

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The picked part of each row's context."""
        return [_top(_answer_candidates(row, self.longest, self.usual), self.rate, 1) for row in rows]


def fit_summaries(train_rows: Sequence[Row]) -> SentencePick:
    """Learns which one to three sentences to take; how many is decided on the training rows."""
    known = [_sentence_candidates(bare(row, Role.SOURCE), "") for row in train_rows]
    gains = [
        [rouge(text, row.targets[0])["rougeL"] for text in found.texts]
        for row, found in zip(train_rows, known, strict=True)
    ]
    rate = _fit(np.vstack([found.features for found in known]), np.concatenate(gains))
    count = max(range(1, MOST_SENTENCES + 1), key=lambda n: _summary_score(train_rows, known, rate, n))
    return SentencePick(rate, count)


def fit_answers(train_rows: Sequence[Row]) -> PassagePick:
    """Learns which part of a context most resembles the right answers of the training rows."""
    said = Counter(row.targets[0] for row in train_rows)
    usual = tuple(a for a, count in said.most_common(3) if count >= FREQUENT * len(train_rows))
    longest = _longest_run([row.targets[0] for row in train_rows if row.targets[0] not in usual])
    draw = np.random.default_rng(0)
    features, gains = [], []
    for row in train_rows:
        found = _answer_candidates(row, longest, usual)
        gain = np.array([max(token_f1(text, gold) for gold in row.targets) for text in found.texts])
        own = len(gain) - len(usual)
        kept = np.union1d(draw.permutation(own)[:CANDIDATES_PER_ROW], np.argsort(-gain)[:3])
        kept = np.union1d(kept, np.arange(own, len(gain)))
        features.append(found.features[kept])
        gains.append(gain[kept])
    return PassagePick(_fit(np.vstack(features), np.concatenate(gains)), longest, usual)


def _longest_run(answers: Sequence[str]) -> int:
    """How many words a candidate may have: nine in ten answers are as short; 0: they are long."""
    lengths = [text_words.count(answer) for answer in answers] or [1]
    if np.median(lengths) > SHORT_ANSWER:
        return 0
    return min(SHORT_ANSWER, round(float(np.quantile(lengths, 0.9))))


@dataclass(frozen=True, slots=True)
class _Candidates:
    texts: list[str]
    features: Features


def _fit(features: Features, gains: npt.ArrayLike) -> Rate:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    pairs = PolynomialFeatures(2 if features.shape[1] < MANY_FEATURES else 1, include_bias=False)
    model = make_pipeline(StandardScaler(), pairs, Ridge(alpha=10.0))
    predict: Rate = model.fit(features, gains).predict
    return predict


def _top(found: _Candidates, rate: Rate, count: int) -> str:
    """The `count` best candidates in the order of the text."""
    best = np.argsort(-rate(found.features), kind="stable")[:count]
    return " ".join(found.texts[index] for index in sorted(best))


def _summary_score(rows: Sequence[Row], known: Sequence[_Candidates], rate: Rate, count: int) -> float:
    pairs = zip(rows, known, strict=True)
    return sum(rouge(_top(found, rate, count), row.targets[0])["rougeL"] for row, found in pairs)


def _sentence_candidates(text: str, question: str) -> _Candidates:
    texts = sentences(text)
    words = [set(answer_words(part)) for part in texts]
    asked = set(answer_words(question))
    all_words = [word for part in words for word in part]
    common = {word: all_words.count(word) for word in set(all_words)}
    rows = [
        [
            1 / (place + 1),
            place / len(texts),
            float(place == len(texts) - 1),
            np.log1p(text_words.count(part)),
            sum(common[word] for word in own) / (len(own) * len(texts)) if own else 0.0,
            len(own & asked) / max(1, len(asked)),
        ]
        for place, (part, own) in enumerate(zip(texts, words, strict=True))
    ]
    return _Candidates(texts, np.array(rows, dtype=float))


def _answer_candidates(row: Row, longest: int, usual: Sequence[str]) -> _Candidates:
    """Parts of the context, then the usual answers; each usual one is marked and described by their mean."""
    question = bare(row, Role.QUESTION)
    found = _sentence_candidates(bare(row, Role.CONTEXT), question)
    if longest:
        found = _runs_of_words(found, question, longest)
    if not usual:
        return found
    parts = np.hstack((found.features, np.zeros((len(found.texts), len(usual)))))
    whole = np.hstack((np.tile(found.features.mean(axis=0), (len(usual), 1)), np.eye(len(usual))))
    return _Candidates([*found.texts, *usual], np.vstack((parts, whole)))


def _runs_of_words(found: _Candidates, question: str, longest: int) -> _Candidates:
    """From the sentences that share the most words with the question."""
    texts, features = [], []
    for place in np.argsort(-found.features[:, SHARED_WITH_QUESTION], kind="stable")[:SEARCHED_SENTENCES]:
        described = found.features[place]
        spans = _spans(found.texts[place], question, longest)
        texts += [text for text, _ in spans]
        features += [[*described, *numbers] for _, numbers in spans]
    return _Candidates(texts, np.array(features, dtype=float))


def _spans(sentence: str, question: str, longest: int) -> list[tuple[str, list[float]]]:
    """Runs of up to `longest` words (characters where a script has no spaces between words), with what tells
    whether one answers the question."""
    places = text_words.pieces(sentence)
    words = [sentence[first:last] for first, last in places]
    asked = set(answer_words(question))
    plain = ["" if word.lower() in ARTICLES else normalize_answer(word) for word in words]
    overlap = [float(word in asked) for word in plain]
    capital = [float(word[:1].isupper()) for word in words]
    digit = [float(any(c.isdigit() for c in word)) for word in words]
    kinds = _question_kinds(question)
    found = []
    for start in range(len(words)):
        for end in range(start + 1, min(start + longest, len(words)) + 1):
            size = end - start
            near = sum(overlap[max(0, start - 4) : start]) + sum(overlap[end : end + 4])
            caps, digits = sum(capital[start:end]) / size, sum(digit[start:end]) / size
            numbers = [
                size,
                sum(overlap[start:end]) / size,
                near,
                caps,
                digits,
                float(not plain[start]) + float(not plain[end - 1]),
                float(words[end - 1][-1] in STOPS),
                *(kind * value for kind in kinds for value in (caps, digits)),
            ]
            text = " ".join(sentence[places[start][0] : places[end - 1][1]].split())
            found.append((text.strip(STOPS), numbers))
    return found


def _question_kinds(question: str) -> list[float]:
    asked = question.lower()
    kinds: list[Any] = [r"\bwho\b|\bwhose\b", r"\bwhen\b|\byear\b", r"\bhow (many|much)\b", r"\bwhere\b"]
    return [float(bool(re.search(kind, asked))) for kind in kinds]
