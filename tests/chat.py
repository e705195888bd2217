"""Tokenizers with the habits of real chat models, small enough to read."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXT = "Passage: the word Question: Answer: Text: Label: Be brief. Hi Hello More? positive negative"
ANSWER = "{% if add_generation_prompt %}"
# The turn ends with a mark that is not the tokenizer's end mark; contents lose the spaces around them.
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}<|head|>{{ m.role }}<|tail|>\n\n{{ m.content | trim }}<|eot|>"
    "{% endfor %}" + ANSWER + "<|head|>assistant<|tail|>\n\n{% endif %}"
)
# A space before the answer, the end mark right after it; roles must take turns, the user first.
MISTRAL = (
    "{{ bos_token }}{% set ns = namespace(user=true) %}{% for m in messages if m.role != 'system' %}"
    "{% if (m.role == 'user') != ns.user %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% set ns.user = not ns.user %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
# Thinks unless told not to; the answers of a finished conversation carry empty thoughts.
QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    + ANSWER
    + "<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
# No system role, the assistant is called model.
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<|head|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<|eot|>\n{% endfor %}"
    + ANSWER
    + "<|head|>model\n{% endif %}"
)
# A system turn of its own where the conversation has none.
SMOLLM2 = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
    "<|im_start|>system\nYou are kind.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    + ANSWER
    + "<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {"llama-3": LLAMA_3, "mistral": MISTRAL, "qwen": QWEN, "gemma": GEMMA, "smollm2": SMOLLM2}
MARKS = ["<s>", "<|end|>", "<|im_start|>", "<|im_end|>", "<|head|>", "<|tail|>", "<|eot|>"]


def chat_tokenizer(name: str) -> Any:
    """A byte-level tokenizer with the named model's chat template; its end mark is <|im_end|> where the
    template writes that (Qwen, SmolLM2), else <|end|>."""
    eos = "<|im_end|>" if name in ("qwen", "smollm2") else "<|end|>"
    found = PreTrainedTokenizerFast(
        tokenizer_object=_byte_level(), bos_token="<s>", eos_token=eos, model_max_length=4096
    )
    found.chat_template = TEMPLATES[name]
    return found


def eos_adding_tokenizer() -> Any:
    """A tokenizer without chat template that puts <s> before and <|end|> after every text."""
    fast = _byte_level()
    fast.post_processor = processors.TemplateProcessing(
        single="<s> $A <|end|>", special_tokens=[("<s>", 0), ("<|end|>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, bos_token="<s>", eos_token="<|end|>", model_max_length=512
    )


def prefix_space_tokenizer() -> Any:
    """A tokenizer in the manner of Llama-2's: every text gets a space before it, part of its words."""
    fast = Tokenizer(models.BPE(unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    fast.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(
        vocab_size=200,
        special_tokens=["<unk>", "<s>", "<|end|>"],
        show_progress=False,
        initial_alphabet=["\n"],
    )
    fast.train_from_iterator([TEXT] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, bos_token="<s>", eos_token="<|end|>", model_max_length=512
    )


def _byte_level() -> Tokenizer:
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=MARKS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fast.train_from_iterator([TEXT] * 3, trainer)
    return fast
