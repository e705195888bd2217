"""Ollama's Modelfile for an exported model: the study's own prompt around what a person types."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from engine.encode import Encoder
from engine.records import Role, Row, Task

NAME = "Modelfile"
ASKED = {Task.CLASSIFICATION: Role.SOURCE, Task.SUMMARIZATION: Role.SOURCE, Task.GENERATION: Role.PROMPT}
_PROBE = "Xylophone"  # a text that no prompt has of itself
_SIGNS = re.compile(r'\{\{|"{3,}|"+$')  # what Ollama would take for its own
READY_MADE = "# TEMPLATE hands a prompt on unchanged: prompt.json says how one is made of your columns.\n"


def write(text: Encoder, source: str, ends: Sequence[str]) -> str:
    """The file's text. Greedy answers without a penalty for what was said (Ollama's default is 1.1), as long
    as the study's, ending at every end mark; `source` is where the weights are, seen from the file."""
    prompt = template(text)
    stops = "".join(f"PARAMETER stop {json.dumps(mark, ensure_ascii=False)}\n" for mark in ends)
    return (
        f'FROM {source}\n{READY_MADE if prompt is None else ""}TEMPLATE """{prompt or "{{ .Prompt }}"}"""\n'
        "PARAMETER temperature 0\nPARAMETER repeat_penalty 1\n"
        f"PARAMETER num_predict {text.answer_tokens}\nPARAMETER num_ctx {text.max_length}\n{stops}"
    )


def template(text: Encoder) -> str | None:
    """The prompt with {{ .Prompt }} where the row's text is; None where a row is more than one text.

    A begin mark that the tokenizer adds is left to it, or it would stand there twice.
    """
    role = ASKED.get(text.form.task)
    if role is None:
        return None
    prompt = text.write_prompt(Row(1, {role: _PROBE}, ()))
    begin = text.tokenizer.bos_token
    if begin and prompt.startswith(begin) and text.tokenizer("a").input_ids[0] == text.tokenizer.bos_token_id:
        prompt = prompt.removeprefix(begin)
    escaped = _SIGNS.sub(lambda found: "{{ " + json.dumps(found[0]) + " }}", prompt)
    return escaped.replace(_PROBE, "{{ .Prompt }}")
