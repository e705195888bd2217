"""Checkpoints of Llama-like decoders: how large their parts are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama-like decoder; `key_value_width` is the width of keys and of values.

    `query_width`: of all heads together, where it is not the model's own width.
    """

    layers: int
    width: int
    inner: int
    key_value_width: int
    query_width: int | None = None

    def adapter_parameters(self, rank: int) -> int:
        """Weights that LoRA adds to q, k, v, o, gate, up and down: rank x (in + out) for each matrix."""
        square = self.width + (self.query_width or self.width)
        narrow = self.width + self.key_value_width
        return rank * self.layers * (2 * square + 2 * narrow + 3 * (self.width + self.inner))
