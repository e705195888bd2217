"""How sure an answer is: the likelihood of its label, calibrated on dev and measured on test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.records import Row

BINS = 10
MOST_ROWS = 250  # of dev and of test each [ours]: every label is read behind every row
COLDEST, HOTTEST = 0.1, 50.0  # [ours]: few dev rows, all right, ask for 0
FILE = "confidence.json"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature that dev rows ask for, and how far confidence was off on test rows: the expected
    calibration error (shares, BINS equal bins) with it and without, mean confidence, share of right ones."""

    temperature: float
    dev_rows: int
    test_rows: int
    error: float
    plain_error: float
    mean: float
    right: float

    def sentence(self) -> str:
        """How the confidence is made, and what it was measured to be."""
        return (
            f"Confidence: the likelihood of the label among all labels, at the temperature "
            f"{self.temperature:.2g} that fits {self.dev_rows} dev rows best (Guo et al. 2017). On "
            f"{self.test_rows} test rows, which it was not fitted to, it was off by {100 * self.error:.1f} "
            f"points on average ({100 * self.plain_error:.1f} without the temperature): "
            f"{100 * self.mean:.1f} % stated, "
            f"{100 * self.right:.1f} % right."
        )


def shares(likelihoods: Array, temperature: float) -> Array:
    """Rows x labels: the softmax of log-likelihoods divided by the temperature."""
    scaled = likelihoods / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    found: Array = scaled / scaled.sum(axis=1, keepdims=True)
    return found


def fitted(likelihoods: Array, golds: npt.NDArray[np.intp]) -> float:
    """The temperature with the least mean negative log-likelihood of the right labels."""
    from scipy.optimize import minimize_scalar

    places = np.arange(len(golds))

    def loss(log_temperature: float) -> float:
        right = shares(likelihoods, float(np.exp(log_temperature)))[places, golds]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def error(stated: Array, right: Array) -> float:
    """The expected calibration error (Naeini et al. 2015): per bin of confidence the distance between what
    is stated and what is right, by rows."""
    place = np.minimum((stated * BINS).astype(int), BINS - 1)
    parts = [abs(stated[place == b].sum() - right[place == b].sum()) for b in range(BINS)]
    return float(sum(parts) / len(stated))


def calibrated(
    labels: Sequence[str], dev: tuple[Array, Sequence[Row]], test: tuple[Array, Sequence[Row]]
) -> Calibration | None:
    """Fitted on dev and measured on test; None where either has no row with a known label."""
    (dev_values, dev_golds), (values, golds) = (_known(labels, *part) for part in (dev, test))
    if not len(dev_golds) or not len(golds):
        return None
    temperature = fitted(dev_values, dev_golds)
    right = (values.argmax(axis=1) == golds).astype(float)
    stated, plain = (shares(values, t).max(axis=1) for t in (temperature, 1.0))
    return Calibration(
        temperature, len(dev_golds), len(golds), error(stated, right), error(plain, right),
        float(stated.mean()), float(right.mean()),
    )  # fmt: skip


def _known(labels: Sequence[str], values: Array, rows: Sequence[Row]) -> tuple[Array, npt.NDArray[np.intp]]:
    place = {label: number for number, label in enumerate(labels)}
    kept = [n for n, row in enumerate(rows) if row.targets[0] in place]
    return values[kept], np.array([place[rows[n].targets[0]] for n in kept], dtype=np.intp)


def of_answers(
    likelihoods: Array, labels: Sequence[str], answers: Sequence[str], temperature: float
) -> list[float | None]:
    """The confidence of each answer; None for one that is no label."""
    place = {label: number for number, label in enumerate(labels)}
    found = shares(likelihoods, temperature)
    return [
        round(float(found[n, place[answer]]), 4) if answer in place else None
        for n, answer in enumerate(answers)
    ]


def kept(folder: Path) -> Calibration | None:
    """What was measured of an attempt before; None: nothing yet."""
    try:
        values: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return Calibration(**values)


def keep(folder: Path, found: Calibration) -> None:
    """Keep it beside the attempt's weights, whole or not at all."""
    draft = folder / f".{FILE}"
    draft.write_text(json.dumps(asdict(found)), encoding="utf-8")
    draft.replace(folder / FILE)
