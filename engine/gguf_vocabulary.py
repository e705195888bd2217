"""A tokenizer as a GGUF file holds it: the kind of vocabulary, its tokens and the rule that splits a text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # gguf.TokenType
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {  # as tokenizer.json of Llama 3 and Qwen 2 have them, and llama.cpp's names for them
    _WORDS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _WORDS + r"\p{N}" + _REST: "qwen2",
}
EACH_DIGIT, PLAIN = "smollm", "gpt-2"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`model`: gpt2 (of bytes, with `merges`) or llama (of pieces, with `scores`); `pre`: the splitting rule
    by llama.cpp's name; `types` says of each token what it is; `spaced`: a text begins with a space."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    spaced: bool = False


def of(tokenizer: Any, size: int) -> Vocabulary:
    """The vocabulary of a model with so many rows of embeddings; rows without a token are named [PADn].

    Raises ModelError for a tokenizer whose rule has no name in llama.cpp.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    model = parts["model"]
    if model["type"] != "BPE":
        raise ModelError(f"A GGUF file is written of BPE tokenizers, and this one is {model['type']}.")
    tokens = _tokens(tokenizer, size)
    merges = tuple(pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
    if model["byte_fallback"]:
        types = _types(tokenizer, tokens, model["unk_token"])
        return Vocabulary(
            "llama", "default", tokens, types, scores=_scores(tokens, merges), spaced=_spaced(parts)
        )
    return Vocabulary("gpt2", _rule(parts["pre_tokenizer"]), tokens, _types(tokenizer, tokens, None), merges)


def _tokens(tokenizer: Any, size: int) -> tuple[str, ...]:
    """A token behind the last row of embeddings is one that the model cannot read."""
    by_id = {place: token for token, place in tokenizer.get_vocab().items()}
    return tuple(by_id.get(place, f"[PAD{place}]") for place in range(size))


def _types(tokenizer: Any, tokens: tuple[str, ...], unknown: str | None) -> tuple[int, ...]:
    known, added = tokenizer.get_vocab(), tokenizer.added_tokens_decoder

    def of_token(place: int, token: str) -> int:
        if token not in known:
            return UNUSED
        if token == unknown:
            return UNKNOWN
        if place in added:
            return CONTROL if added[place].special else USER_DEFINED
        is_byte = unknown is not None and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        return BYTE if is_byte else NORMAL

    return tuple(of_token(place, token) for place, token in enumerate(tokens))


def _scores(tokens: tuple[str, ...], merges: tuple[str, ...]) -> tuple[float, ...]:
    """The earlier a merge makes a token, the greater its score: SentencePiece's order of merges."""
    rank: dict[str, int] = {}
    for place, pair in enumerate(merges):
        rank.setdefault(pair.replace(" ", ""), place)
    return tuple(-float(rank.get(token, len(merges))) for token in tokens)


def _spaced(parts: dict[str, Any]) -> bool:
    """Whether a space is put before a text."""
    steps = [*_steps(parts["pre_tokenizer"], "pretokenizers"), *_steps(parts["normalizer"], "normalizers")]
    return any(
        step["type"] == "Prepend"
        or (step["type"] == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        for step in steps
    )


def _rule(pre_tokenizer: dict[str, Any] | None) -> str:
    """llama.cpp's name of the rule, known by its parts; raises ModelError."""
    *first, last = _steps(pre_tokenizer, "pretokenizers") or [{"type": "nothing"}]
    if last["type"] == "ByteLevel" and not last["add_prefix_space"]:
        if not first and last["use_regex"]:
            return PLAIN
        if len(first) == 1 and first[0]["type"] == "Digits" and last["use_regex"]:
            if first[0]["individual_digits"]:
                return EACH_DIGIT
        elif len(first) == 1 and first[0]["type"] == "Split" and not last["use_regex"]:
            found = SPLITS.get(first[0]["pattern"].get("Regex"))
            if found is not None and not first[0]["invert"] and first[0]["behavior"] == "Isolated":
                return found
    raise ModelError(
        "The tokenizer splits texts by a rule that has no name in llama.cpp known here: take merged."
    )


def _steps(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    if part is None:
        return []
    return part[name] if part["type"] == "Sequence" else [part]
