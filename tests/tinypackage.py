"""A package as pip would install it, holding a random model as a GGUF of 4-bit weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine import packaged, weights
from engine.catalogue import BaseModel, Package, Provenance
from engine.shapes import shape_of
from tests.tiny import tiny_model

NAME, VERSION, FILE = "tiny-llm", "1.0", "tiny_llm/tiny.gguf"
END = "<|endoftext|>"  # transformers adds it to a tokenizer of this kind where it is missing
TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '" + END + "' }}{% endfor %}"
NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def install(site: Path) -> BaseModel:
    """Write the package into `site` (to be put on sys.path); answers the model as a registry names it.

    The model that it was made from stays in `site`/original.
    """
    original = tiny_model(site / "original")
    (site / FILE).parent.mkdir()
    _write_gguf(original, site / FILE)
    (site / "tiny_llm" / "__init__.py").write_text("raise SystemExit('nobody may import this')")
    facts = site / f"tiny_llm-{VERSION}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
    config = json.loads((original / "config.json").read_text())
    package = Package(NAME, VERSION, FILE, weights.sha256((site / FILE,)), 4, _sample(original))
    return BaseModel(
        id="tiny-packaged",
        package=package,
        parameters=weights.parameters(original),
        context_length=config["max_position_embeddings"],
        licence="Apache-2.0",
        shape=shape_of(config),
        shortlist=Provenance.NONE,
    )


def _sample(original: Path) -> tuple[int, ...]:
    """What the tokenizer makes of the sample when each digit is a token of its own."""
    from tokenizers import Tokenizer, pre_tokenizers

    tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, tokenizer.pre_tokenizer])
    return tuple(tokenizer.encode(packaged.SAMPLE).ids)


def _write_gguf(original: Path, target: Path) -> None:
    from gguf import GGMLQuantizationType, GGUFWriter, quants
    from safetensors.numpy import load_file

    config = json.loads((original / "config.json").read_text())
    writer = GGUFWriter(target, "llama")
    _write_sizes(writer, config)
    _write_tokenizer(writer, original)
    for name, values in load_file(original / "model.safetensors").items():
        if values.ndim == 1:
            writer.add_tensor(_name(name), values)
            continue
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            values = _interleaved(values, config["num_attention_heads"])
        packed = quants.quantize(values, GGMLQuantizationType.Q4_1)
        writer.add_tensor(_name(name), packed, raw_dtype=GGMLQuantizationType.Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_sizes(writer: Any, config: dict[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])


def _write_tokenizer(writer: Any, original: Path) -> None:
    stored = json.loads((original / "tokenizer.json").read_text().replace("<|end|>", END))
    marks = {entry["content"]: entry["id"] for entry in stored["added_tokens"]}
    vocabulary = {**stored["model"]["vocab"], **marks}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(packaged.SPLIT_DIGITS)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in marks else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in stored["model"]["merges"]])
    writer.add_eos_token_id(marks[END])
    writer.add_pad_token_id(marks["<|pad|>"])
    writer.add_bos_token_id(marks[END])
    writer.add_unk_token_id(marks[END])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _name(name: str) -> str:
    parts = name.removesuffix(".weight").split(".", maxsplit=3)
    if parts[1] != "layers":
        return {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}[parts[1]]
    return f"blk.{parts[2]}.{NAMES[parts[3]]}.weight"


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries and keys in the order of GGUF, which turns neighbours where safetensors turn halves."""
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)
