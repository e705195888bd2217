"""Each finding about a dataset has its code, its rows and one sentence that never repeats private data."""

import time
from pathlib import Path

import pytest

from engine import checks, dataset, encode
from engine.dataset import Dataset
from engine.duplicates import clusters
from engine.encode import Encoder, encoder
from engine.findings import Code, by_row, listed
from engine.prompts import Form
from engine.records import Issue, Role, Row, Severity
from tests.chat import chat_tokenizer
from tests.engine.test_dataset import jsonl, labelled, sentence
from tests.engine.test_prompts import tokenizer
from tests.shared import shared


def rows(*labels: str) -> list[Row]:
    return [Row(n, {Role.SOURCE: f"text {n}"}, (label,)) for n, label in enumerate(labels, 1)]


def reading(data: Dataset, max_length: int) -> Encoder:
    reader = tokenizer()
    reader.model_max_length = max_length
    return encoder(Form(data.task, labels=data.labels), reader, data.split("train"))


def codes(issues: list[Issue]) -> list[str]:
    return [issue.code for issue in issues]


def test_many_rows_are_named_one_by_one_then_summed_up() -> None:
    issues = by_row(Severity.WARNING, Code.BAD_LINE, list(range(1, 41)), lambda n: f"Row {n}.")

    assert [i.row for i in issues] == [*range(1, 21), None]
    assert issues[-1].message == (
        "40 rows in all; beside those named: 21, 22, 23, 24, 25, 26, 27, 28, 29, 30 and 10 more."
    )


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_read_like_prose(items: list[str], text: str) -> None:
    assert listed(items) == text


@pytest.mark.parametrize(("usable", "code"), [(3, "too_few_rows"), (4, "few_rows"), (199, "few_rows")])
def test_too_few_rows_are_said(usable: int, code: str) -> None:
    assert codes(checks.size(usable)) == [code]
    assert checks.size(200) == []


def test_rare_labels_are_named() -> None:
    issues = checks.labels(rows(*["a"] * 20, *["b"] * 20, *["c"] * 7))

    assert [(i.code, i.message) for i in issues] == [
        ("rare_label", "Label 'c' has 7 rows: too few to learn it or to score it.")
    ]


def test_many_rare_labels_are_summed_up() -> None:
    issues = checks.labels(rows(*[f"label {n // 2}" for n in range(60)]))

    assert codes(issues) == ["rare_label"] * 21
    assert issues[-1].message.startswith("30 labels have fewer than 8 rows; beside those named: 'label ")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["a"] * 90 + ["b"] * 10,
            "Label 'a' has 90 of 100 rows (90%), 'b' only 10: a constant answer already scores that share. "
            "Let macro F1 select rather than accuracy.",
        ),
        (
            [c for c in "abcdefg" for _ in range(100)] + ["z"] * 10,
            "Label 'a' has 100 of 710 rows (14%), 'z' only 10. Let macro F1 select rather than accuracy.",
        ),
    ],
)
def test_unbalanced_labels_are_said(labels: list[str], message: str) -> None:
    assert [i.message for i in checks.labels(rows(*labels)) if i.code == "unbalanced_labels"] == [message]


def test_balanced_labels_raise_nothing() -> None:
    assert checks.labels(rows(*["a"] * 30, *["b"] * 20)) == []


def test_one_class_is_an_error() -> None:
    (issue,) = checks.labels(rows("a", "a", "a"))

    assert (issue.severity, issue.code) == (Severity.ERROR, "one_class")


def test_labels_that_differ_in_spelling_only_are_said() -> None:
    issues = checks.labels(
        rows(*["Card lost"] * 10, *["card_lost"] * 10, *["other"] * 10, *["+"] * 9, *["-"] * 9)
    )

    assert codes(issues) == ["label_variants"]
    assert "'Card lost' and 'card_lost'" in issues[0].message


def test_conflicting_labels_name_all_their_rows() -> None:
    (issue,) = checks.conflicts(rows("a", "b", "a", "a"), ["x", "x", "y", "x"])

    assert issue.row == 1
    assert issue.message == (
        "Rows 1, 2 and 4 have the same text but the labels 'a' and 'b'. Correct them, or delete all but one."
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to jane.doe+news@mail.example.org please", "an e-mail address"),
        ("pay with 4111 1111 1111 1111 now", "a card number"),
        ("pay with 5500-0000-0000-0004", "a card number"),
        ("card 378282246310005", "a card number"),
        ("call +49 170 1234567 today", "a phone number"),
        ("call +1 (555) 123-4567", "a phone number"),
        ("ring 555-123-4567 or so", "a phone number"),
        ("ring (030) 555-1234", "a phone number"),
    ],
)
def test_possible_personal_data_is_found_and_not_repeated(text: str, kind: str) -> None:
    (issue,) = checks.personal_data([Row(7, {Role.SOURCE: text}, ("a",))])

    assert (issue.code, issue.row, issue.severity) == ("personal_data", 7, Severity.WARNING)
    assert kind in issue.message
    assert not any(part in issue.message for part in ("jane", "4111", "5500", "3782", "555", "170"))


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112 has a wrong check digit",
        "the year 2024, 1,234,567 people, 3.14159265358979",
        "ISBN 978-3-16-148410-0 and version 1.2.3.4",
        "on 2024-03-05 at 10:00 we met 12 times",
        "0000 0000 0000 0000",
        "me @ home, a@b",
        "a 1990-2000 survey of 100-200-300 cases",
        "genome position 123456789012345678901234567890",
    ],
)
def test_other_numbers_are_not_taken_for_personal_data(text: str) -> None:
    assert checks.personal_data([Row(1, {Role.SOURCE: text}, ("a",))]) == []


@pytest.mark.parametrize("text", ["a." * 200_000 + "@", "@a." * 200_000, "1 " * 300_000, "+1-" * 200_000])
def test_strange_texts_take_no_long_search(text: str) -> None:
    start = time.process_time()
    checks.personal_data([Row(1, {Role.SOURCE: text}, ("a",))])

    assert time.process_time() - start < 5


def test_personal_data_in_targets_counts(tmp_path: Path) -> None:
    assert checks.personal_data([Row(1, {Role.SOURCE: "who?"}, ("me@example.org",))])


def test_truncated_rows_are_counted(tmp_path: Path) -> None:
    long = [
        {"text": sentence(i, 30) if i % 4 == 0 else sentence(i, 2), "label": "ab"[i % 2]} for i in range(40)
    ]
    found = dataset.build(jsonl(tmp_path / "a.jsonl", long))

    issue = checks.truncation(found, reading(found, 100))

    assert issue is not None
    assert (issue.code, issue.row) == ("truncated", None)
    assert issue.message == (
        "10 of 40 rows (25%) are longer than the 100 tokens that are read: the end of the text is cut off, "
        "the answer stays whole."
    )
    assert checks.truncation(found, reading(found, 10_000)) is None


def test_truncation_is_what_a_run_does(tmp_path: Path) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(60)))
    text = reading(found, 75)

    issue = checks.truncation(found, text)

    cut = sum(text.encode(row).truncated for row in found.rows)
    assert issue is not None and issue.message.startswith(f"{cut} of 60 rows")


def test_a_conversation_that_the_chat_template_refuses_is_named_with_the_reason() -> None:
    data = dataset.build(shared("cases/80_sharegpt_one_bad_turn.jsonl"))
    usable, why = encode.readable(data, chat_tokenizer("mistral"))

    (issue,) = checks.refused(data, why)

    assert (issue.code, issue.row) == ("refused", 31)
    assert issue.message == (
        "The model's chat template refuses row 31: roles must alternate. Correct its turns. It is set aside."
    )
    assert sum(map(len, usable.splits.values())) == len(data.rows) - 1
    assert encode.readable(data, chat_tokenizer("smollm2")) == (data, {})


def test_near_duplicates_are_found_and_other_texts_are_not() -> None:
    text = sentence(1, 12)
    others = [sentence(n, 12) for n in range(2, 200)]

    assert clusters([text, text.upper(), text.replace(" ", "  "), f"{text}!", *others]) == [
        0,
        0,
        0,
        0,
        *range(4, 202),
    ]


def test_short_texts_and_empty_ones_are_told_apart() -> None:
    assert clusters(["yes", "no", "Yes ", "", "  ", "y"]) == [0, 1, 0, 3, 3, 5]


def test_nearly_all_pairs_above_the_threshold_are_found() -> None:
    texts = [sentence(n, 25) for n in range(300)]
    changed = [text.replace(text.split()[5], "changed", 1) for text in texts]

    found = clusters(texts + changed)

    assert sum(found[300 + n] == n for n in range(300)) > 285


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TARGET])
def test_every_input_that_may_be_missing_has_a_code(role: Role) -> None:
    assert Code(f"empty_{role}") in Code
