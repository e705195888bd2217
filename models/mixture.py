"""Which tasks a batch holds at each moment of the pre-training: the stages and the mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from corpus import MODERN, NOVELS, OLD, Tokens
from curriculum import (
    ROW,
    Alphabet,
    Ids,
    Piece,
    Random,
    Stream,
    Tasks,
    easy_lookups,
    far_repeats,
    lookups,
    repeats,
)

LABELS = {
    "python_peps": "software",
    "openstax_textbooks": "science",
    "nltk_masc": "conversation",
    "wikitext2_valid_test": "encyclopedia",
    "nltk_us_presidents": "politics",
    "clinc_wiki_sentences": "fact",
}
MODERN_SHARE, OLD_SHARE = 0.45, 0.012  # of the text; the novels are the rest
# Vocabulary, shortest and longest sequence; the last stage has far repeats.
COPY_STAGES = ((64, 4, 12), (300, 6, 24), (4096, 6, 32), (4096, 150, 240))
FORMS = ("blank", "wh", "fuzzy", "about", "true")
FORM_SHARES = (0.17, 0.25, 0.33, 0.22, 0.03)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens and the weight of each token as a target."""

    tokens: Ids
    weights: np.ndarray


def build_tasks(alphabet: Alphabet, texts: dict[str, Tokens]) -> Tasks:
    """The streams with their shares; modern corpora by their size, so that all are seen alike."""
    modern = sum(len(texts[name]) for name in MODERN)
    streams = {
        LABELS[name]: (Stream(alphabet, [texts[name]]), MODERN_SHARE * len(texts[name]) / modern)
        for name in MODERN
    }
    novels = 1 - MODERN_SHARE - OLD_SHARE
    streams["drama"] = (Stream(alphabet, [texts[name] for name in OLD]), OLD_SHARE)
    streams["novel"] = (Stream(alphabet, [texts[name] for name in NOVELS]), novels)
    return Tasks(alphabet, streams)


def copy_batch(alphabet: Alphabet, seed: tuple[int, int], stage: int, rows: int) -> Batch:
    """Rows of repeated random sequences."""
    random = np.random.default_rng(seed)
    return _stack([_copy_row(alphabet, random, stage) for _ in range(rows)])


def mixed_batch(tasks: Tasks, seed: tuple[int, int], progress: float, rows: int) -> Batch:
    """Rows of text and questions; progress runs from 0 (easy) to 1."""
    random = np.random.default_rng(seed)
    return _stack([_mixed_row(tasks, random, progress) for _ in range(rows)])


def focus_batch(tasks: Tasks, seed: tuple[int, int], rows: int) -> Batch:
    """Mostly easy lookups, some short passages with many questions, some plain text."""
    random = np.random.default_rng(seed)
    made = []
    for row in range(rows):
        share = row / rows
        if share < 0.55:
            made.append(lookup_row(tasks, random, 0.0, easy=1.0))
        elif share < 0.8:
            made.append(_dense_row(tasks, random))
        else:
            made.append((tasks.plain(random, ROW), np.ones(ROW)))
    return _stack(made)


def _dense_row(tasks: Tasks, random: Random) -> tuple[Ids, np.ndarray]:
    tokens, weights = _empty()
    while len(tokens) < ROW:
        forms = ["blank"] * 8 + ["about"]
        pieces = tasks.asked_passage(random, int(random.integers(25, 70)), forms)
        tokens, weights = _add(tokens, weights, pieces)
    return tokens[:ROW], weights[:ROW]


def _stack(rows: list[tuple[Ids, np.ndarray]]) -> Batch:
    return Batch(np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows]))


def _copy_row(alphabet: Alphabet, random: Random, stage: int) -> tuple[Ids, np.ndarray]:
    size, shortest, longest = COPY_STAGES[stage]
    # A fixed shuffle, so that the early vocabularies mix frequent and rare tokens.
    order = np.random.default_rng(1).permutation(np.arange(2, alphabet.size))
    vocabulary = order[: min(size, len(order))]
    tokens, weights = _empty()
    while len(tokens) < ROW:
        if stage == len(COPY_STAGES) - 1 and random.random() < 0.7:
            pieces = far_repeats(random, vocabulary, int(random.integers(shortest, longest)))
        else:
            limits = (shortest, longest) if stage < len(COPY_STAGES) - 1 else (6, 32)
            pieces = repeats(random, vocabulary, *limits)
        tokens, weights = _add(tokens, weights, pieces)
    return tokens[:ROW], weights[:ROW]


def _mixed_row(tasks: Tasks, random: Random, progress: float) -> tuple[Ids, np.ndarray]:
    copying = random.random()
    if copying < 0.04:
        return _copy_row(tasks.alphabet, random, len(COPY_STAGES) - 1)
    if copying < 0.07 + 0.15 * float(np.interp(progress, (0.5, 0.8), (1, 0))):
        return lookup_row(tasks, random, progress)
    draw = random.random()
    if draw < 0.15:
        tokens = tasks.plain(random, ROW)
        return tokens, np.ones(ROW)
    tokens, weights = _empty()
    for _ in range(12):
        pieces = _pieces(tasks, random, progress, draw)
        if len(tokens) + sum(len(p.tokens) for p in pieces) <= ROW:
            tokens, weights = _add(tokens, weights, pieces)
        elif len(tokens) > 0.7 * ROW:
            break
    filler = tasks.plain(random, ROW - len(tokens))
    tokens, weights = _add(tokens, weights, [Piece(filler, 1.0)])
    return tokens, weights


def lookup_row(tasks: Tasks, random: Random, progress: float, easy: float = 0.4) -> tuple[Ids, np.ndarray]:
    """Questions on random tokens; easy is the share of the simplest kind."""
    vocabulary = np.arange(2, tasks.alphabet.size)
    tokens, weights = _empty()
    while len(tokens) < ROW:
        if random.random() < easy:
            pieces = easy_lookups(tasks, random, vocabulary)
        else:
            length = int(random.integers(20, 60 + int(200 * min(1.0, 3 * progress))))
            pieces = lookups(tasks, random, vocabulary, length)
        tokens, weights = _add(tokens, weights, pieces)
    return tokens[:ROW], weights[:ROW]


def _pieces(tasks: Tasks, random: Random, progress: float, draw: float) -> list[Piece]:
    if draw < 0.19:
        return tasks.labelled(random, int(random.integers(8, 40)))
    longest = 60 + 340 * min(1.0, max(0.0, progress - 0.15) / 0.45)
    length = int(np.exp(random.uniform(np.log(30), np.log(longest))))
    if draw < 0.27:
        return tasks.summary(random, length)
    if draw < 0.30:
        return tasks.echo(random, min(length, 200))
    single = random.random() < 0.1 + 0.4 * progress
    questions = 1 if single else int(random.integers(3, 9))
    forms = random.choice(FORMS, questions, p=FORM_SHARES)
    return tasks.asked_passage(random, length, [str(form) for form in forms])


def _empty() -> tuple[Ids, np.ndarray]:
    return np.zeros(0, dtype=np.int64), np.zeros(0)


def _add(tokens: Ids, weights: np.ndarray, pieces: list[Piece]) -> tuple[Ids, np.ndarray]:
    tokens = np.concatenate((tokens, *(p.tokens for p in pieces)))
    weights = np.concatenate((weights, *(np.full(len(p.tokens), p.weight) for p in pieces)))
    return tokens, weights
