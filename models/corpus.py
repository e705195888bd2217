"""The pre-training text: which corpora, our tokenizer, and a cache of their tokens.

Run `python models/corpus.py` to train the tokenizer and fill the cache ahead of time.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
CACHE = ROOT / "models" / ".cache"
TOKENIZER = ROOT / "models" / "tokenizer.json"
END, PAD = "<|end|>", "<|pad|>"
VOCABULARY = 4096
NOVELS = ("english_novels_100", "eltec_eng")
MODERN = (
    "python_peps",
    "openstax_textbooks",
    "nltk_masc",
    "wikitext2_valid_test",
    "nltk_us_presidents",
    "clinc_wiki_sentences",
)
OLD = ("nltk_shakespeare_genesis",)
NAMES = (*MODERN, *OLD, *NOVELS)  # nltk_brown and nltk_abc may not be passed on in weights
HELD_OUT_EVERY = 50  # each 50th group of paragraphs is validation text
GROUP_PARAGRAPHS = 8
# The words around every example; repeated so that each becomes one token.
PROMPT_WORDS = "Passage:\nText:\nInstruction:\nQuestion:\nAnswer:\nSummary:\nLabel:\nResponse:\n"

Tokens = NDArray[np.uint16]


def documents(name: str) -> list[list[str]]:
    """The paragraphs of each document of a corpus, cleaned of the marks of its source."""
    with lzma.open(CORPORA / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
        raw = file.read()
    split = [[_clean(p) for p in text.split("\n\n")] for text in raw.split("\n\n\n")]
    return [[p for p in paragraphs if p] for paragraphs in split]


def _clean(paragraph: str) -> str:
    if "<unk>" in paragraph:  # WikiText's rare words: leave out the sentence
        sentences = re.split(r"(?<=[.!?]) ", paragraph)
        paragraph = " ".join(s for s in sentences if "<unk>" not in s)
    plain = paragraph.translate(str.maketrans("“”‘’", "\"\"''"))
    return re.sub(r"\s+", " ", plain).strip()


def train_tokenizer() -> Tokenizer:
    """Byte-level BPE with single digits, on all modern text and a share of the novels."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_sample(), trainer)
    return tokenizer


def _tokenizer_sample() -> list[str]:
    texts: list[str] = []
    for name in NAMES:
        paragraphs = [p for document in documents(name) for p in document]
        texts += paragraphs[::12] if name in NOVELS else paragraphs
    return texts + [PROMPT_WORDS] * 4000


def load_tokenizer() -> Tokenizer:
    """The committed tokenizer, trained first where there is none."""
    if not TOKENIZER.exists():
        train_tokenizer().save(str(TOKENIZER))
    return Tokenizer.from_file(str(TOKENIZER))


def load_tokens(name: str) -> tuple[Tokens, Tokens]:
    """Training and validation tokens of a corpus: newline between paragraphs, END between texts."""
    load_tokenizer()
    digest = hashlib.sha256(TOKENIZER.read_bytes()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        train, held = _encode(name)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, train=train, held=held)
        partial.rename(path)
    with np.load(path) as stored:
        return stored["train"], stored["held"]


def _encode(name: str) -> tuple[Tokens, Tokens]:
    tokenizer = load_tokenizer()
    parts: tuple[list[str], list[str]] = ([], [])
    group = 0
    for paragraphs in documents(name):
        for start in range(0, len(paragraphs), GROUP_PARAGRAPHS):
            held = group % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
            last = start + GROUP_PARAGRAPHS >= len(paragraphs)
            text = "\n".join(paragraphs[start : start + GROUP_PARAGRAPHS])
            parts[held].append(text + (END if last or held else "\n"))
            group += 1
    train, held_out = (_ids(tokenizer, texts) for texts in parts)
    return train, held_out


def _ids(tokenizer: Tokenizer, texts: list[str]) -> Tokens:
    pieces = [np.array(e.ids, dtype=np.uint16) for e in tokenizer.encode_batch(texts)]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint16)


def main() -> None:
    load_tokenizer()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(load_tokens, NAMES))


if __name__ == "__main__":
    main()
