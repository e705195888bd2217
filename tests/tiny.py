"""Random-weights models and small datasets, so that tests train and score real parts in a second or two."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

LABELS = ("red", "green", "blue")
WORDS = ("apple", "leaf", "sky", "brick", "moss", "sea", "rose", "frog", "ink", "ember", "fern", "cloud")
SENTENCES = (
    "Text: a red apple fell on the moss near the sea\nLabel: red",
    "Text: a green leaf under the blue sky\nLabel: green",
    "Passage: the ink is blue and the brick is red.\nQuestion: what is blue?\nAnswer: the ink",
    "Text: the frog sat on a fern. A cloud went by.\nSummary: the frog sat on a fern.",
    "Instruction: name the rose and the ember\nResponse: rose, ember",
)


def tiny_model(
    folder: Path,
    *,
    layers: int = 2,
    width: int = 64,
    context: int = 512,
    architecture: str = "Llama",
    shard: str = "50GB",
    dtype: str = "float32",
    tokenizer: Any = None,
) -> Path:
    """Write a random model into `folder`, laid out like the embedded models.

    `architecture`: Llama, Mistral, Qwen2 or Qwen3; `shard`: the most that one file of weights holds;
    `tokenizer`: a byte-level BPE of its own unless given.
    """
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer or _tokenizer(context)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(transformers, f"{architecture}Config")(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2 if architecture != "Llama" else 4,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = getattr(transformers, f"{architecture}ForCausalLM")(config).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def _tokenizer(context: int):  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|end|>", pad_token="<|pad|>", model_max_length=context
    )


def tiny_classification(rows: int = 60, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose label is the colour word in the text: learnable in seconds."""
    draw = random.Random(seed)
    labels = [LABELS[i % len(LABELS)] for i in range(rows)]
    return [
        {"text": f"{draw.choice(WORDS)} {label} {draw.choice(WORDS)} {i}", "label": label}
        for i, label in enumerate(labels)
    ]


def tiny_label_sets(rows: int = 60, seed: int = 0) -> list[dict[str, object]]:
    """Rows whose labels are the colour words in the text: none, one or two of them."""
    draw = random.Random(seed)
    sets = [draw.sample(LABELS, i % 3) for i in range(rows)]
    return [
        {"text": f"{draw.choice(WORDS)} {' '.join(found)} {draw.choice(WORDS)} {i}", "labels": sorted(found)}
        for i, found in enumerate(sets)
    ]


def tiny_noise(rows: int = 80, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose label has nothing to do with their text: they can be learned by heart only."""
    draw = random.Random(seed)
    return [
        {"text": f"{draw.choice(WORDS)} {draw.choice(WORDS)} {draw.choice(WORDS)} {i}", "label": label}
        for i, label in enumerate(draw.choices(LABELS, k=rows))
    ]


def tiny_summaries(rows: int = 40, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose summary is their first sentence."""
    draw = random.Random(seed)
    found = []
    for i in range(rows):
        sentences = [f"the {draw.choice(WORDS)} meets the {draw.choice(WORDS)} {i}" for _ in range(3)]
        found.append({"document": ". ".join(sentences) + ".", "summary": sentences[0]})
    return found


def tiny_questions(rows: int = 40, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose answer is one word of the context."""
    draw = random.Random(seed)
    found = []
    for i in range(rows):
        pairs = dict(zip(draw.sample(WORDS, 3), LABELS, strict=True))
        thing = draw.choice(list(pairs))
        context = " ".join(f"The {word} is {colour}." for word, colour in pairs.items())
        found.append(
            {"context": f"{context} Case {i}.", "question": f"What is {thing}?", "answer": pairs[thing]}
        )
    return found


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
