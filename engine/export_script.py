"""The scripts of an export: train.py repeats the run with TRL alone, answer.py uses what was exported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from engine import export_gguf, loading
from engine.encode import Encoder
from engine.export_parts import GGUFS, Base, Trained, What, kept_until
from engine.export_weights import BASE_FOLDER, end_marks, keeps_half
from engine.finetune import CHECKPOINT_FROM
from engine.metrics import TITLES
from engine.records import Method, Task

TEMPLATES = Path(__file__).resolve().parent / "export_templates"
ROUGE = ("rougeL", "rouge1")
BY_WORDS = (*ROUGE, "token_f1", "exact_match")  # scored with engine/words.py, of which a copy goes along
WIDTH = 95  # of a list on one line


def training_script(trained: Trained, base: Base, text: Encoder) -> str:
    """train.py: the run's own config, seeds and rows, and the score that it must come near to."""
    spec, result = trained.spec, trained.result
    kept = kept_until(trained)
    scores = {"dev": result.dev, "test": result.test}
    return render(
        "train.py.j2",
        **_answering(base, text, trained.spec.method),
        run=spec.run,
        config=trained.config,
        seed=spec.seed,
        lora=spec.method is Method.LORA,
        rouge=spec.metric in ROUGE,
        scores_words=spec.metric in BY_WORDS,
        metric=spec.metric,
        metric_title=TITLES[spec.metric],
        labels=list(trained.dataset.labels) if spec.task.has_labels else None,
        sets=spec.task is Task.MULTILABEL,
        study_scores={split: score.to_dict() for split, score in scores.items() if score is not None},
        stop=None if kept is None else {"unit": kept[0], "number": kept[1]},
        big=base.entry.parameters >= loading.BFLOAT16_FROM,
        all_turns=text.form.all_turns,
        checkpointing=base.entry.parameters >= CHECKPOINT_FROM,
    )


def answer_script(base: Base, text: Encoder, method: Method, folders: tuple[What, ...]) -> str:
    """answer.py for the folders with weights that the export has, the first of them unless told otherwise."""
    return render(
        "answer.py.j2",
        **_answering(base, text, method),
        adapter=What.ADAPTER in folders,
        gguf=export_gguf.reading(base.folder) if set(GGUFS) & set(folders) else None,
        model_folder=str(folders[0]),
    )


def requirements(trained: Trained) -> str:
    """The versions that the run was trained with; ROUGE needs its scorer too."""
    versions: Mapping[str, str] = trained.result.facts["versions"]
    pins = [f"{name}=={versions[name].partition('+')[0]}" for name in loading.PARTS]
    if trained.spec.metric in ROUGE:
        pins.append(f"rouge-score=={version('rouge-score')}")
    return "\n".join(pins) + "\n"


def _answering(base: Base, text: Encoder, method: Method) -> dict[str, Any]:
    """What both scripts need to read prompts and answer them as the study did."""
    source = _literal(base.entry.hub_id) if base.entry.hub_id else None
    return {
        "model": base.entry.id,
        "base_source": f'str(HERE / "{BASE_FOLDER}")' if base.shipped else source,
        "revision": base.entry.revision,
        "half": keeps_half(base, method),
        "add_special_tokens": not text.tokenizer.chat_template,
        "answer_tokens": text.answer_tokens,
        "chat": bool(text.tokenizer.chat_template),
        "ends": end_marks(base, text),
        "one_line": text.one_line,
    }


def render(name: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["py"] = _literal
    return environment.get_template(name).render(**values)


def _literal(value: Any) -> str:
    """A Python literal: what a person typed stays data, whatever is in it."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        line = ", ".join(map(_literal, value))
        lines = "".join(f"    {_literal(item)},\n" for item in value)
        return f"[{line}]" if len(line) < WIDTH else f"[\n{lines}]"
    return repr(value)
