"""What a run reads and learns in tokens: chat templates as models know them, and nothing cut in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine import prompts
from engine.encode import Encoder, encoder
from engine.errors import DatasetError
from engine.prompts import Form
from engine.records import Role, Row, Task
from tests.chat import TEMPLATES, chat_tokenizer, eos_adding_tokenizer, prefix_space_tokenizer
from tests.engine.test_prompts import CHAT, LABELLED, tokenizer

TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "More?"},
]


def talk(turns: list[dict[str, str]], answer: str = "No.") -> Row:
    return Row(1, {Role.MESSAGES: json.dumps(turns)}, (answer,))


def reading(task: Task, reader: Any, max_length: int, answers: tuple[str, ...], **form: Any) -> Encoder:
    rows = [Row(n, {}, (answer,)) for n, answer in enumerate(answers)]
    return encoder(Form(task, **form), reader, rows, max_length)


def count(text: str, reader: Any) -> int:
    return len(reader(text)["input_ids"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_prompt_and_completion_are_what_the_chat_template_makes_of_the_whole_conversation(name: str) -> None:
    reader = chat_tokenizer(name)
    text = encoder(Form(Task.GENERATION), reader, [talk(TURNS)])

    found = text.encode(talk(TURNS))

    whole = [*TURNS, {"role": "assistant", "content": "No."}]
    rendered = reader.apply_chat_template(whole, tokenize=False)
    assert reader.decode(found.prompt + found.completion) == rendered
    assert found.prompt + found.completion == reader(rendered, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_answer_ends_with_the_templates_own_end_of_turn_or_the_tokenizers(name: str) -> None:
    reader = chat_tokenizer(name)
    mark = {"llama-3": "<|eot|>", "mistral": "<|end|>", "gemma": "<|eot|>"}.get(name, "<|im_end|>")

    text = encoder(Form(Task.GENERATION), reader, [talk(TURNS)])

    assert set(text.ends) == {reader.convert_tokens_to_ids(mark), reader.eos_token_id}
    assert reader.convert_tokens_to_ids(mark) in text.encode(talk(TURNS)).completion
    assert text.decode(text.encode(talk(TURNS)).completion) == "No."


def test_a_thinking_model_is_asked_with_its_thoughts_closed() -> None:
    prompt = prompts.render(talk(TURNS), Form(Task.GENERATION), chat_tokenizer("qwen")).prompt

    assert prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_a_template_that_strips_spaces_does_not_strip_an_indented_answer() -> None:
    row = talk(TURNS, "    return 1\n")

    assert prompts.render(row, Form(Task.GENERATION), chat_tokenizer("llama-3")).completion == (
        "    return 1\n<|eot|>"
    )


def test_a_tokenizer_that_adds_its_end_mark_does_not_end_the_prompt() -> None:
    reader = eos_adding_tokenizer()
    text = encoder(Form(Task.CLASSIFICATION, labels=("positive",)), reader, [LABELLED])

    found = text.encode(LABELLED)

    assert reader.eos_token_id not in found.prompt and found.prompt[0] == reader.bos_token_id
    assert found.prompt == text.encode_prompt(LABELLED)
    assert found.completion.count(reader.eos_token_id) == 1 and found.completion[-1] == reader.eos_token_id


def test_the_first_word_of_an_answer_has_the_tokens_that_it_has_in_the_text() -> None:
    reader = prefix_space_tokenizer()
    text = encoder(Form(Task.CLASSIFICATION, labels=("positive",)), reader, [LABELLED])

    found = text.encode(LABELLED)

    whole = reader("Text: Great food\nLabel: positive", add_special_tokens=False)["input_ids"]
    assert found.prompt + found.completion == [*whole, reader.eos_token_id]
    assert text.encode_answer("positive", LABELLED) == found.completion


def test_the_end_of_a_label_counts() -> None:
    chat, plain = chat_tokenizer("llama-3"), tokenizer()

    for reader in (chat, plain):
        text = encoder(Form(Task.CLASSIFICATION, labels=("1", "10")), reader, [LABELLED])
        one, ten = (text.encode_answer(label, LABELLED) for label in ("1", "10"))
        assert one[-1] == ten[-1] and one[-1] in text.ends
        assert one != ten[: len(one)]


def test_examples_are_turns_of_a_chat_and_blocks_of_a_plain_prompt() -> None:
    shown = Row(2, {Role.SOURCE: "Bad food"}, ("negative",))
    form = Form(Task.CLASSIFICATION, examples=(shown,))

    chat = prompts.render(LABELLED, form, tokenizer(CHAT)).prompt
    plain = prompts.render(LABELLED, form).prompt

    assert chat == (
        "<|user|>Text: Bad food\nLabel:<|end|><|assistant|>negative<|end|>"
        "<|user|>Text: Great food\nLabel:<|end|><|assistant|>"
    )
    assert plain == "Text: Bad food\nLabel: negative\n\nText: Great food\nLabel:"


def test_every_answer_of_a_conversation_is_learned_when_asked_for() -> None:
    turns = [{"role": "system", "content": "Be brief."}, *TURNS]
    for name in ("llama-3", "smollm2", "gemma"):
        reader = chat_tokenizer(name)
        last = encoder(Form(Task.GENERATION), reader, [talk(turns)]).encode(talk(turns))
        every = encoder(Form(Task.GENERATION, all_turns=True), reader, [talk(turns)]).encode(talk(turns))

        learned = [token for token, label in zip(every.prompt, every.labels, strict=False) if label != -100]
        assert "Hello" not in reader.decode([token for token in last.labels if token != -100])
        assert reader.decode(learned).startswith("Hello<|")
        assert reader.decode(learned).rstrip() == f"Hello{prompts.end_of_turn(reader).rstrip()}"
        assert every.labels[len(every.prompt) :] == every.completion == last.completion


def test_a_conversation_that_the_template_refuses_is_named_with_the_reason() -> None:
    odd = Row(31, {Role.MESSAGES: json.dumps(TURNS[1:])}, ("No.",))

    assert prompts.refused([talk(TURNS), odd], Form(Task.GENERATION), chat_tokenizer("mistral")) == {
        31: "The model's chat template refuses row 31: roles must alternate. Correct its turns."
    }
    assert prompts.refused([talk(TURNS), odd], Form(Task.GENERATION), chat_tokenizer("qwen")) == {}
    with pytest.raises(DatasetError, match="row 31: roles must alternate"):
        prompts.render(odd, Form(Task.GENERATION), chat_tokenizer("mistral"))


def test_labels_are_named_in_the_prompt_unless_their_list_is_too_long() -> None:
    template = prompts.default_template(Task.CLASSIFICATION, instructed=True)
    few = Form(Task.CLASSIFICATION, template, ("negative", "positive"))
    many = Form(Task.CLASSIFICATION, template, tuple(f"label number {n}" for n in range(77)))

    assert prompts.render(LABELLED, few).prompt == (
        "Classify the text. Answer with its label and nothing else.\nLabels: negative, positive\n\n"
        "Text: Great food\nLabel:"
    )
    assert prompts.render(LABELLED, many).prompt == (
        "Classify the text. Answer with its label and nothing else.\n\nText: Great food\nLabel:"
    )
    assert prompts.lists_labels(few) and not prompts.lists_labels(many)


def test_what_fits_is_left_unchanged() -> None:
    found = reading(Task.CLASSIFICATION, tokenizer(), 64, (), labels=("positive",)).write(LABELLED)

    assert (found.prompt, found.completion) == ("Text: Great food\nLabel:", " positive")
    assert found.ends and not found.truncated


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("max_length", [40, 52, 64])
def test_a_long_text_loses_its_end_at_a_word_and_never_the_answer(max_length: int, bos: bool) -> None:
    row = Row(1, {Role.SOURCE: "first " + "word " * 300 + "last"}, ("positive",))
    reader = tokenizer(bos=bos)

    text = reading(Task.CLASSIFICATION, reader, max_length, (), labels=("positive",))
    found = text.encode(row)

    assert found.truncated and text.cuts_prompt(row) and not text.cuts_answer(row)
    prompt = text.write(row).prompt
    assert prompt.startswith("Text: first word") and prompt.endswith("word\nLabel:")
    assert max_length - 8 < len(found.prompt) + len(found.completion) <= max_length


def test_a_long_passage_is_shortened_and_the_question_stays_whole() -> None:
    row = Row(1, {Role.CONTEXT: "word " * 500, Role.QUESTION: "What is it, and where?"}, ("the ink",))

    found = reading(Task.QA, tokenizer(), 90, ("the ink",)).write(row)

    assert "Question: What is it, and where?\nAnswer:" in found.prompt
    assert count(found.prompt + found.completion, tokenizer()) <= 90


def test_a_question_longer_than_the_model_reads_keeps_its_end() -> None:
    row = Row(1, {Role.CONTEXT: "ink", Role.QUESTION: "why " * 300 + "now?"}, ("a",))

    found = reading(Task.QA, tokenizer(), 64, ("a",)).write(row)

    assert found.prompt.endswith("why now?\nAnswer:")
    assert count(found.prompt, tokenizer()) <= 62


def test_the_length_is_the_models_own_and_whole_answers_are_learned_and_generated() -> None:
    reader = chat_tokenizer("smollm2")
    row = Row(1, {Role.PROMPT: "Ask " * 200}, ("word " * 300 + "done",))
    text = encoder(Form(Task.GENERATION, "{prompt}"), reader, [row])

    found = text.encode(row)

    assert text.max_length == 4096 and not found.truncated
    assert text.decode(found.completion) == row.targets[0]
    assert text.answer_tokens > count(row.targets[0], reader)


def test_the_answer_comes_before_the_prompt_where_both_do_not_fit() -> None:
    row = Row(1, {Role.SOURCE: "ink " * 60}, ("word " * 20,))
    text = reading(Task.SUMMARIZATION, tokenizer(), 64, ("word " * 20,))

    found = text.write(row)

    assert found.completion.split() == ["word"] * 20 and found.ends and not text.cuts_answer(row)
    assert count(found.prompt + found.completion, tokenizer()) < 64


def test_an_answer_longer_than_the_model_is_cut_and_not_taught_to_end() -> None:
    row = Row(1, {Role.SOURCE: "s"}, ("word " * 100,))
    text = reading(Task.SUMMARIZATION, tokenizer(), 64, ("word " * 100,))

    found = text.write(row)

    assert found.truncated and not found.ends and text.cuts_answer(row)
    assert found.prompt == "Text: s\nSummary:" and found.completion.startswith(" word word")
    assert count(found.prompt + found.completion, tokenizer()) <= 64


def test_one_answer_far_longer_than_the_others_does_not_set_the_room_for_all() -> None:
    usual = ("word " * 10,) * 40

    text = reading(Task.SUMMARIZATION, chat_tokenizer("qwen"), 4096, (*usual, "word " * 1000))

    assert text.answer_tokens < 10 * count("word ", chat_tokenizer("qwen")) * 3


def test_text_without_spaces_is_cut_too() -> None:
    row = Row(1, {Role.SOURCE: "長い文章" * 100}, ("a",))

    found = reading(Task.CLASSIFICATION, tokenizer(), 64, (), labels=("a",)).write(row)

    assert found.prompt.startswith("Text: 長い")
    assert count(found.prompt, tokenizer()) <= 62
    assert "\ufffd" not in found.prompt


@pytest.mark.parametrize("template", [None, CHAT])
def test_a_long_conversation_loses_its_oldest_turns(template: str | None) -> None:
    turns = [{"role": "system", "content": "Be brief."}]
    for i in range(20):
        turns += [{"role": "user", "content": f"Ask {i}"}, {"role": "assistant", "content": f"Say {i}"}]
    row = talk([*turns, {"role": "user", "content": "Last?"}], "Yes")
    reader = tokenizer(template)
    reader.model_max_length = 100

    found = reading(Task.GENERATION, reader, 100, ("Yes",)).write(row)

    assert found.truncated
    assert "Be brief." in found.prompt and "Last?" in found.prompt
    assert "Ask 0" not in found.prompt and "Say 0" not in found.prompt
    assert count(found.prompt, reader) <= 98


def test_a_chat_template_survives_shortening() -> None:
    row = Row(1, {Role.SOURCE: "word " * 300}, ("positive",))

    found = reading(Task.CLASSIFICATION, tokenizer(CHAT), 60, (), labels=("positive",)).write(row)

    assert found.prompt.startswith("<|user|>Text: word")
    assert found.prompt.endswith("word\nLabel:<|end|><|assistant|>")
