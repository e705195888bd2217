"""A model as a GGUF file, read back by transformers: it says what the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine import export_gguf, gguf_vocabulary, loading, models
from engine.errors import ModelError
from engine.export_parts import What
from tests import tiny

ARCHITECTURES = ("Llama", "Mistral", "Qwen2", "Qwen3")
TEXT = "the rose 1234\n\nisn't blue, and the  frog sat on a café"


def saved(folder: Path, architecture: str, **changes: Any) -> Path:
    """A random model, its config changed."""
    tiny.tiny_model(folder, architecture=architecture, width=128)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def logits(model: Any, tokenizer: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(**tokenizer(TEXT, return_tensors="pt")).logits


def read_back(file: Path, **changes: Any) -> tuple[Any, Any]:
    import transformers

    where = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    config = transformers.AutoConfig.from_pretrained(**where)
    for name, value in changes.items():
        setattr(config, name, value)
    with loading.quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(**where, config=config, dtype="float32")
    return model.eval(), transformers.AutoTokenizer.from_pretrained(**where)


def written(folder: Path, target: Path, part: What = What.GGUF_F16) -> Path:
    tokenizer = loading.load_tokenizer(folder)
    target.mkdir()
    file = target / export_gguf.file_name(part)
    export_gguf.write(folder, part, "tiny tuned", [tokenizer.eos_token_id], file)
    return file


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_file_read_back_says_what_the_model_says(architecture: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", architecture)
    model, tokenizer = loading.load_model(folder).eval(), loading.load_tokenizer(folder)

    file = written(folder, tmp_path / "out")
    again, own = read_back(file, **export_gguf.reading(folder).config)

    assert own(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert (logits(model, tokenizer) - logits(again, own)).abs().max() < 2e-3
    assert again.config.rope_parameters["rope_theta"] == model.config.rope_parameters["rope_theta"]
    assert again.config.tie_word_embeddings
    assert type(again).__name__.removesuffix("ForCausalLM") == architecture.replace("Mistral", "Llama")


def test_untied_biased_and_sharded_weights_come_back_too(tmp_path: Path) -> None:
    import torch
    import transformers

    tokenizer = loading.load_tokenizer(tiny.tiny_model(tmp_path / "tokenizer"))
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer) + 5, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, attention_bias=True, rope_theta=5e5, bos_token_id=None,
        eos_token_id=0,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    for name, bias in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(bias)
    model.save_pretrained(tmp_path / "model", max_shard_size="50KB")
    tokenizer.save_pretrained(tmp_path / "model")

    again, own = read_back(written(tmp_path / "model", tmp_path / "out"), attention_bias=True)

    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 1
    assert (logits(model, tokenizer) - logits(again, own)).abs().max() < 2e-3
    assert again.config.rope_parameters["rope_theta"] == 5e5


def test_q8_0_is_half_as_large_and_near_to_the_model(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "Llama")
    model, tokenizer = loading.load_model(folder).eval(), loading.load_tokenizer(folder)

    half = written(folder, tmp_path / "half", What.GGUF_F16)
    file = written(folder, tmp_path / "out", What.GGUF_Q8_0)
    difference = (logits(model, tokenizer) - logits(*read_back(file))).abs().max()

    assert 1e-5 < difference < 2e-2
    assert (file.name, half.name) == ("model-Q8_0.gguf", "model-F16.gguf")
    assert file.stat().st_size < 0.65 * half.stat().st_size


def test_the_context_of_llama_3_is_stretched_as_it_was(tmp_path: Path) -> None:
    from gguf import GGUFReader

    stretched = {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
    }  # fmt: skip
    folder = saved(tmp_path / "model", "Llama", rope_parameters=stretched)
    model, tokenizer = loading.load_model(folder).eval(), loading.load_tokenizer(folder)
    file = written(folder, tmp_path / "out")

    as_read = read_back(file)
    put_back = read_back(file, **export_gguf.reading(folder).config)

    assert (logits(model, tokenizer) - logits(*put_back)).abs().max() < 2e-3
    assert (logits(model, tokenizer) - logits(*as_read)).abs().max() > 2e-3
    factors = {found.name: found.data for found in GGUFReader(file).tensors}["rope_freqs.weight"]
    assert (factors[0], factors[-1]) == (1.0, 8.0) and len(factors) == 16


def test_what_llama_cpp_could_not_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    linear = saved(tmp_path / "a", "Llama", rope_parameters={"rope_type": "linear", "factor": 2.0})
    short = saved(tmp_path / "b", "Mistral", sliding_window=64)
    assert export_gguf.obstacle(saved(tmp_path / "c", "Qwen3"), 512) == ""

    assert "stretch their context by linear" in export_gguf.obstacle(linear, 512)
    assert export_gguf.obstacle(short, 64) == ""
    assert "reads at most 64" in export_gguf.obstacle(short, 65)


def test_the_rule_of_the_embedded_models_for_digits_has_llama_cpps_name() -> None:
    tokenizer = loading.load_tokenizer(models.FOLDER / "shortlist-tiny-1m")

    found = gguf_vocabulary.of(tokenizer, 4096)

    assert (found.model, found.pre) == ("gpt2", "smollm")
    assert found.types[:3] == (gguf_vocabulary.CONTROL, gguf_vocabulary.CONTROL, gguf_vocabulary.NORMAL)


@pytest.mark.parametrize("rule, name", list(gguf_vocabulary.SPLITS.items()))
def test_rules_of_llama_3_and_qwen_2_are_known_and_another_is_refused(
    rule: str, name: str, tmp_path: Path
) -> None:
    from tokenizers import Regex, pre_tokenizers

    tokenizer = loading.load_tokenizer(tiny.tiny_model(tmp_path))

    def split(by: str) -> None:
        parts = [pre_tokenizers.Split(Regex(by), "isolated"), pre_tokenizers.ByteLevel(False, True, False)]
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)

    split(rule)
    assert gguf_vocabulary.of(tokenizer, 400).pre == name
    split(rule + "|x")
    with pytest.raises(ModelError, match="splits texts by a rule that has no name"):
        gguf_vocabulary.of(tokenizer, 400)


def test_pieces_of_sentencepiece_are_joined_in_the_same_order(tmp_path: Path) -> None:
    folder = tiny.tiny_model(tmp_path / "model", architecture="Mistral", tokenizer=pieces())
    tokenizer = loading.load_tokenizer(folder)

    _, own = read_back(written(folder, tmp_path / "out"))

    assert own(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert own.decode(own(TEXT).input_ids, skip_special_tokens=True) == TEXT


def pieces() -> Any:
    """A tokenizer as Mistral 7B's: pieces of SentencePiece, unknown letters as bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaTokenizer

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(tiny.SENTENCES, trainers.BpeTrainer(vocab_size=150, show_progress=False))
    learnt = json.loads(learner.to_str())["model"]
    marks = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)
    vocab = {token: place for place, token in enumerate([*marks, *letters])}
    return LlamaTokenizer(vocab=vocab, merges=[tuple(pair) for pair in learnt["merges"]])
