"""The task and the columns are guessed with a reason; ids and dates are never taken for text or labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine import headings, roles
from engine.errors import DatasetError
from engine.records import Role, Task
from engine.sheets import Table

SENTENCES = [
    f"{who} {what} the {thing} {where} yesterday"
    for who in ("Anna", "The driver", "My neighbour")
    for what in ("lost", "repaired", "painted")
    for thing in ("old bicycle", "kitchen door")
    for where in ("at the station", "in the garden")
]
LONG = [" ".join([sentence] * 6) for sentence in SENTENCES]
LABELS = ["good", "bad", "neutral"] * 12
IDS = [f"{n:05d}" for n in range(1000, 1036)]
DATES = [f"2024-03-{day:02d}" for day in range(1, 29)] + [f"2024-04-{day:02d}" for day in range(1, 9)]


def table(**columns: Sequence[Any]) -> Table:
    count = min(len(values) for values in columns.values())
    records = tuple({name: values[i] for name, values in columns.items()} for i in range(count))
    return Table("jsonl", "utf-8", tuple(columns), tuple(range(1, count + 1)), records, count)


def guessed(**columns: Sequence[Any]) -> tuple[Task | None, Mapping[Role, str]]:
    guess = roles.guess(table(**columns))
    assert guess.task_reason
    assert set(guess.role_reasons) == set(guess.roles)
    return guess.task, guess.roles


@pytest.mark.parametrize("text", ["text", "sentence", "review", "message", "question", "Review", "tweet"])
@pytest.mark.parametrize("label", ["label", "category", "class", "sentiment", "Label"])
def test_texts_with_labels_are_classification(text: str, label: str) -> None:
    assert guessed(**{text: SENTENCES, label: LABELS}) == (
        Task.CLASSIFICATION,
        {Role.SOURCE: text, Role.TARGET: label},
    )


@pytest.mark.parametrize("source", ["document", "article", "dialogue", "source"])
@pytest.mark.parametrize("target", ["summary", "highlights", "target"])
def test_documents_with_summaries_are_summarization(source: str, target: str) -> None:
    assert guessed(**{source: LONG, target: SENTENCES}) == (
        Task.SUMMARIZATION,
        {Role.SOURCE: source, Role.TARGET: target},
    )


@pytest.mark.parametrize("context", ["context", "passage", "document"])
@pytest.mark.parametrize("answer", ["answer", "answers"])
def test_passages_with_questions_are_qa(context: str, answer: str) -> None:
    questions = [f"Where was it, {sentence}?" for sentence in SENTENCES]

    assert guessed(**{context: LONG, "question": questions, answer: LABELS}) == (
        Task.QA,
        {Role.CONTEXT: context, Role.QUESTION: "question", Role.TARGET: answer},
    )


def test_yes_no_maybe_answers_about_passages_stay_qa() -> None:
    task, found = guessed(context=LONG, question=SENTENCES, answers=[["yes"], ["no"], ["maybe"]] * 12)

    assert task is Task.QA
    assert found[Role.TARGET] == "answers"


@pytest.mark.parametrize("prompt", ["prompt", "instruction"])
@pytest.mark.parametrize("answer", ["completion", "response", "output"])
def test_prompts_with_responses_are_generation(prompt: str, answer: str) -> None:
    assert guessed(**{prompt: SENTENCES, answer: LONG}) == (
        Task.GENERATION,
        {Role.PROMPT: prompt, Role.TARGET: answer},
    )


def test_an_instruction_is_joined_with_its_input() -> None:
    task, found = guessed(instruction=["Shorten this"] * 36, input=LONG, output=SENTENCES)

    assert task is Task.GENERATION
    assert found == {Role.PROMPT: "instruction+input", Role.TARGET: "output"}


@pytest.mark.parametrize("name", ["messages", "conversations", "chat"])
def test_conversations_are_generation(name: str) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    assert guessed(**{name: [turns] * 5, "id": IDS[:5]}) == (Task.GENERATION, {Role.MESSAGES: name})


def test_sharegpt_turns_and_conversations_written_as_json_text_count() -> None:
    turns = '[{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]'

    assert guessed(conversations=[turns] * 5)[0] is Task.GENERATION


def test_questions_without_a_passage_are_generation() -> None:
    assert guessed(question=SENTENCES, answer=LONG)[0] is Task.GENERATION


def test_a_label_column_of_long_unique_texts_means_summarization() -> None:
    assert guessed(text=LONG, label=SENTENCES) == (
        Task.SUMMARIZATION,
        {Role.SOURCE: "text", Role.TARGET: "label"},
    )


def test_a_target_that_repeats_short_values_means_classification() -> None:
    assert guessed(source=LONG, target=LABELS)[0] is Task.CLASSIFICATION


def test_integer_labels_are_labels_and_said() -> None:
    found = table(text=SENTENCES, label=[0, 1, 2] * 12)
    guess = roles.guess(found)

    assert (guess.task, guess.roles[Role.TARGET]) == (Task.CLASSIFICATION, "label")
    assert [issue.code for issue in roles.type_issues(guess, found)] == ["integer_labels"]


def test_the_label_in_words_is_preferred_to_its_number() -> None:
    assert guessed(text=SENTENCES, label=[0, 1, 2] * 12, label_text=LABELS)[1][Role.TARGET] == "label_text"


def test_columns_of_mixed_types_are_said() -> None:
    found = table(text=SENTENCES, label=["a", 1, "b"] * 12)

    gaps = table(text=SENTENCES, label=["a", float("nan"), "b"] * 12)

    assert [i.code for i in roles.type_issues(roles.guess(found), found)] == ["mixed_types"]
    assert roles.type_issues(roles.guess(gaps), gaps) == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id", IDS),
        ("index", list(range(36))),
        ("unnamed_1", list(range(36))),
        ("uuid", [f"3f2504e0-4f89-11d3-9a0c-0305e82c33{n:02x}" for n in range(36)]),
        ("text_id", [f"T-{n}" for n in range(36)]),
        ("url", [f"https://example.org/{n}" for n in range(36)]),
        ("date", DATES),
        ("created_at", [f"{date}T10:00:00" for date in DATES]),
        ("when", DATES),
        ("timestamp", [1_700_000_000 + n for n in range(36)]),
        ("year", [2020, 2021, 2022] * 12),
    ],
)
def test_ids_and_dates_are_neither_text_nor_label(name: str, values: Sequence[object]) -> None:
    named = guessed(**{name: values, "text": SENTENCES, "label": LABELS})
    unnamed = guessed(**{name: values, "alpha": SENTENCES, "beta": LABELS})

    assert named == (Task.CLASSIFICATION, {Role.SOURCE: "text", Role.TARGET: "label"})
    assert unnamed == (Task.CLASSIFICATION, {Role.SOURCE: "alpha", Role.TARGET: "beta"})


def test_an_id_under_the_name_of_a_text_is_not_taken() -> None:
    assert guessed(text=IDS, body=SENTENCES, label=LABELS)[1][Role.SOURCE] == "body"


def test_columns_without_known_names_are_judged_by_content() -> None:
    assert guessed(alpha=LABELS, beta=SENTENCES)[1] == {Role.SOURCE: "beta", Role.TARGET: "alpha"}


def test_a_single_column_of_few_numbers_can_be_the_labels() -> None:
    assert guessed(alpha=SENTENCES, polarity=[0, 4] * 18)[1][Role.TARGET] == "polarity"
    assert guessed(alpha=SENTENCES, beta=LABELS, likes=[0, 1] * 18)[1][Role.TARGET] == "beta"
    assert guessed(alpha=SENTENCES, likes=list(range(0, 72, 2)))[0] is None


def test_two_texts_judged_together_are_joined() -> None:
    task, found = guessed(premise=LONG, hypothesis=SENTENCES, label=LABELS)

    assert (task, found[Role.SOURCE]) == (Task.CLASSIFICATION, "premise+hypothesis")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": LONG, "summary": SENTENCES, "label": LABELS}, "choose the task"),
        (
            {"alpha": SENTENCES, "beta": LABELS, "gamma": LABELS},
            "'beta' and 'gamma' could each be the labels",
        ),
        ({"alpha": LONG, "beta": SENTENCES}, "are texts: choose the task"),
        ({"text": SENTENCES, "label": [n * 1.37 for n in range(36)]}, "36 different numbers"),
        ({"text": LONG, "keywords": [f"key {n}" for n in range(36)]}, "choose"),
        ({"text": SENTENCES}, "no column can be learned"),
        ({"id": IDS, "date": DATES}, "No column holds texts"),
        ({"text": LONG, "label": [f"code {n}" for n in range(36)]}, "neither like labels"),
    ],
)
def test_what_is_ambiguous_is_left_to_the_person(columns: dict[str, list[Any]], reason: str) -> None:
    guess = roles.guess(table(**columns))

    assert guess.task is None
    assert reason in guess.task_reason


def test_few_rows_are_enough_for_columns_with_known_names() -> None:
    assert guessed(
        text=["I like it", "I do not", "So nice", "Oh no"], label=["pos", "neg", "pos", "neg"]
    ) == (
        Task.CLASSIFICATION,
        {Role.SOURCE: "text", Role.TARGET: "label"},
    )
    assert guessed(text=["I like it", "I do not"], label=["pos", "neg"])[0] is Task.CLASSIFICATION


def test_the_person_decides_on_task_and_columns() -> None:
    columns = table(alpha=LONG, beta=SENTENCES, gamma=LABELS)

    by_task = roles.guess(columns, task=Task.SUMMARIZATION, roles={Role.TARGET: "beta"})
    by_roles = roles.guess(columns, roles={Role.SOURCE: "beta", Role.TARGET: "gamma"})
    by_prompt = roles.guess(columns, roles={Role.PROMPT: "beta", Role.TARGET: "alpha"})

    assert (by_task.task, by_task.roles) == (
        Task.SUMMARIZATION,
        {Role.SOURCE: "alpha", Role.TARGET: "beta"},
    )
    assert by_roles.task is Task.CLASSIFICATION
    assert by_roles.role_reasons[Role.SOURCE] == "You chose it."
    assert by_prompt.task is Task.GENERATION


def test_a_column_the_person_took_is_not_used_twice() -> None:
    guess = roles.guess(table(text=SENTENCES, body=LONG, label=LABELS), roles={Role.TARGET: "text"})

    assert guess.roles.get(Role.SOURCE) != "text"


def test_columns_may_be_joined_by_hand() -> None:
    guess = roles.guess(table(title=SENTENCES, body=LONG, label=LABELS), roles={Role.SOURCE: "title + body"})

    assert headings.columns_of(guess.roles[Role.SOURCE], ("title", "body", "label")) == ("title", "body")


def test_a_role_without_a_column_is_named() -> None:
    guess = roles.guess(table(context=LONG, question=SENTENCES), task=Task.QA)

    assert roles.missing_roles(guess) == (Role.TARGET,)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"source": "body"}, "There is no column 'body' for the role source; the file has text and label."),
        ({"txt": "text"}, "There is no role 'txt'; roles are source"),
        ({"source": "text", "target": "text"}, "cannot be both source and target"),
        ({"question": "text", "source": "label"}, "no role source"),
        ({"target": "text+label"}, "takes one column, not text and label"),
    ],
)
def test_an_impossible_choice_is_refused_in_one_sentence(chosen: dict[Any, str], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        roles.guess(table(text=SENTENCES, label=LABELS), roles=chosen)

    assert message in str(caught.value)


def test_pairs_of_role_and_column_are_parsed() -> None:
    assert roles.parse(["source=title=x", "Target=label"]) == {Role.SOURCE: "title=x", Role.TARGET: "label"}
    with pytest.raises(DatasetError, match="role=column"):
        roles.parse(["source"])


def test_labels_are_counted_in_all_rows_of_a_large_file() -> None:
    labels = [("x", "a", "y", "b")[i % 4] for i in range(8_000)]

    guess = roles.guess(table(text=[f"{SENTENCES[i % 36]} {i}" for i in range(8_000)], label=labels))

    assert guess.task_reason == "'label' has 4 different short values: labels for 'text'."
