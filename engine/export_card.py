"""The model card of an export, and the small files that a program reads: metrics, prompt, config."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from engine import configfile, export_gguf, headings, modelfile, models, processor, prompts, rivals
from engine.encode import Encoder
from engine.export_parts import GGUFS, Base, Trained, What
from engine.export_rows import Line, sha256
from engine.export_script import render
from engine.export_weights import BASE_FOLDER, base_name
from engine.metrics import TITLES, lower_is_better, number
from engine.parity import Parity
from engine.records import Method, Role, RunKind, RunSpec, Score

LICENCE_NAMES = {  # as the hub writes them
    "Apache-2.0": "apache-2.0",
    "Meta Llama 3 Community License": "llama3",
    "Llama 3.1 Community License": "llama3.1",
    "Llama 3.2 Community License": "llama3.2",
}
LIBRARIES = {"merged/": "transformers", "adapter/": "peft"}  # that load the files, by what an export holds
SERVED_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM's --max-lora-rank takes
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&])")
YOUR_ROWS = "your rows as the model reads them: do not publish what is not yours to publish"
LISTING = {
    "README.md": "this card",
    "model.skops": "what was learned, for skops: no pickle, only the types that predict.py lists",
    "model.json": "the one answer",
    "labels.json": "the labels",
    "predict.py": "answers a CSV or JSONL file without Shortlist",
    "config.yaml": "the hyperparameters, in TRL's and PEFT's names",
    "metrics.json": "every metric on dev and test with its interval, the versions, what was measured",
    "prompt.json": "how a prompt is made and an answer is read",
    "parity.json": "the comparison with the study, row numbers included",
    "adapter/": "the LoRA adapter in PEFT's format, with the tokenizer",
    "merged/": "the whole tuned model as safetensors, with tokenizer, generation settings and a Modelfile",
    "gguf-f16/": "the whole tuned model as one GGUF file (F16), with a Modelfile for Ollama",
    "gguf-q8_0/": "the same in half the size (Q8_0, 8 bits a weight), with a Modelfile for Ollama",
    "base/": "the base model that adapter and train.py start from",
    "answer.py": "answers a file of prompts without Shortlist",
    "train.py": "repeats the run with TRL alone and prints its scores",
    "words.py": "what train.py takes for a word, and which answers are the same",
    "requirements.txt": "the versions for the script",
    "data/": f"train, dev and test rows of the study's split: {YOUR_ROWS}",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a card tells beside the run: the rows by split, the comparisons, what could not be exported."""

    rows: Mapping[str, Sequence[Line]]
    parity: Sequence[Parity]
    left_out: Mapping[What, str]


def write(trained: Trained, base: Base, text: Encoder, told: Told, folder: Path) -> None:
    """README.md and the files beside it; the card goes last, for it lists what is there."""
    comment = f"Run {trained.spec.run} of Shortlist, seed {trained.spec.seed}."
    save(folder / "config.yaml", configfile.write_config(trained.config, comment))
    save(folder / "metrics.json", as_json(metrics(trained)))
    save(folder / "prompt.json", as_json(prompt(trained, text)))
    if told.parity:
        save(folder / "parity.json", as_json([entry.to_dict() for entry in told.parity]))
    save(folder / "README.md", card(trained, base, text, told, names_in(folder)))


def metrics(trained: Trained) -> dict[str, Any]:
    """Every metric on both splits with its interval, and the facts behind it."""
    values, facts = trained.result.to_dict(), trained.result.facts
    machine = ("versions", "seeds", "device", "processor", "number_format")
    wanted = (*machine, "steps", "tokens", "training_seconds", "trainable_parameters")
    return {
        "run": trained.spec.run,
        "selected_by": trained.spec.metric,
        "metrics": values["metrics"],
        **{name: facts[name] for name in wanted if name in facts},
    }


def prompt(trained: Trained, text: Encoder) -> dict[str, Any]:
    """How a prompt is made of the columns, and how an answer is read; enough to do both without Shortlist."""
    chat = bool(text.tokenizer.chat_template)
    return {
        "template": _template(trained),
        "columns": {str(role): column for role, column in trained.dataset.roles.items()},
        "joined": {str(role): list(names) for role, names in _joined(trained).items()},
        "chat_template": chat,
        "add_special_tokens": not chat,
        "max_length": text.max_length,
        "answer_tokens": text.answer_tokens,
        "first_line_only": text.one_line,
        "generation": {"do_sample": False, "max_new_tokens": text.answer_tokens},
        "labels": list(trained.dataset.labels),
    }


def _joined(trained: Trained) -> dict[Role, tuple[str, ...]]:
    """The inputs that are made of several columns, each a line "name: text", without those that are empty."""
    return {role: names for role, names in headings.sources(trained.dataset).items() if len(names) > 1}


def card(trained: Trained, base: Base, text: Encoder, told: Told, names: Sequence[str]) -> str:
    """README.md; text of people and files is escaped, so that it is read as text."""
    spec, result, dataset = trained.spec, trained.result, trained.dataset
    facts, merged = result.facts, "merged/" in names
    ggufs = [str(part) for part in GGUFS if f"{part}/" in names]
    assert result.test is not None
    return render(
        "README.md.j2",
        front_matter=_front_matter(trained, base, names),
        model=inline(base.entry.id),
        dataset_name=inline(dataset.name),
        headline=inline(headline(trained, result.test)),
        verdict=inline(trained.verdict),
        metric_title=TITLES[spec.metric],
        scores=score_lines(trained),
        rivals=inline(" ".join(rivals.told([(trained.spec, trained.result), *trained.beside]))),
        parity=told.parity,
        chat=bool(text.tokenizer.chat_template),
        joined=[(str(role), [inline(n) for n in names]) for role, names in _joined(trained).items()],
        template=fenced(_template(trained) or "the turns of the conversation"),
        answer_tokens=text.answer_tokens,
        one_line=text.one_line,
        merged=merged,
        adapter="adapter/" in names,
        ggufs=ggufs,
        gguf_files={str(part): export_gguf.file_name(part) for part in GGUFS},
        for_ollama=[*(["merged"] if merged else []), *ggufs],
        typed=modelfile.template(text) is not None,
        base_argument=_base_argument(base),
        base_name=base_name(base),
        revision=base.entry.revision,
        served_rank=next((rank for rank in SERVED_RANKS if rank >= (trained.config.lora_r or 1)), 512),
        add_special_tokens=not text.tokenizer.chat_template,
        run=spec.run,
        run_name=inline(spec.name),
        method=_method(spec.method),
        seed=spec.seed,
        train_rows=len(told.rows["train"]),
        truncated=facts.get("truncated_rows"),
        max_length=text.max_length,
        device=processor.described(facts),
        seconds=None if result.seconds is None else f"{result.seconds:.0f}",
        note=inline(facts.get("note", "")),
        config=configfile.write_config(trained.config).strip(),
        versions=", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        file_name=dataset.file_name.replace("`", "'"),
        task=str(dataset.task),
        split_seed=dataset.seed,
        total_rows=f"{dataset.total_rows:,}",
        file_sha256=trained.file_sha256,
        splits=[(name, f"{len(rows):,}", sha256(rows)) for name, rows in told.rows.items()],
        base_sentence=_base_sentence(base),
        licence=base.entry.licence,
        base_sha256=models.sha256(base.entry),
        listing=[(name, what) for name, what in LISTING.items() if name in names],
        left_out=" ".join(inline(f"{part}: {why}") for part, why in told.left_out.items()),
    )


def inline(text: str) -> str:
    """Text for one line of Markdown, its signs escaped."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str) -> str:
    """Text as a block of code, whatever backticks are in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _front_matter(trained: Trained, base: Base, names: Sequence[str]) -> str:
    """What the hub reads; the base is named only where the hub has it."""
    library = next((of for part, of in LIBRARIES.items() if part in names), "gguf")
    known = LICENCE_NAMES.get(base.entry.licence)
    method = trained.spec.method
    values: dict[str, Any] = {
        "license": known or "other",
        **({} if known else {"license_name": base.entry.licence}),
        **({"base_model": base.entry.hub_id} if base.entry.hub_id else {}),
        "library_name": library,
        "pipeline_tag": "text-generation",
        "tags": ["shortlist", "trl", "sft", *(["lora"] if method is Method.LORA else [])],
    }
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True)).strip()


def headline(trained: Trained, test: Score) -> str:
    """The run, its score on the test rows and the interval, in a sentence."""
    spec = trained.spec
    value, low, high = _points(test, spec.metric)
    return (
        f"Run {spec.run} ({spec.name}) of the study '{trained.study.name}': {TITLES[spec.metric]} {value} on "
        f"{test.n} test rows, 95 % interval {low} to {high}."
    )


def score_lines(trained: Trained) -> list[dict[str, Any]]:
    """This run first, then what it is to be compared with: the untuned base, few-shot, the default,
    baselines; of a baseline all others."""
    kinds: tuple[RunKind, ...] = (RunKind.BASE, RunKind.FEW_SHOT, RunKind.DEFAULT, RunKind.BASELINE)
    if trained.spec.kind is RunKind.BASELINE:
        kinds = (*kinds, RunKind.SHORTLIST, RunKind.CUSTOM, RunKind.SEARCH)
    beside = [pair for kind in kinds for pair in trained.beside if pair[0].kind is kind]
    lines = []
    for spec, result in [(trained.spec, trained.result), *beside]:
        if result.test is not None:
            value, low, high = _points(result.test, trained.spec.metric)
            name = inline(_title(spec, spec.run == trained.spec.run))
            lines.append({"name": name, "value": value, "low": low, "high": high, "n": result.test.n})
    return lines


def _title(spec: RunSpec, is_this: bool) -> str:
    if is_this:
        return f"this run ({spec.name})"
    return "untuned base" if spec.kind is RunKind.BASE else spec.name


def _points(score: Score, metric: str) -> tuple[str, str, str]:
    """Value, low and high: in points, a loss in nats."""
    loss = lower_is_better(metric)
    return number(score.value, loss), number(score.low, loss), number(score.high, loss)


def _template(trained: Trained) -> str | None:
    """None for conversations, which have turns and no template."""
    if Role.MESSAGES in trained.dataset.roles:
        return None
    return trained.spec.template or prompts.default_template(trained.spec.task)


def _base_sentence(base: Base) -> str:
    entry = base.entry
    name = inline(entry.id)
    if entry.hub_id:
        return f"`{entry.hub_id}` on the hub, commit `{entry.revision}`, {entry.parameters:,} parameters."
    if entry.package is not None:
        title, source = inline(entry.shown), inline(entry.source)
        of = f"{name} ({title}), {entry.parameters:,} parameters, from the {source}"
        return f"{of}; `{BASE_FOLDER}/` is a copy."
    if base.shipped:
        return f"{name} of Shortlist itself, {entry.parameters:,} parameters; `{BASE_FOLDER}/` is a copy."
    return f"{name}, {entry.parameters:,} parameters, added from a folder by the admin and not given along."


def _base_argument(base: Base) -> str:
    revision = f", revision={base.entry.revision!r}" if base.entry.revision else ""
    return f"{base_name(base)!r}{revision}"


def _method(method: Method) -> str:
    return "LoRA" if method is Method.LORA else "full fine-tuning"


def names_in(folder: Path) -> list[str]:
    """What is at the top of the folder; a folder's name ends with a slash."""
    there = [f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()]
    return [*there, "README.md"]


def as_json(values: Any) -> str:
    """The text of a small JSON file."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def save(path: Path, text: str) -> None:
    """Write a file in UTF-8."""
    path.write_text(text, encoding="utf-8")
