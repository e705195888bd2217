"""A model's tokenizer and chat template without transformers: to show prompts and count tokens in a page."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

TEMPLATE_FILE = "chat_template.jinja"


class Tokenizer:
    """As much of a transformers tokenizer as engine.prompts and engine.encode read; the real one would load
    torch into the web process (7 s and 300 MB)."""

    is_fast = True

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Fast

        self._fast = Fast.from_file(str(folder / "tokenizer.json"))
        self._fast.no_truncation()
        self._fast.no_padding()
        self._settings = _read(folder / "tokenizer_config.json")
        self.chat_template = self._settings.get("chat_template")
        if (folder / TEMPLATE_FILE).is_file():
            self.chat_template = (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
        self.model_max_length = int(self._settings.get("model_max_length") or 1 << 62)
        self.eos_token = self._mark("eos_token")
        self.eos_token_id = None if self.eos_token is None else self._fast.token_to_id(self.eos_token)
        self.added_tokens_decoder = self._fast.get_added_tokens_decoder()
        self.all_special_ids = [id for id, token in self.added_tokens_decoder.items() if token.special]

    def __call__(
        self,
        text: str,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        verbose: bool = False,
    ) -> dict[str, Any]:
        """input_ids, and offset_mapping if asked for."""
        found = self._fast.encode(text, add_special_tokens=add_special_tokens)
        offsets = {"offset_mapping": found.offsets} if return_offsets_mapping else {}
        return {"input_ids": found.ids, **offsets}

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        """The text of these tokens."""
        return str(self._fast.decode(ids, skip_special_tokens=skip_special_tokens))

    def apply_chat_template(self, turns: Any, *, add_generation_prompt: bool, **values: Any) -> str:
        """The text that the model's template makes of the turns; raises jinja2's TemplateError."""
        marks = {name: self._mark(name) or "" for name in ("bos_token", "eos_token", "pad_token")}
        values.pop("tokenize", None)
        return str(
            self._template.render(
                messages=turns, add_generation_prompt=add_generation_prompt, **marks, **values
            )
        )

    @cached_property
    def _template(self) -> Any:
        """Sandboxed as in transformers, whose settings, filter and functions the templates count on."""
        from jinja2.exceptions import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(message: str) -> None:
            raise TemplateError(message)

        jinja = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        jinja.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        jinja.globals["raise_exception"] = refuse
        jinja.globals["strftime_now"] = _now
        return jinja.from_string(str(self.chat_template))

    def _mark(self, name: str) -> str | None:
        """A special token as the tokenizer's settings name it, as text or as a record."""
        value = self._settings.get(name)
        return value.get("content") if isinstance(value, dict) else value


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().strftime(form)


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return values
