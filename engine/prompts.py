"""Turns a row into the text that a model reads (prompt) and the text that it learns to write (completion)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError, DatasetError
from engine.records import Role, Row, Task

TEMPLATES = {
    Task.CLASSIFICATION: "Text: {source}\nLabel:",
    Task.SUMMARIZATION: "Text: {source}\nSummary:",
    Task.QA: "Passage: {context}\nQuestion: {question}\nAnswer:",
    Task.GENERATION: "Instruction: {prompt}\nResponse:",
}
LONG_ROLE = {
    Task.CLASSIFICATION: Role.SOURCE,
    Task.SUMMARIZATION: Role.SOURCE,
    Task.QA: Role.CONTEXT,
    Task.GENERATION: Role.PROMPT,
}
SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The exact text of a row: the model reads `prompt`; the loss covers `completion` only."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A rendered row that fits the model's context; `truncated` when something was cut for that."""

    prompt: str
    completion: str
    truncated: bool


def default_template(task: Task) -> str:
    """The template that the embedded models saw in pre-training."""
    return TEMPLATES[task]


def check_template(template: str, task: Task) -> None:
    """Raises ConfigError when a placeholder of the task is missing, or one is unknown."""
    needed = PLACEHOLDER.findall(TEMPLATES[task])
    found = PLACEHOLDER.findall(template)
    for name in needed:
        if name not in found:
            raise ConfigError(f"The prompt template must contain {{{name}}}. Add it where the text belongs.")
    for name in found:
        if name not in needed:
            known = " and ".join(f"{{{n}}}" for n in needed)
            raise ConfigError(f"The prompt template has an unknown placeholder {{{name}}}; known: {known}.")


def render(row: Row, task: Task, template: str | None = None, tokenizer: Any = None) -> Rendered:
    """The prompt and completion of a row; as a chat when the tokenizer has a chat template.

    A row without target (for predict) has an empty completion. The end-of-text mark is the trainer's.
    """
    target = row.targets[0] if row.targets else ""
    if getattr(tokenizer, "chat_template", None):
        return Rendered(_chat(_messages(row, task, template), row, tokenizer), target)
    return Rendered(_plain(row, task, template), " " + target if target else "")


def fit(
    row: Row, task: Task, tokenizer: Any, max_length: int, reserve: int, template: str | None = None
) -> Fitted:
    """Renders the row so that the prompt has at most max_length - reserve tokens and the completion
    fewer than reserve (room for the end mark); TRL alone would cut the end, the answer, instead.

    The long field (source, context, prompt) loses its end; a conversation loses its oldest turns.
    """
    budget = max_length - reserve
    if budget < 1 or reserve < 1:
        raise ConfigError(
            f"The maximum length must exceed the {reserve} tokens kept for the answer, but is {max_length}."
        )
    whole = render(row, task, template, tokenizer)
    completion = _first_tokens(whole.completion, tokenizer, reserve - 1)
    prompt = whole.prompt
    if _count(prompt, tokenizer) > budget:
        prompt = _shortened(row, task, tokenizer, budget, template)
    return Fitted(prompt, completion, truncated=prompt != whole.prompt or completion != whole.completion)


def conversation(row: Row) -> list[Message]:
    """The turns of a `messages` row, without the last answer."""
    turns: list[Message] = json.loads(row.inputs[Role.MESSAGES])
    return turns


def _plain(row: Row, task: Task, template: str | None) -> str:
    if Role.MESSAGES in row.inputs:
        lines = [f"{SPEAKERS.get(m['role'], m['role'])}: {m['content']}" for m in conversation(row)]
        return "\n".join((*lines, "Assistant:"))
    return _fill(template or TEMPLATES[task], row.inputs)


def _fill(template: str, inputs: Mapping[Role, str]) -> str:
    """One pass, so that braces in the data stay as they are; the completion brings its own space."""
    values = {str(role): text for role, text in inputs.items()}
    return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), template).rstrip(" ")


def _messages(row: Row, task: Task, template: str | None) -> list[Message]:
    """Everything the user gives is in the user's turn: a question never lands in the system role."""
    if Role.MESSAGES in row.inputs:
        return conversation(row)
    bare = task is Task.GENERATION and template is None
    content = row.inputs[Role.PROMPT] if bare else _plain(row, task, template)
    return [{"role": "user", "content": content}]


def _chat(messages: Sequence[Message], row: Row, tokenizer: Any) -> str:
    from jinja2.exceptions import TemplateError

    for turns in (list(messages), _without_system(messages)):
        try:
            text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return text
        except TemplateError as error:
            reason = str(error)
    raise DatasetError(f"The model's chat template refuses row {row.number}: {reason}. Correct its turns.")


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """For chat templates that know no system role: its text opens the first user turn."""
    system = [m["content"] for m in messages if m["role"] == "system"]
    turns = [dict(m) for m in messages if m["role"] != "system"]
    if system and turns:
        turns[0]["content"] = "\n\n".join((*system, turns[0]["content"]))
    return turns


def _shortened(row: Row, task: Task, tokenizer: Any, budget: int, template: str | None) -> str:
    if Role.MESSAGES in row.inputs:
        return _recent_turns(row, task, tokenizer, budget)
    role = LONG_ROLE[task]
    text = row.inputs[role]

    def prompt_of(part: str) -> str:
        return render(_with(row, role, part), task, template, tokenizer).prompt

    keep = budget - _count(prompt_of(""), tokenizer)
    while keep > 0:
        prompt = prompt_of(_first_tokens(text, tokenizer, keep))
        over = _count(prompt, tokenizer) - budget
        if over <= 0:
            return prompt
        keep -= over
    return _last_tokens(prompt_of(""), tokenizer, budget)


def _recent_turns(row: Row, task: Task, tokenizer: Any, budget: int) -> str:
    turns = conversation(row)
    while True:
        oldest = next((i for i, m in enumerate(turns[:-1]) if m["role"] != "system"), None)
        prompt = render(_with(row, Role.MESSAGES, json.dumps(turns)), task, None, tokenizer).prompt
        if oldest is None or _count(prompt, tokenizer) <= budget:
            return _last_tokens(prompt, tokenizer, budget)
        turns.pop(oldest)


def _with(row: Row, role: Role, text: str) -> Row:
    return Row(row.number, {**row.inputs, role: text}, row.targets, row.group)


def _count(text: str, tokenizer: Any) -> int:
    """Tokens of a prompt; a chat template writes the special tokens itself."""
    special = not getattr(tokenizer, "chat_template", None)
    return len(tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])


def _tokens(text: str, tokenizer: Any) -> tuple[list[int], list[tuple[int, int]] | None]:
    fast = getattr(tokenizer, "is_fast", False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast, verbose=False)
    return encoded["input_ids"], encoded["offset_mapping"] if fast else None


def _first_tokens(text: str, tokenizer: Any, keep: int) -> str:
    """The start of the text in at most `keep` tokens, ending at a word where one ends near."""
    ids, offsets = _tokens(text, tokenizer)
    if len(ids) <= keep:
        return text
    if keep <= 0:
        return ""
    cut: str = text[: offsets[keep - 1][1]] if offsets else tokenizer.decode(ids[:keep])
    if not text[len(cut) : len(cut) + 1].isspace():
        words = cut.rsplit(None, 1)
        cut = words[0] if len(words) == 2 else cut
    return cut.rstrip()


def _last_tokens(text: str, tokenizer: Any, keep: int) -> str:
    """The end of the text in at most `keep` tokens, special tokens of the tokenizer included."""
    ids, offsets = _tokens(text, tokenizer)
    keep -= _count("", tokenizer)
    if len(ids) <= keep:
        return text
    start = len(ids) - max(keep, 0)
    tail: str = text[offsets[start][0] :] if offsets and keep > 0 else tokenizer.decode(ids[start:])
    return tail
