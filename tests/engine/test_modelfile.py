"""Ollama's Modelfile puts the study's prompt around what a person types, and answers as the study did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import encode, loading, modelfile
from engine.encode import Encoder
from engine.prompts import Form
from engine.records import Role, Row, Task
from tests import tiny

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def encoder(folder: Path, form: Form, chat: str | None = None) -> Encoder:
    tokenizer = loading.load_tokenizer(tiny.tiny_model(folder))
    tokenizer.chat_template = chat
    return encode.encoder(form, tokenizer, [Row(1, {Role.SOURCE: "a"}, ("red",))], 512)


def test_the_prompt_of_a_row_is_the_template_with_its_text_filled_in(tmp_path: Path) -> None:
    form = Form(Task.CLASSIFICATION, "Labels: {labels}\nText: {source}\nLabel:", ("red", "blue"))
    text = encoder(tmp_path, form, CHAT)

    found = modelfile.template(text)

    assert found is not None
    row = Row(7, {Role.SOURCE: "a red rose"}, ())
    assert found.replace("{{ .Prompt }}", "a red rose") == text.write_prompt(row)


def test_the_file_names_the_weights_every_end_mark_and_greedy_answers(tmp_path: Path) -> None:
    text = encoder(tmp_path, Form(Task.CLASSIFICATION, None, ("red", "blue")))

    found = modelfile.write(text, "./model-F16.gguf", ("<|im_end|>", "<|end|>"))

    assert found == (
        'FROM ./model-F16.gguf\nTEMPLATE """Text: {{ .Prompt }}\nLabel:"""\n'
        "PARAMETER temperature 0\nPARAMETER repeat_penalty 1\n"
        f"PARAMETER num_predict {text.answer_tokens}\nPARAMETER num_ctx 512\n"
        'PARAMETER stop "<|im_end|>"\nPARAMETER stop "<|end|>"\n'
    )


@pytest.mark.parametrize(
    "written, told",
    [
        ('a """b" {source}', 'a {{ "\\"\\"\\"" }}b" {{ .Prompt }}'),
        ("a {{x}} {source}", 'a {{ "{{" }}x}} {{ .Prompt }}'),
        ('{source}: "', '{{ .Prompt }}: {{ "\\"" }}'),
    ],
)
def test_signs_that_ollama_would_take_for_its_own_are_written_as_text(
    written: str, told: str, tmp_path: Path
) -> None:
    text = encoder(tmp_path, Form(Task.SUMMARIZATION, written))

    assert modelfile.template(text) == told


def test_a_row_of_two_texts_goes_in_as_a_ready_made_prompt_and_the_file_says_so(tmp_path: Path) -> None:
    text = replace(encoder(tmp_path, Form(Task.SUMMARIZATION)), form=Form(Task.QA))

    found = modelfile.write(text, ".", ())

    assert 'TEMPLATE """{{ .Prompt }}"""' in found and "prompt.json says how one is made" in found
