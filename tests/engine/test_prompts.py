"""What the model reads and what it learns to write, and that neither the question nor the answer is cut."""

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from engine import prompts
from engine.errors import ConfigError, DatasetError
from engine.prompts import Form
from engine.records import Role, Row, Task

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT
STRICT = "{{ raise_exception('never') }}"

LABELLED = Row(1, {Role.SOURCE: "Great food"}, ("positive",))
ASKED = Row(2, {Role.CONTEXT: "The ink is blue.", Role.QUESTION: "What is blue?"}, ("the ink", "ink"))
TALK = Row(
    3,
    {
        Role.MESSAGES: json.dumps(
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": "More?"},
            ]
        )
    },
    ("No.",),
)


def tokenizer(chat_template: str | None = None, bos: bool = False) -> Any:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(["Passage: the word Question: Answer: Text: Label: "] * 3, trainer)
    if bos:
        bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|end|>", model_max_length=128)
    fast.chat_template = chat_template
    return fast


def count(text: str, reader: Any) -> int:
    return len(reader(text)["input_ids"])


@pytest.mark.parametrize(
    ("row", "task", "prompt", "completion"),
    [
        (LABELLED, Task.CLASSIFICATION, "Text: Great food\nLabel:", " positive"),
        (LABELLED, Task.SUMMARIZATION, "Text: Great food\nSummary:", " positive"),
        (ASKED, Task.QA, "Passage: The ink is blue.\nQuestion: What is blue?\nAnswer:", " the ink"),
        (Row(1, {Role.PROMPT: "Say hi"}, ("Hi",)), Task.GENERATION, "Instruction: Say hi\nResponse:", " Hi"),
        (
            TALK,
            Task.GENERATION,
            "System: Be brief.\nUser: Hi\nAssistant: Hello\nUser: More?\nAssistant:",
            " No.",
        ),
    ],
)
def test_each_task_has_its_text(row: Row, task: Task, prompt: str, completion: str) -> None:
    assert prompts.render(row, Form(task)) == prompts.Rendered(prompt, completion)


def test_the_completion_is_the_label_and_never_the_text() -> None:
    rendered = prompts.render(LABELLED, Form(Task.CLASSIFICATION))

    assert "Great food" in rendered.prompt
    assert "Great food" not in rendered.completion
    assert "positive" not in rendered.prompt


def test_a_row_without_target_has_no_completion() -> None:
    assert prompts.render(Row(1, LABELLED.inputs, ()), Form(Task.CLASSIFICATION)).completion == ""


def test_templates_are_editable() -> None:
    template = 'Review:\n{source}\nIs {"it"} good? '

    prompts.check_template(template, Task.CLASSIFICATION)

    assert prompts.render(LABELLED, Form(Task.CLASSIFICATION, template)).prompt == (
        'Review:\nGreat food\nIs {"it"} good?'
    )


def test_braces_in_the_data_are_left_alone() -> None:
    row = Row(1, {Role.CONTEXT: "{question} {0} {x.__class__}", Role.QUESTION: "{context}?"}, ("a",))

    assert prompts.render(row, Form(Task.QA)).prompt == (
        "Passage: {question} {0} {x.__class__}\nQuestion: {context}?\nAnswer:"
    )


@pytest.mark.parametrize(
    ("template", "task", "message"),
    [
        ("Text:\nLabel:", Task.CLASSIFICATION, r"must contain \{source\}"),
        ("{context}\nAnswer:", Task.QA, r"must contain \{question\}"),
        (
            "{source} {label}",
            Task.CLASSIFICATION,
            r"unknown placeholder \{label\}; known: \{source\} and \{labels\}",
        ),
        ("", Task.GENERATION, r"must contain \{prompt\}"),
    ],
)
def test_templates_name_what_is_missing(template: str, task: Task, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prompts.check_template(template, task)


@pytest.mark.parametrize("task", list(Task))
def test_default_templates_are_valid(task: Task) -> None:
    prompts.check_template(prompts.default_template(task), task)


def test_a_chat_model_gets_passage_and_question_in_the_turn_of_the_user() -> None:
    rendered = prompts.render(ASKED, Form(Task.QA), tokenizer(CHAT))

    assert rendered.prompt == (
        "<|user|>Passage: The ink is blue.\nQuestion: What is blue?\nAnswer:<|end|><|assistant|>"
    )
    assert rendered.completion == "the ink<|end|>"


def test_a_chat_model_gets_a_bare_prompt_and_whole_conversations() -> None:
    chat = tokenizer(CHAT)

    prompt = prompts.render(Row(1, {Role.PROMPT: "Say hi"}, ("Hi",)), Form(Task.GENERATION), chat).prompt
    talk = prompts.render(TALK, Form(Task.GENERATION), chat)

    assert prompt == "<|user|>Say hi<|end|><|assistant|>"
    assert talk.prompt == (
        "<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello<|end|>"
        "<|user|>More?<|end|><|assistant|>"
    )
    assert talk.completion == "No.<|end|>"


def test_a_chat_template_without_system_role_gets_its_text_in_the_first_turn() -> None:
    rendered = prompts.render(TALK, Form(Task.GENERATION), tokenizer(NO_SYSTEM))

    assert rendered.prompt.startswith("<|user|>Be brief.\n\nHi<|end|>")


def test_a_chat_template_that_refuses_a_row_names_it() -> None:
    with pytest.raises(DatasetError, match="refuses row 3: never"):
        prompts.render(TALK, Form(Task.GENERATION), tokenizer(STRICT))


def test_conversations_with_several_answers_are_counted() -> None:
    once = Row(4, {Role.MESSAGES: json.dumps([{"role": "user", "content": "Hi"}])}, ("Hello",))

    assert prompts.several_answers([TALK, once, LABELLED]) == 1
