"""A whole tuned model as one GGUF file for llama.cpp and Ollama: weights, sizes, tokenizer, end marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import gguf_vocabulary, loading, weights
from engine.errors import ModelError
from engine.export_parts import What

FORMATS = {What.GGUF_F16: "F16", What.GGUF_Q8_0: "Q8_0"}
ARCHITECTURES = {"llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
BLOCK = 32  # weights that share a scale in Q8_0


@dataclass(frozen=True, slots=True)
class Reading:
    """What transformers' reader leaves out: that each digit is a token of its own, and of the config the
    width of a Qwen 3 head and how a context is stretched."""

    each_digit: bool
    config: dict[str, Any]


def file_name(part: What) -> str:
    """What the file of a part is called."""
    return f"model-{FORMATS[part]}.gguf"


def obstacle(folder: Path, longest: int) -> str:
    """Why the model of a folder cannot become a GGUF file; empty: it can. `longest`: tokens of a row."""
    config = _config(folder)
    scaling, window = config.rope_parameters["rope_type"], getattr(config, "sliding_window", None)
    if config.model_type not in ARCHITECTURES:
        return f"A GGUF file is written of Llama, Mistral and Qwen, and this model is {config.model_type}."
    if scaling not in ("default", "llama3"):
        return f"A GGUF file is not written of models that stretch their context by {scaling}: take merged."
    if window is not None and window < longest:
        return f"Rows have up to {longest} tokens, and a GGUF file reads at most {window} of this model."
    try:
        gguf_vocabulary.of(loading.load_tokenizer(folder), config.vocab_size)
    except ModelError as error:
        return str(error)
    return ""


def reading(folder: Path) -> Reading:
    """What a script that reads the file of a folder's model with transformers has to put back."""
    config, tokenizer = _config(folder), loading.load_tokenizer(folder)
    stretched = config.rope_parameters["rope_type"] != "default"
    return Reading(
        gguf_vocabulary.of(tokenizer, config.vocab_size).pre == gguf_vocabulary.EACH_DIGIT,
        {
            **({"head_dim": config.head_dim} if config.model_type == "qwen3" else {}),
            **({"rope_parameters": dict(config.rope_parameters)} if stretched else {}),
        },
    )


def write(merged: Path, part: What, name: str, ends: Sequence[int], target: Path) -> None:
    """The model of a folder of safetensors as one GGUF file; one tensor is held at a time.

    `ends`: the ids at which an answer ends, the turn's own first. Q8_0 holds 32 weights in 34 bytes; what
    cannot be cut into 32 stays F16, and vectors stay F32.
    """
    import gguf

    config, tokenizer = _config(merged), loading.load_tokenizer(merged)
    architecture = gguf.MODEL_ARCH[ARCHITECTURES[config.model_type]]
    writer = gguf.GGUFWriter(target, gguf.MODEL_ARCH_NAMES[architecture])
    _write_sizes(writer, config, name, FORMATS[part])
    _write_vocabulary(writer, tokenizer, config.vocab_size, ends)
    with _tensors(merged, config, gguf.get_tensor_name_map(architecture, config.num_hidden_layers)) as found:
        kinds = []
        for called, read in found:
            shape = read().shape
            kinds.append(_announce(writer, called, shape, _kind(shape, FORMATS[part])))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for (_, read), kind in zip(found, kinds, strict=True):
            writer.write_tensor_data(gguf.quantize(read(), kind))
    writer.close()


def _write_sizes(writer: Any, config: Any, name: str, kind: str) -> None:
    import gguf

    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    window = getattr(config, "sliding_window", None)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(min(config.max_position_embeddings, window or config.max_position_embeddings))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _write_vocabulary(writer: Any, tokenizer: Any, size: int, ends: Sequence[int]) -> None:
    """llama.cpp ends at eos, eot and eom: three marks, as many as Llama 3 has."""
    found = gguf_vocabulary.of(tokenizer, size)
    writer.add_tokenizer_model(found.model)
    writer.add_tokenizer_pre(found.pre)
    writer.add_token_list(found.tokens)
    writer.add_token_types(found.types)
    if found.merges:
        writer.add_token_merges(found.merges)
    if found.scores:
        writer.add_token_scores(found.scores)
        writer.add_add_space_prefix(found.spaced)
    begins = tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]
    writer.add_add_bos_token(begins)
    writer.add_add_eos_token(False)
    others = [mark for mark in ends if mark != tokenizer.eos_token_id]
    for add, mark in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
        (writer.add_eot_token_id, others[0] if others else None),
        (writer.add_eom_token_id, others[1] if others[1:] else None),
    ):
        if mark is not None and mark < size:
            add(mark)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


@contextmanager
def _tensors(
    folder: Path, config: Any, names: Any
) -> Iterator[list[tuple[str, Callable[[], NDArray[np.float32]]]]]:
    """Each tensor by its name in the file, and how it is read; a tied output layer is the embeddings."""
    from safetensors import safe_open

    with ExitStack() as opened:
        files = [opened.enter_context(safe_open(path, "pt")) for path in weights.files(folder)]
        found: list[tuple[str, Callable[[], NDArray[np.float32]]]] = [
            (_named(names, source), partial(_read, file, source, config))
            for file in files
            for source in file.keys()  # noqa: SIM118 - a file of safetensors is no mapping
            if not (config.tie_word_embeddings and source == "lm_head.weight")
        ]
        if config.rope_parameters["rope_type"] == "llama3":
            found.append(("rope_freqs.weight", partial(_stretching, config)))
        yield found


def _named(names: Any, source: str) -> str:
    found = names.get_name(source, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise ModelError(f"The model has weights that a GGUF file has no name for: {source}. Take merged.")
    return str(found)


def _read(file: Any, source: str, config: Any) -> NDArray[np.float32]:
    """Of llama's queries and keys the two halves that turn together are laid side by side, as its rotation
    in llama.cpp takes neighbours; transformers' reader undoes it."""
    tensor: NDArray[np.float32] = file.get_tensor(source).float().numpy()
    turned = source.split(".")[-2] if ARCHITECTURES[config.model_type] == "LLAMA" else ""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(turned)
    if heads is None:
        return tensor
    halves = tensor.reshape(heads, 2, len(tensor) // heads // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def _stretching(config: Any) -> NDArray[np.float32]:
    """By how much Llama 3.1 and later slow down each frequency of its rotation."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    slowed = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].numpy()
    width = 2 * len(slowed)
    plain = config.rope_parameters["rope_theta"] ** (-np.arange(0, width, 2, dtype=np.float64) / width)
    factors: NDArray[np.float32] = (plain / slowed).astype(np.float32)
    return factors


def _kind(shape: Sequence[int], wanted: str) -> Any:
    import gguf

    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    return gguf.GGMLQuantizationType["F16" if shape[-1] % BLOCK else wanted]


def _announce(writer: Any, name: str, shape: Sequence[int], kind: Any) -> Any:
    """Name a tensor of the file before any is written; gives its kind back."""
    import gguf

    block, size = gguf.GGML_QUANT_SIZES[kind]
    writer.add_tensor_info(name, shape, np.dtype(np.float32), prod(shape) // block * size, raw_dtype=kind)
    return kind


def _config(folder: Path) -> Any:
    import transformers

    return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
