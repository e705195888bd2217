"""Write a model's folder so that transformers loads it, and read such weights back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from architecture import NORM_EPSILON, ROPE_THETA, Shape, Weights
from corpus import END, PAD, TOKENIZER
from safetensors.torch import load_file, save_file

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED = ("gate_proj", "up_proj", "down_proj")


def save_weights(weights: Weights, folder: Path) -> None:
    """bfloat16 weights under transformers' names, put in place in one step."""
    named = {"model.embed_tokens.weight": weights["embedding"]}
    for index in range(weights["attention"].shape[0]):
        prefix = f"model.layers.{index}."
        for part, name in enumerate(ATTENTION):
            named[f"{prefix}self_attn.{name}.weight"] = weights["attention"][index, part]
        for part, name in enumerate(FEED):
            matrix = weights["feed"][index, part]
            named[f"{prefix}mlp.{name}.weight"] = matrix.t() if name == "down_proj" else matrix
        named[prefix + "input_layernorm.weight"] = weights["norms"][2 * index]
        named[prefix + "post_attention_layernorm.weight"] = weights["norms"][2 * index + 1]
    named["model.norm.weight"] = weights["norms"][-1]
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "model.partial"
    plain = {name: w.detach().bfloat16().contiguous().clone() for name, w in named.items()}
    save_file(plain, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.rename(folder / "model.safetensors")


def load_weights(folder: Path, shape: Shape) -> Weights:
    """The float32 master weights of a saved model."""
    named = {n: w.float() for n, w in load_file(folder / "model.safetensors").items()}
    layers = [f"model.layers.{index}." for index in range(shape.layers)]

    def matrix(prefix: str, name: str) -> torch.Tensor:
        group = "self_attn" if name in ATTENTION else "mlp"
        found = named[f"{prefix}{group}.{name}.weight"]
        return found.t() if name == "down_proj" else found

    norms = [
        named[prefix + name]
        for prefix in layers
        for name in ("input_layernorm.weight", "post_attention_layernorm.weight")
    ]
    return {
        "embedding": named["model.embed_tokens.weight"],
        "attention": torch.stack([torch.stack([matrix(p, n) for n in ATTENTION]) for p in layers]),
        "feed": torch.stack([torch.stack([matrix(p, n) for n in FEED]) for p in layers]),
        "norms": torch.stack([*norms, named["model.norm.weight"]]),
    }


def save_settings(shape: Shape, folder: Path) -> None:
    """Configuration, generation settings and tokenizer beside the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", _config(shape))
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    _write(folder / "generation_config.json", ends | {"do_sample": False})
    special = {"bos_token": END, "eos_token": END, "pad_token": PAD}
    _write(folder / "special_tokens_map.json", special)
    settings = special | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "padding_side": "right",
    }
    _write(folder / "tokenizer_config.json", settings)
    (folder / "tokenizer.json").write_bytes(TOKENIZER.read_bytes())


def _config(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": shape.context,
        "hidden_act": "silu",
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": ROPE_THETA,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
        "initializer_range": 0.02,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 1,
        "use_cache": True,
        "dtype": "bfloat16",
    }


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
