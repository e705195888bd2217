"""The sizes of a Llama-like decoder: from its config, and what they say about its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError

MOST_LAYERS = 1000
MOST_VOCABULARY = 200_000  # what more seems to be is counted twice: an output layer with weights of its own


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

    @property
    def layer_parameters(self) -> int:
        """Weights of all layers' matrices."""
        query = self.query_width or self.width
        attention = 2 * self.width * query + 2 * self.width * self.key_value_width
        return self.layers * (attention + 3 * self.width * self.inner)

    def vocabulary(self, parameters: int) -> int:
        """Tokens of a model with so many weights in all: what its layers do not hold is embeddings."""
        seeming = max(0, parameters - self.layer_parameters) // self.width
        return seeming if seeming <= MOST_VOCABULARY else seeming // 2

    def adapter_parameters(self, rank: int) -> int:
        """Weights that LoRA adds to q, k, v, o, gate, up and down: rank x (in + out) for each matrix."""
        square = self.width + (self.query_width or self.width)
        narrow = self.width + self.key_value_width
        return rank * self.layers * (2 * square + 2 * narrow + 3 * (self.width + self.inner))


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The sizes that a config.json names."""
    heads, width = whole(config, "num_attention_heads", 10**4), whole(config, "hidden_size", 10**6)
    head = whole(config, "head_dim", 10**5) if config.get("head_dim") else width // heads
    groups = whole(config, "num_key_value_heads", 10**4) if config.get("num_key_value_heads") else heads
    query = head * heads
    return Shape(
        layers=whole(config, "num_hidden_layers", MOST_LAYERS),
        width=width,
        inner=whole(config, "intermediate_size", 10**7),
        key_value_width=head * groups,
        query_width=None if query == width else query,
    )


def matrices(config: Mapping[str, Any], shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and sizes of the weights that such a model cannot do without (biases are left to the loader)."""
    width, query, narrow = shape.width, shape.query_width or shape.width, shape.key_value_width
    vocabulary = whole(config, "vocab_size", 10**7)
    yield "model.embed_tokens.weight", (vocabulary, width)
    yield "model.norm.weight", (width,)
    if not config.get("tie_word_embeddings", False):
        yield "lm_head.weight", (vocabulary, width)
    for layer in range(shape.layers):
        start = f"model.layers.{layer}."
        yield f"{start}self_attn.q_proj.weight", (query, width)
        yield f"{start}self_attn.k_proj.weight", (narrow, width)
        yield f"{start}self_attn.v_proj.weight", (narrow, width)
        yield f"{start}self_attn.o_proj.weight", (width, query)
        yield f"{start}mlp.gate_proj.weight", (shape.inner, width)
        yield f"{start}mlp.up_proj.weight", (shape.inner, width)
        yield f"{start}mlp.down_proj.weight", (width, shape.inner)
        yield f"{start}input_layernorm.weight", (width,)
        yield f"{start}post_attention_layernorm.weight", (width,)


def whole(config: Mapping[str, Any], key: str, most: int) -> int:
    """A number of a config.json; raises ModelError for another value."""
    value = config.get(key)
    if type(value) is not int or not 0 < value <= most:
        raise ModelError(f"{key} in config.json must be a whole number from 1 to {most:,}, but is {value!r}.")
    return value
