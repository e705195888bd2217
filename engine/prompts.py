"""Turns a row into the text that a model reads (prompt) and the text that it learns to write (completion)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from engine import headings
from engine.catalogue import BaseModel
from engine.errors import ConfigError, DatasetError
from engine.labelsets import NONE, SEPARATOR
from engine.records import Role, Row, Task

TEMPLATES = {
    Task.CLASSIFICATION: "Text: {source}\nLabel:",
    Task.MULTILABEL: "Text: {source}\nLabels:",
    Task.SUMMARIZATION: "Text: {source}\nSummary:",
    Task.QA: "Passage: {context}\nQuestion: {question}\nAnswer:",
    Task.GENERATION: "Instruction: {prompt}\nResponse:",
}
# For real LLMs: the task, the form of the answer, the labels. docs/prompts.md compares them to bare ones.
INSTRUCTIONS = {
    Task.CLASSIFICATION: "Classify the text. Answer with its label and nothing else.\nLabels: {labels}",
    Task.MULTILABEL: (
        f"Give every label that fits the text, in the order of the list, with '{SEPARATOR}' between them, or "
        f"'{NONE}' where none fits, and nothing else.\nLabels: {{labels}}"
    ),
    Task.SUMMARIZATION: "Summarize the text. Answer with the summary and nothing else.",
    Task.QA: "Answer the question from the passage, in as few words as possible.",
    Task.GENERATION: "",
}
LONG_ROLE = {
    Task.CLASSIFICATION: Role.SOURCE,
    Task.MULTILABEL: Role.SOURCE,
    Task.SUMMARIZATION: Role.SOURCE,
    Task.QA: Role.CONTEXT,
    Task.GENERATION: Role.PROMPT,
}
SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")
LABELS = "labels"
LABEL_LETTERS = 512  # about 128 tokens of English; a longer list would be most of every short row
_PROBE = "Xylophone"  # an answer that no template writes itself

if TYPE_CHECKING:
    from engine.kept import Dataset

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """How the rows of a run become text.

    `template` None: the bare one of the task. `examples`: answered rows that stand before every row.
    `all_turns`: a conversation teaches all turns of the assistant, not only the last.
    """

    task: Task
    template: str | None = None
    labels: tuple[str, ...] = ()
    examples: tuple[Row, ...] = ()
    all_turns: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """The exact text of a row: the model reads `prompt` and learns `completion`, which for a chat model ends
    with the template's own end of turn; `turns` are the parts of the prompt (from, to) that it learns too."""

    prompt: str
    completion: str
    turns: tuple[tuple[int, int], ...] = ()


def default_template(task: Task, instructed: bool = False) -> str:
    """The template of models that follow instructions, or the bare one that the tiny models grew up with."""
    if not instructed:
        return TEMPLATES[task]
    return f"{INSTRUCTIONS[task]}\n\n{TEMPLATES[task]}" if INSTRUCTIONS[task] else "{prompt}"


def template_for(dataset: Dataset, instructed: bool) -> str:
    """The default template for the rows of a dataset: columns under their own names need no other one."""
    template = default_template(dataset.task, instructed)
    row = dataset.rows[0]
    for role in row.inputs:
        if headings.is_headed(row, role):
            template = re.sub(rf"^\w+: \{{{role}\}}", f"{{{role}}}", template, flags=re.MULTILINE)
    return template


def chosen_template(wanted: str | None, dataset: Dataset, model: BaseModel) -> str | None:
    """What a run's spec says: the wanted template or the default for the model; None: the bare one, and for
    conversations, which have turns and no template."""
    if Role.MESSAGES in dataset.roles:
        return None
    found = wanted or template_for(dataset, model.instructed)
    return None if found == TEMPLATES[dataset.task] else found


def check_template(template: str, task: Task) -> None:
    """Raises ConfigError when a placeholder of the task is missing, or one is unknown."""
    needed = PLACEHOLDER.findall(TEMPLATES[task])
    allowed = [*needed, *([LABELS] if task.has_labels else [])]
    found = PLACEHOLDER.findall(template)
    for name in needed:
        if name not in found:
            raise ConfigError(f"The prompt template must contain {{{name}}}. Add it where the text belongs.")
    for name in found:
        if name not in allowed:
            known = " and ".join(f"{{{n}}}" for n in allowed)
            raise ConfigError(f"The prompt template has an unknown placeholder {{{name}}}; known: {known}.")


def lists_labels(form: Form) -> bool:
    """Whether the prompts name the labels: the template asks for them and they are not too long for it."""
    asked = LABELS in PLACEHOLDER.findall(form.template or TEMPLATES[form.task])
    return asked and len(", ".join(form.labels)) <= LABEL_LETTERS


def render(row: Row, form: Form, tokenizer: Any = None) -> Rendered:
    """The prompt and completion of a row; as a chat when the tokenizer has a chat template.

    A row without target (for predict) has an empty completion. Raises DatasetError for a conversation that
    the chat template refuses.
    """
    target = row.targets[0] if row.targets else ""
    if not getattr(tokenizer, "chat_template", None):
        return Rendered(_plain(row, form), " " + target if target else "")
    turns = [*_shown(form), *_messages(row, form)]
    prompt = _chat(turns, row, tokenizer)
    completion = _completion(turns, prompt, target, row, tokenizer) if target else ""
    learned = tuple(_earlier_turns(turns, prompt, row, tokenizer)) if form.all_turns else ()
    return Rendered(prompt, completion, learned)


def end_of_turn(tokenizer: Any) -> str:
    """What the chat template writes after an answer; empty where there is no chat template."""
    if not getattr(tokenizer, "chat_template", None):
        return ""
    asked = Row(1, {Role.PROMPT: "Hello"}, ())
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": _PROBE}]
    return _chat(turns, asked, tokenizer, answer=False).rpartition(_PROBE)[2]


def refused(rows: Iterable[Row], form: Form, tokenizer: Any) -> dict[int, str]:
    """By row number, why the chat template refuses a conversation; other rows are never refused."""
    found = {}
    for row in rows:
        if Role.MESSAGES in row.inputs:
            try:
                render(row, form, tokenizer)
            except DatasetError as error:
                found[row.number] = str(error)
    return found


def shorten(row: Row, form: Form, tokenizer: Any, budget: int) -> str:
    """The prompt of a row in at most `budget` tokens: the long field (source, context, prompt) loses its end,
    of several columns in it the longest; a conversation its oldest turns, and where that is not enough the
    prompt its beginning."""
    if Role.MESSAGES in row.inputs:
        return _recent_turns(row, form, tokenizer, budget)
    role = LONG_ROLE[form.task]
    text = headings.longest(row, role)

    def prompt_of(part: str) -> str:
        return render(headings.with_longest(row, role, part), form, tokenizer).prompt

    keep = budget - count(prompt_of(""), tokenizer)
    while keep > 0:
        prompt = prompt_of(first_tokens(text, tokenizer, keep))
        over = count(prompt, tokenizer) - budget
        if over <= 0:
            return prompt
        keep -= over
    return _last_tokens(prompt_of(""), tokenizer, budget)


def conversation(row: Row) -> list[Message]:
    """The turns of a `messages` row, without the last answer."""
    turns: list[Message] = json.loads(row.inputs[Role.MESSAGES])
    return turns


def several_answers(rows: Iterable[Row]) -> int:
    """How many rows are conversations in which the assistant speaks before the last answer."""
    talks = (conversation(row) for row in rows if Role.MESSAGES in row.inputs)
    return sum(any(turn["role"] == "assistant" for turn in turns) for turns in talks)


def _plain(row: Row, form: Form) -> str:
    """The row's own text after those of the examples, a blank line between them."""
    shown = [f"{_plain_row(example, form)} {example.targets[0]}" for example in form.examples]
    return "\n\n".join((*shown, _plain_row(row, form)))


def _plain_row(row: Row, form: Form) -> str:
    if Role.MESSAGES in row.inputs:
        lines = [f"{SPEAKERS.get(m['role'], m['role'])}: {m['content']}" for m in conversation(row)]
        return "\n".join((*lines, "Assistant:"))
    return _fill(form, row.inputs)


def _fill(form: Form, inputs: Mapping[Role, str]) -> str:
    """One pass, so that braces in the data stay as they are; the completion brings its own space."""
    template = form.template or TEMPLATES[form.task]
    values = {str(role): text for role, text in inputs.items()}
    if form.task.has_labels and form.labels:
        values[LABELS] = (SEPARATOR if form.task is Task.MULTILABEL else ", ").join(form.labels)
        if not lists_labels(form):
            template = _without_labels(template)
    return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), template).rstrip(" ")


def _without_labels(template: str) -> str:
    """Without the lines that hold nothing but the labels and words around them."""
    lines = template.split("\n")
    return "\n".join(line for line in lines if set(PLACEHOLDER.findall(line)) != {LABELS})


def _shown(form: Form) -> list[Message]:
    """The examples as turns; none has a system turn, which belongs to the beginning alone."""
    turns = []
    for example in form.examples:
        turns += [m for m in _messages(example, form) if m["role"] != "system"]
        turns.append({"role": "assistant", "content": example.targets[0]})
    return turns


def _messages(row: Row, form: Form) -> list[Message]:
    """Everything the user gives is in the user's turn: a question never lands in the system role."""
    if Role.MESSAGES in row.inputs:
        return conversation(row)
    bare = form.task is Task.GENERATION and form.template is None
    content = row.inputs[Role.PROMPT] if bare else _fill(form, row.inputs)
    return [{"role": "user", "content": content}]


def _completion(turns: Sequence[Message], prompt: str, target: str, row: Row, tokenizer: Any) -> str:
    """What follows the prompt when the template writes the whole conversation; where it would change the
    answer (some strip its spaces), the answer itself and what the template writes after one."""
    whole = _chat([*turns, {"role": "assistant", "content": target}], row, tokenizer, answer=False)
    rest = whole.removeprefix(prompt)
    kept = rest.startswith(target) or rest.lstrip().startswith(target)
    if kept and whole.startswith(prompt):
        return rest
    return target + end_of_turn(tokenizer)


def _earlier_turns(
    turns: Sequence[Message], prompt: str, row: Row, tokenizer: Any
) -> Iterable[tuple[int, int]]:
    """Where in the prompt the assistant's earlier turns stand, each with its end of turn."""
    end, start = end_of_turn(tokenizer), 0
    for turn in turns:
        said = turn["content"].strip()
        place = prompt.find(said, start)
        if place < 0 or not said:
            continue  # a template that leaves old turns out teaches nothing of them
        stop = place + len(said)
        if turn["role"] == "assistant":
            yield place, stop + len(end) if prompt.startswith(end, stop) else stop
        start = stop


def _chat(messages: Sequence[Message], row: Row, tokenizer: Any, answer: bool = True) -> str:
    """The template's text, thinking switched off; `answer`: the assistant is to speak next."""
    from jinja2.exceptions import TemplateError

    reason = ""
    for turns in (list(messages), _without_system(messages)):
        try:
            text: str = tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=answer, enable_thinking=False
            )
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


def _recent_turns(row: Row, form: Form, tokenizer: Any, budget: int) -> str:
    turns, form = conversation(row), replace(form, all_turns=False)
    while True:
        oldest = next((i for i, m in enumerate(turns[:-1]) if m["role"] != "system"), None)
        prompt = render(_with(row, Role.MESSAGES, json.dumps(turns)), form, tokenizer).prompt
        if oldest is None or count(prompt, tokenizer) <= budget:
            return _last_tokens(prompt, tokenizer, budget)
        answered = next((i for i, (m, n) in enumerate(pairwise(turns)) if _is_pair(m, n)), None)
        if answered == oldest and oldest + 2 < len(turns):
            turns.pop(oldest)  # question and answer go together: templates want them in turn
        turns.pop(oldest)


def _is_pair(question: Message, answer: Message) -> bool:
    return question["role"] == "user" and answer["role"] == "assistant"


def _with(row: Row, role: Role, text: str) -> Row:
    return replace(row, inputs={**row.inputs, role: text})


def count(text: str, tokenizer: Any) -> int:
    """Tokens of a prompt, special ones of the tokenizer included; a chat template writes them itself."""
    return len(prompt_ids(text, tokenizer))


def prompt_ids(text: str, tokenizer: Any) -> list[int]:
    """The tokens of a prompt; an end mark that the tokenizer adds would end the text before its answer."""
    bare: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if getattr(tokenizer, "chat_template", None):
        return bare
    ids: list[int] = tokenizer(text, add_special_tokens=True, verbose=False)["input_ids"]
    added = len(ids) - len(bare)
    ends = bool(added) and ids[added:] != bare and ids[-1] == tokenizer.eos_token_id
    return ids[:-1] if ends else ids


def first_tokens(text: str, tokenizer: Any, keep: int) -> str:
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


def _tokens(text: str, tokenizer: Any) -> tuple[list[int], list[tuple[int, int]] | None]:
    fast = getattr(tokenizer, "is_fast", False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast, verbose=False)
    return encoded["input_ids"], encoded["offset_mapping"] if fast else None


def _last_tokens(text: str, tokenizer: Any, keep: int) -> str:
    """The end of the text in at most `keep` tokens, special tokens of the tokenizer included."""
    ids, offsets = _tokens(text, tokenizer)
    keep -= count("", tokenizer)
    if len(ids) <= keep:
        return text
    start = len(ids) - max(keep, 0)
    tail: str = text[offsets[start][0] :] if offsets and keep > 0 else tokenizer.decode(ids[start:])
    return tail
