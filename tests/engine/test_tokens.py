"""The light tokenizer reads and renders as transformers does, without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.encode import encoder
from engine.prompts import Form
from engine.records import Role, Row, Task
from engine.tokens import Tokenizer
from tests.chat import TEMPLATES, chat_tokenizer

ROW = Row(1, {Role.SOURCE: "word " * 90 + "ünïcode"}, ("positive",))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_row_has_the_same_tokens_as_with_transformers(name: str, tmp_path: Path) -> None:
    whole = chat_tokenizer(name)
    whole.save_pretrained(tmp_path)
    form = Form(Task.CLASSIFICATION, "Text: {source}\nLabels: {labels}\nLabel:", ("negative", "positive"))

    light, real = (encoder(form, reader, [ROW], 80) for reader in (Tokenizer(tmp_path), whole))

    assert light.encode(ROW) == real.encode(ROW)
    assert light.write(ROW).truncated
    assert (light.ends, light.answer_tokens, light.max_length) == (real.ends, real.answer_tokens, 80)
