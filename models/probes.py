"""What a model can do so far: exact copies, answers found in passages, loss on held-out text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from curriculum import LONG, ROW, SHORT, Alphabet, Tasks, repeats
from mixture import lookup_row
from torch import Tensor
from torch.nn import functional

Scorer = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From inputs and targets (rows, 512) to each target's loss in nats and whether it is the best."""
ROWS = 16
VALIDATION_ROWS = 96
PASSAGE_PROBES = {
    "asked_short": (SHORT, "wh"),
    "cloze_short": (SHORT, "blank"),
    "cloze_long": (LONG, "blank"),
    "fuzzy_short": (SHORT, "fuzzy"),
    "fuzzy_long": (LONG, "fuzzy"),
    "sentence_long": (LONG, "about"),
}


def probe(score: Scorer, alphabet: Alphabet, held: Tasks, many: int = 64) -> dict[str, float]:
    """All probes with fixed questions; shares of exact answers, and of tokens for sentences."""
    found = {"copy": _copy(score, alphabet), "lookup_tokens": _lookup(score, held)}
    found["easy_lookup_tokens"] = _lookup(score, held, easy=1.0)
    for name, (length, form) in PASSAGE_PROBES.items():
        exact, tokens = _answers(score, alphabet, held, length, form, many)
        found |= {name: exact, name + "_tokens": tokens}
    return found | validation_loss(score, alphabet, held)


def _copy(score: Scorer, alphabet: Alphabet) -> float:
    random = np.random.default_rng(11)
    vocabulary = np.arange(2, alphabet.size)
    rows, masks = [], []
    for _ in range(ROWS):
        pieces = [p for _ in range(40) for p in repeats(random, vocabulary, 6, 32)]
        rows.append(np.concatenate([p.tokens for p in pieces])[:ROW])
        masks.append(np.concatenate([np.full(len(p.tokens), p.weight > 0) for p in pieces])[:ROW])
    _, right = _scored(score, np.stack(rows))
    return float(right[np.stack(masks)[:, 1:]].mean())


def _lookup(score: Scorer, held: Tasks, easy: float = 0.0) -> float:
    random = np.random.default_rng(13)
    rows = [lookup_row(held, random, 0.1, easy) for _ in range(ROWS)]
    _, right = _scored(score, np.stack([tokens for tokens, _ in rows]))
    return float(right[np.stack([weights for _, weights in rows])[:, 1:] > 0].mean())


def _answers(
    score: Scorer, alphabet: Alphabet, held: Tasks, length: int, form: str, many: int
) -> tuple[float, float]:
    """Share of exact answers and of right tokens; the answer is fed, so exact means greedy."""
    random = np.random.default_rng(12)
    rows, masks = np.full((many, ROW), alphabet.pad), np.zeros((many, ROW), dtype=bool)
    for row in range(many):
        pieces = held.asked_passage(random, length, [form])
        tokens = np.concatenate([p.tokens for p in pieces])
        while len(tokens) > ROW:
            pieces = held.asked_passage(random, length, [form])
            tokens = np.concatenate([p.tokens for p in pieces])
        rows[row, : len(tokens)] = tokens
        masks[row, len(tokens) - len(pieces[-1].tokens) : len(tokens)] = True
    _, right = _scored(score, rows)
    masks = masks[:, 1:]
    exact = [bool(right[row][masks[row]].all()) for row in range(many)]
    return float(np.mean(exact)), float(right[masks].mean())


def validation_loss(score: Scorer, alphabet: Alphabet, held: Tasks) -> dict[str, float]:
    """Nats per token and per byte over a fixed half-modern sample of the held-out text."""
    rows = []
    for stream, share in zip(held.streams, held.shares, strict=True):
        wanted = max(1, round(share * VALIDATION_ROWS))
        starts = np.linspace(0, len(stream.tokens) - ROW, wanted).astype(int)
        rows += [stream.tokens[start : start + ROW] for start in starts]
    sample = np.stack(rows)
    losses, _ = _scored(score, sample)
    text = [len(alphabet.texts[t].encode()) for t in sample[:, 1:].ravel()]
    return {
        "loss_per_token": float(losses.mean()),
        "loss_per_byte": float(losses.sum() / sum(text)),
    }


def _scored(score: Scorer, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    losses, rights = [], []
    for start in range(0, len(rows), ROWS):
        part = torch.from_numpy(rows[start : start + ROWS])
        missing = ROWS - len(part)
        full = functional.pad(part, (0, 0, 0, missing))
        loss, right = score(full[:, :-1], full[:, 1:])
        losses.append(loss[: len(part)].numpy())
        rights.append(right[: len(part)].numpy())
    return np.concatenate(losses), np.concatenate(rights)
