"""What sources advise for a config that a person edits: learning rate, alpha/r, epochs, batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from engine import published, space
from engine.catalogue import BaseModel
from engine.records import Config, Method, short_rate

LESSON = 'the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com)'
GRID = "the values that our own grid tried on the embedded models"
PAPER = "Halfon et al., arXiv 2407.18990"

# Learning rates by parameters, of the lesson. For full fine-tuning it gives one range for all sizes.
LORA_RATES = {7e9: (1e-4, 3e-4), 13e9: (5e-5, 2e-4), 70e9: (1e-5, 5e-5)}
FULL_RATES = (1e-6, 5e-6)
SMALL = 200_000_000  # parameters; below, the logarithm is nearer to an embedded model's (4 M) than to 7 B's
EPOCHS = {1_000: (3, 5), 5_000: (2, 3), 50_000: (1, 2), math.inf: (1, 1)}  # below so many rows, of the lesson
GENTLE, STRONG = 0.5, 2.0  # alpha / r, of the lesson
SQUARE_ROOT = (16, 256)  # effective batch sizes for which the lesson states its rule


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence with its source; `outside`: the config is not what the source advises."""

    text: str
    source: str
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates that are usual for a model and method: those to try, ascending, and their source."""

    values: tuple[float, ...]
    low: float
    high: float
    source: str


def notes(config: Config, model: BaseModel, rows: int, start: Config) -> tuple[Note, ...]:
    """What to know of a config for this many training rows, made by changing `start`."""
    found = [_rate_note(config, model), _epochs_note(config, rows)]
    return (*found, *_alpha_note(config), *_batch_note(config, start))


def rates(model: BaseModel, method: Method) -> Rates:
    """Of the grid for small models, else of the lesson and, for its models, of the paper."""
    if model.parameters < SMALL:
        values = tuple(sorted(space.EMBEDDED_SPACE[method].learning_rates))
        return Rates(values, values[0], values[-1], GRID)
    size = min(LORA_RATES, key=lambda known: abs(math.log(known / model.parameters)))
    low, high = LORA_RATES[size] if method is Method.LORA else FULL_RATES
    source = f"{LESSON} for {size / 1e9:.0f} B" if method is Method.LORA else LESSON
    paper = published.PAPER.get((model.id, method))
    if paper is not None:
        low, high = min(low, paper.learning_rate), max(high, paper.learning_rate)
        source = f"{source}; {PAPER}: {short_rate(paper.learning_rate)}"
    return Rates(published.RATES[method], low, high, source)


def _rate_note(config: Config, model: BaseModel) -> Note:
    usual = rates(model, config.method)
    rate = config.learning_rate
    span = f"{short_rate(usual.low)} to {short_rate(usual.high)}"
    if rate > usual.high * 1.001:
        return Note(f"Learning rate {short_rate(rate)} is above the usual {span}.", usual.source, True)
    if rate < usual.low * 0.999:
        return Note(f"Learning rate {short_rate(rate)} is below the usual {span}.", usual.source, True)
    return Note(f"Learning rate {short_rate(rate)} is within the usual {span}.", usual.source)


def _epochs_note(config: Config, rows: int) -> Note:
    few, many = next(span for most, span in EPOCHS.items() if rows < most)
    span = f"{few} to {many} epochs are" if few < many else f"{few} epoch is"
    text = f"For {rows:,} rows {span} usual; this config has {config.num_train_epochs}."
    return Note(text, LESSON, not few <= config.num_train_epochs <= many)


def _alpha_note(config: Config) -> Iterator[Note]:
    if config.lora_r is None or config.lora_alpha is None:
        return
    ratio = config.lora_alpha / config.lora_r
    word = "gentle" if ratio <= GENTLE else "strong" if ratio >= STRONG else "about neutral"
    step = short_rate(config.learning_rate * ratio)
    text = f"alpha / r is {ratio:g}, {word}: LoRA steps go with learning rate x alpha / r = {step}."
    yield Note(text, LESSON, ratio > STRONG)


def _batch_note(config: Config, start: Config) -> Iterator[Note]:
    old, new = start.effective_batch_size, config.effective_batch_size
    if old != new:
        yield batch_note(start.learning_rate, old, new)


def scaled_rate(rate: float, old: int, new: int) -> float:
    """The learning rate that goes with another effective batch size, by the lesson's square-root rule."""
    return rate * math.sqrt(new / old)


def batch_note(rate: float, old: int, new: int) -> Note:
    """The rule at work; it says so where one of the batches lies beyond those it is stated for."""
    scaled = short_rate(scaled_rate(rate, old, new))
    low, high = SQUARE_ROOT
    limits = "" if low <= min(old, new) and max(old, new) <= high else f" (stated for {low} to {high})"
    text = (
        f"Batch {old} became {new}: learning rate {short_rate(rate)} x sqrt({new}/{old}) "
        f"= {scaled} goes with it{limits}."
    )
    return Note(text, LESSON)
