"""Muon for the layers' matrices and Adam for the rest, both over float32 master weights.

Muon: Jordan et al. 2024; scaled to Adam's step sizes as in Liu et al. 2025 (arXiv 2502.16982).
"""

from __future__ import annotations

import torch
from architecture import Weights
from torch import Tensor

MUON_MOMENTUM, MATRIX_DECAY = 0.95, 0.05
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.98), 1e-10
MATRICES = ("attention", "feed")
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the closest orthogonal matrix to each; the last dimension is the longer one."""
    a, b, c = NEWTON_SCHULZ
    found = matrices.bfloat16()
    found = found / (found.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = found @ found.mT
        found = a * found + (b * square + c * (square @ square)) @ found
    return found.float()


class Optimizer:
    """Updates the master weights in place; its moments can be saved and loaded."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.steps = 0
        self.first = {name: torch.zeros_like(w) for name, w in weights.items()}
        self.second = {name: torch.zeros_like(w) for name, w in weights.items() if name not in MATRICES}

    def state(self) -> dict[str, object]:
        return {"steps": self.steps, "first": self.first, "second": self.second}

    def load(self, state: dict[str, object]) -> None:
        self.steps, self.first, self.second = state["steps"], state["first"], state["second"]  # type: ignore[assignment]

    @torch.no_grad()
    def step(self, gradients: Weights, matrix_rate: float, other_rate: float) -> None:
        """One update with these learning rates."""
        self.steps += 1
        for name, gradient in gradients.items():
            if name in MATRICES:
                self._muon(name, gradient.float(), matrix_rate)
            else:
                self._adam(name, gradient.float(), other_rate)

    def _muon(self, name: str, gradient: Tensor, rate: float) -> None:
        moment, weight = self.first[name], self.weights[name]
        moment.lerp_(gradient, 1 - MUON_MOMENTUM)
        update = gradient.lerp(moment, MUON_MOMENTUM).flatten(0, 1)
        tall = update.shape[-2] > update.shape[-1]
        update = orthogonal(update.mT).mT if tall else orthogonal(update)
        scale = 0.2 * max(update.shape[-2:]) ** 0.5
        weight.mul_(1 - rate * MATRIX_DECAY)
        weight.sub_(update.view_as(weight), alpha=rate * scale)

    def _adam(self, name: str, gradient: Tensor, rate: float) -> None:
        first, second = self.first[name], self.second[name]
        first.lerp_(gradient, 1 - ADAM_BETAS[0])
        second.lerp_(gradient.square(), 1 - ADAM_BETAS[1])
        corrected = (second / (1 - ADAM_BETAS[1] ** self.steps)).sqrt_().add_(ADAM_EPSILON)
        self.weights[name].addcdiv_(first, corrected, value=-rate / (1 - ADAM_BETAS[0] ** self.steps))
