"""Describe a trained model: python models/freeze.py MODEL_ID writes its card and its facts.

Loads the saved folder through transformers, answers held-out questions by greedy decoding, and
writes README.md and pretraining.json. Run it when models/pretrain.py has finished.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
from collections import Counter
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # quicker for a small model where others use the cores

import corpus
import mixture
import numpy as np
import torch
import transformers
from curriculum import LONG, SHORT, Alphabet, Tasks
from pretrain import MODELS, SHAPES

QUESTIONS = 40
FILES = ("model.safetensors", "tokenizer.json", "config.json")
LEFT_OUT = {
    "nltk_brown": "its licence allows no commercial use",
    "nltk_abc": "its licence is unknown",
}
HISTORY = {
    "shortlist-tiny-4m": "This run was interrupted and resumed several times, its time was extended half way "
    "(the learning rate rose again), and its course was changed: lookups on random sentences joined the mix "
    "after 15 million tokens, and 1.6 million tokens of easy lookups came after 25 million, because answers "
    "were not found before. A run from scratch has the easy lookups before the mix, and will not give these "
    "weights again.",
    "shortlist-tiny-1m": "This run took that course from the start.",
}
GREEDY = {
    "blank": "words left out of a sentence",
    "fuzzy": "scattered words of a sentence",
    "about": "the sentence about a topic (token F1)",
}


def facts(model_id: str) -> dict[str, Any]:
    """Everything worth knowing about a finished training."""
    folder = MODELS / model_id
    alphabet = Alphabet(corpus.load_tokenizer())
    texts = {name: corpus.load_tokens(name) for name in corpus.NAMES}
    held = mixture.build_tasks(alphabet, {n: t[1] for n, t in texts.items()})
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    state = json.loads((folder / "pretraining_state.json").read_text(encoding="utf-8"))
    return {
        "model_id": model_id,
        "parameters": SHAPES[model_id].parameters,
        "seed": 0,
        "steps": state["steps"],
        "tokens": state["tokens"],
        "tokens_before_the_mix": state["tokens"] - state["mix_tokens"],
        "seconds": round(state["seconds"]),
        "tokens_per_second": round(state["tokens"] / state["seconds"]),
        "history": HISTORY[model_id],
        "machine": "2 processor cores (AMX), bfloat16, shared with other work",
        "probes": _last_probe(folder),
        "greedy": greedy_scores(model, alphabet, held),
        "corpora": _corpora(texts),
        "left_out": LEFT_OUT,
        "sha256": {name: _digest(folder / name) for name in FILES},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def _last_probe(folder: Path) -> dict[str, float]:
    """What the training measured at its end."""
    lines = (folder / "pretraining_log.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    if "finished" not in last:
        raise SystemExit(f"{folder.name} is not trained to its end; go on with models/pretrain.py --resume.")
    return {n: v for n, v in last.items() if n not in ("step", "stage", "tokens", "seconds", "finished")}


def greedy_scores(model: Any, alphabet: Alphabet, held: Tasks) -> dict[str, float]:
    """Mean token F1 of greedy answers to held-out questions, by form and passage length."""
    found = {}
    for form in GREEDY:
        for name, length in (("short", SHORT), ("long", LONG)):
            random = np.random.default_rng(21)
            scores = [_ask(model, alphabet, held, random, length, form) for _ in range(QUESTIONS)]
            found[f"{form}_{name}"] = round(float(np.mean(scores)), 4)
    return found


def _ask(
    model: Any, alphabet: Alphabet, held: Tasks, random: np.random.Generator, length: int, form: str
) -> float:
    pieces = held.asked_passage(random, length, [form])
    prompt = torch.from_numpy(np.concatenate([p.tokens for p in pieces[:-1]]))[None, -420:]
    made = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=90,
        do_sample=False,
        eos_token_id=alphabet.end,
        pad_token_id=alphabet.pad,
    )[0, prompt.shape[1] :]
    return token_f1([t for t in made.tolist() if t > 1], list(pieces[-1].tokens[:-1]))


def token_f1(made: list[int], wanted: list[int]) -> float:
    """Harmonic mean of precision and recall over tokens."""
    common = sum((Counter(made) & Counter(wanted)).values())
    return 2 * common / (len(made) + len(wanted)) if made or wanted else 1.0


def _corpora(texts: dict[str, tuple[corpus.Tokens, corpus.Tokens]]) -> list[dict[str, Any]]:
    listed = json.loads((corpus.CORPORA / "SOURCES.json").read_text(encoding="utf-8"))["corpora"]
    kept = ("name", "source_repo", "source_commit", "licence", "kind", "words")
    return [
        {key: entry[key] for key in kept if key in entry}
        | {
            "training_tokens": len(texts[entry["name"]][0]),
            "held_out_tokens": len(texts[entry["name"]][1]),
            "sha256": _digest(corpus.CORPORA / entry["file"]),
        }
        for entry in listed
        if entry["name"] in texts
    ]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def card(known: dict[str, Any]) -> str:
    """The model card, in Markdown."""
    shape = SHAPES[known["model_id"]]
    probes = known["probes"]
    rows = "\n".join(
        f"| {c['name']} | {c['kind']} | {c['training_tokens']:,} | {c['licence']} "
        f"| {_links(c['source_repo'])} |"
        for c in known["corpora"]
    )
    skills = "\n".join(
        f"| {meaning} | {known['greedy'][form + '_short']:.0%} | {known['greedy'][form + '_long']:.0%} |"
        for form, meaning in GREEDY.items()
    )
    left = "; ".join(f"{name}: {reason}" for name, reason in known["left_out"].items())
    return CARD.format(
        shape=shape,
        known=known,
        probes=probes,
        rows=rows,
        skills=skills,
        left=left,
        millions=known["parameters"] / 1e6,
        seen=known["tokens"] / 1e6,
        minutes=known["seconds"] / 60,
    )


def _links(sources: str | list[str]) -> str:
    addresses = [sources] if isinstance(sources, str) else sources
    return ", ".join(f"[source]({address})" for address in addresses)


CARD = (
    """---
license: apache-2.0
language: en
library_name: transformers
---
# {known[model_id]}

A Llama-architecture base model of {millions:.2f} million parameters, pre-trained by
`models/pretrain.py` on a processor, so that fine-tuning searches run anywhere in minutes. It is a
tool for studying fine-tuning, not a source of knowledge: it copies well and knows little.

- {shape.layers} layers, width {shape.width}, {shape.heads} heads, inner width {shape.inner}, tied
  embeddings, context {shape.context}; byte-level BPE of {shape.vocabulary} tokens, single digits;
  `<|end|>` ends a text, `<|pad|>` pads.
- Trained on {seen:.1f} million tokens in {minutes:.0f} minutes on two cores
  ({known[tokens_per_second]:,} tokens per second, beside other work), seed {known[seed]}.
- Held-out loss: {probes[loss_per_token]:.3f} nats per token, {probes[loss_per_byte]:.3f} per byte.

## How it was trained
First repeats of random sequences over a growing vocabulary, until copying is nearly exact; then easy
lookups in random sequences; then, in growing length, text, passages with questions made from their own
sentences by rules, leading and central sentences as summaries, and the kind of text as label. No dataset
of questions or labels was used.

{known[history]}

The prompts are those of the product:

    Passage: ...\\nQuestion: ...\\nAnswer: ...<|end|>
    Text: ...\\nSummary: ...<|end|>
    Text: ...\\nLabel: ...<|end|>

## What it can do before fine-tuning
Copies random sequences over the whole vocabulary: {probes[copy]:.1%} of tokens. Token F1 of greedy
answers to held-out questions that were made by the same rules ({questions} each):

| Question | about {short} tokens | about {long} tokens |
|---|---|---|
{skills}

## Data
Every paragraph that shares a 13-word sequence with a dataset of the product had been dropped. About
45 % of the training text is drawn from the modern corpora, which are therefore seen several times.
One group of paragraphs in fifty is held out.

| Corpus | Kind | Tokens | Licence | Where |
|---|---|---|---|---|
{rows}

Left out so that the weights may be passed on: {left}. The novels carry the attitudes of their time.

## Licence
The weights are ours, under Apache-2.0. The texts keep the licences above; the weights may repeat short
stretches of them. `pretraining.json` has the sources' commits, digests, probes and versions;
`pretraining_log.jsonl` the whole course.
""".replace("{questions}", str(QUESTIONS))
    .replace("{short}", str(SHORT))
    .replace("{long}", str(LONG))
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_id", choices=sorted(SHAPES), help="which model to describe")
    model_id = parser.parse_args().model_id
    known = facts(model_id)
    text = json.dumps(known, indent=2, ensure_ascii=False) + "\n"
    (MODELS / model_id / "pretraining.json").write_text(text, encoding="utf-8")
    (MODELS / model_id / "README.md").write_text(card(known), encoding="utf-8")


if __name__ == "__main__":
    main()
