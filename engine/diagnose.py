"""Says what a training's losses show: overfit, underfit, unstable, minimal improvement, diverged or healthy.

The rules follow the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com). Ours: windows are
shares of the steps, so that they do not depend on how often a loss was logged; a trend must be beyond the
noise of single batches; underfit needs a dev loss that had not turned; "minimal" and "diverged" are judged
from the untuned model's loss. The lesson calls a training unstable when its last 20 logged losses vary by
more than 10 % of their mean: with batches of 8 rows that was so in 13 of 16 trainings measured here,
healthy ones among them. Ours asks whether the training loss climbed above where it began, or dev loss
(always the same rows) jumped and came back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.metrics import TITLES, lower_is_better
from engine.records import RunResult, RunSpec, RunStatus

OVERFIT = 0.05  # rise of dev loss above its least, as a share of it
STRONGLY_OVERFIT = 0.10
LEAST_RISE = 0.01  # nats; a share of a loss near 0 says nothing [ours]
UNDERFIT = 0.05  # nats that the training loss still fell by, here in the last fifth of the steps
CLIMB = 0.20  # of the training loss above its start, as a share of it [ours]
SWING = (
    0.25  # of dev loss above both ends, as a share of them; a sine of 10 % around its mean has 28 % [ours]
)
MINIMAL = 0.05  # fall of dev loss below the untuned model's, as a share of that
LEAST_POINTS = 10  # logged losses below which a trend is not judged
LEAST_WINDOW = 5


class Label(StrEnum):
    """What can be wrong with a training, the worst first; healthy: none of it."""

    DIVERGED = "diverged"
    UNSTABLE = "unstable"
    OVERFIT = "overfit"
    MINIMAL = "minimal improvement"
    UNDERFIT = "underfit"
    HEALTHY = "healthy"


MEANINGS = {
    Label.DIVERGED: "Diverged: the training went wrong and the model forgot more than it learnt.",
    Label.UNSTABLE: "Unstable: the loss jumps up and down, as steps that are too large make it do.",
    Label.OVERFIT: "Overfit: it learnt its training rows by heart, and got worse on rows that it never saw.",
    Label.MINIMAL: "Minimal improvement: it learnt hardly anything beyond what the untuned model knew.",
    Label.UNDERFIT: "Underfit: it was still learning when the training ended; it could have gone on.",
    Label.HEALTHY: "Healthy: it learnt from its rows, and got better on rows that it never saw as well.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One label, and a plain sentence with the numbers that it was given for."""

    label: Label
    sentence: str


@dataclass(frozen=True, slots=True)
class Losses:
    """Pairs of epoch and loss in nats per token: of training rows as logged, of dev rows after each epoch.

    `untuned` is the loss of the same dev rows before the first step.
    """

    untuned: float | None
    dev: tuple[tuple[float, float], ...]
    train: tuple[tuple[float, float], ...]

    @property
    def best(self) -> tuple[float, float]:
        """The epoch with the least dev loss; the first of equals."""
        return min(self.dev, key=lambda point: point[1])


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, the worst first; never empty."""

    findings: tuple[Finding, ...]
    losses: Losses

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels alone."""
        return tuple(finding.label for finding in self.findings)

    @property
    def short(self) -> str:
        """For a table: 'overfit, unstable'."""
        return ", ".join(self.labels)


def diagnose(spec: RunSpec, result: RunResult | None) -> Diagnosis | None:
    """The diagnosis of a training that has ended; None where its losses were not measured to its end."""
    if result is None or spec.config is None:
        return None
    found = losses(result)
    if "diverged_at" in result.facts:
        step, steps = result.facts["diverged_at"], result.facts["steps"]
        sentence = f"The loss was no number at step {step} of the {steps} that were run: diverged."
        return Diagnosis((Finding(Label.DIVERGED, sentence),), found)
    if result.status is RunStatus.FAILED or not _is_complete(found):
        return None
    findings = tuple(_findings(found))
    return Diagnosis(findings or (Finding(Label.HEALTHY, _healthy(found)),), found)


def unconvincing(spec: RunSpec, result: RunResult | None, base: RunResult | None) -> str | None:
    """That a training's answers to dev rows score no higher than those of the untuned `base`.

    Losses do not show it: they also fall when only the form of an answer is learned. None: the answers are
    better, a score is missing, or the score is a loss itself.
    """
    if result is None or result.dev is None or base is None or base.dev is None:
        return None
    if spec.config is None or lower_is_better(spec.metric):
        return None
    ours, theirs = 100 * result.dev.value, 100 * base.dev.value
    if ours > theirs:
        return None
    return (
        f"Lower losses did not bring better answers: {TITLES[spec.metric]} on dev rows is {ours:.1f}, of the "
        f"untuned base {theirs:.1f}."
    )


def losses(result: RunResult) -> Losses:
    """The losses that a training logged."""
    history = result.facts.get("log_history", ())
    dev = [(e["epoch"], e["eval_loss"]) for e in history if "eval_loss" in e]
    return Losses(
        untuned=next((loss for epoch, loss in dev if epoch == 0), None),
        dev=tuple(point for point in dev if point[0] > 0),
        train=tuple((e["epoch"], e["loss"]) for e in history if "loss" in e),
    )


def _is_complete(found: Losses) -> bool:
    """Whether dev loss is known from before the first step to the last whole epoch."""
    if found.untuned is None or not found.dev or not found.train:
        return False
    return found.dev[-1][0] >= math.floor(found.train[-1][0] + 1e-6)


def _findings(found: Losses) -> Iterator[Finding]:
    diverged = _diverged(found)
    candidates = (
        (Label.DIVERGED, diverged),
        (Label.UNSTABLE, _unstable(found)),
        (Label.OVERFIT, None if diverged else _overfit(found)),
        (Label.MINIMAL, None if diverged else _minimal(found)),
        (Label.UNDERFIT, None if diverged else _underfit(found)),
    )
    for label, sentence in candidates:
        if sentence is not None:
            yield Finding(label, sentence)


def _diverged(found: Losses) -> str | None:
    (_, last), untuned = found.dev[-1], found.untuned
    if untuned is None or last <= untuned:
        return None
    return f"Dev loss ended at {last:.2f}, above the untuned model's {untuned:.2f}: diverged."


def _overfit(found: Losses) -> str | None:
    (best_epoch, best), (epoch, last) = found.best, found.dev[-1]
    rise = last - best
    if rise <= max(LEAST_RISE, OVERFIT * best):
        return None
    strongly = "strongly " if rise > STRONGLY_OVERFIT * best else ""
    return (
        f"Dev loss rose from {best:.2f} (epoch {best_epoch:g}) to {last:.2f} (epoch {epoch:g}), "
        f"{_percent(rise / best)} above its best: {strongly}overfit."
    )


def _minimal(found: Losses) -> str | None:
    (epoch, best), untuned = found.best, found.untuned
    if untuned is None or untuned - best >= MINIMAL * untuned:
        return None
    fell = max(0.0, (untuned - best) / untuned)
    return (
        f"Dev loss came down only {_percent(fell, 1)}, from the untuned model's {untuned:.2f} to {best:.2f} "
        f"(epoch {epoch:g}): minimal improvement."
    )


def _underfit(found: Losses) -> str | None:
    """By a line through the last two fifths of the logged losses; its slope must be beyond chance."""
    from scipy import stats

    points = _last(found.train, 0.4)
    if len(found.train) < LEAST_POINTS or found.best != found.dev[-1]:
        return None
    epochs, values = np.array(points).T
    if epochs[0] == epochs[-1]:
        return None
    line = stats.linregress(epochs, values, alternative="less")
    fall = -line.slope * found.train[-1][0] / 5
    if fall <= UNDERFIT or line.pvalue >= 0.05:
        return None
    return (
        f"Training loss still fell by {fall:.2f} over the last fifth of the steps, and dev loss "
        f"({found.dev[-1][1]:.2f}) was at its lowest in the last epoch: underfit."
    )


def _unstable(found: Losses) -> str | None:
    return _climbed(found) or _swung(found)


def _climbed(found: Losses) -> str | None:
    """The training loss, over a twentieth of the steps, above where it began: too high a learning rate."""
    values = np.array([loss for _, loss in found.train])
    width = max(LEAST_WINDOW, len(values) // 20)
    if found.untuned is None or len(values) < 2 * width:
        return None
    means = np.convolve(values, np.ones(width) / width, "valid")
    peak, began = float(means.max()), max(found.untuned, float(values[0]))
    noise = float(np.sqrt(np.mean(np.diff(values) ** 2) / 2 / width))  # of such a mean (von Neumann)
    if peak - began <= max(CLIMB * began, 3 * noise):
        return None
    epoch = found.train[int(means.argmax()) + width - 1][0]
    return (
        f"Training loss climbed to {peak:.2f} (mean of {width} logged values, epoch {epoch:.1f}), above the "
        f"{began:.2f} that it began with: unstable."
    )


def _swung(found: Losses) -> str | None:
    """Dev loss up and down again between epochs; its rows are always the same, unlike those of a batch."""
    points = found.dev
    for place, (epoch, high) in enumerate(points[1:-1], start=1):
        before = min(points[:place], key=lambda point: point[1])
        after = min(points[place + 1 :], key=lambda point: point[1])
        if high - max(before[1], after[1]) > max(LEAST_RISE, SWING * max(before[1], after[1])):
            return (
                f"Dev loss jumped from {before[1]:.2f} (epoch {before[0]:g}) to {high:.2f} (epoch {epoch:g}) "
                f"and came back to {after[1]:.2f} (epoch {after[0]:g}): unstable."
            )
    return None


def _healthy(found: Losses) -> str:
    (epoch, best), untuned = found.best, found.untuned
    return (
        f"Dev loss fell from {untuned:.2f} untuned to {best:.2f} (epoch {epoch:g}) and ended at "
        f"{found.dev[-1][1]:.2f}: healthy."
    )


def _last(points: Sequence[tuple[float, float]], share: float) -> Sequence[tuple[float, float]]:
    """The points of the last share of the training; epochs count steps."""
    begins = (1 - share) * points[-1][0]
    return [point for point in points if point[0] > begins]


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
