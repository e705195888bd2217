"""Words of any script, and answers that are the same or are not."""

from __future__ import annotations

import json

import pytest

from engine import extractive, metrics, words
from engine.records import Role, Row, Task
from tests.shared import shared

ENGLISH = [
    ("The cats were sitting on the mats.", "A cat sat on the mat, purring softly!"),
    ("It's 1.5 million (about 3%); see a_b or U.S. rates.", "It is 1.5 million; U.S. rates rose 3%."),
    ("Meetings were cancelled", "the meeting was cancelled repeatedly"),
    ("", "nothing"),
]


@pytest.mark.parametrize(("said", "right"), ENGLISH)
def test_english_has_the_scores_of_the_library(said: str, right: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    plain = RougeScorer(["rougeL", "rouge1"], use_stemmer=True).score(right, said)

    assert metrics.rouge(said, right) == {name: score.fmeasure for name, score in plain.items()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Заказ 1234 отменён!", ["заказ", "1234", "отменён"]),
        ("नमस्ते, दुनिया", ["नमस्ते", "दुनिया"]),
        ("iPhone手机", ["iphone", "手", "机"]),
        ("ラーメン", ["ラ", "ー", "メ", "ン"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("café naïve", ["café", "naïve"]),
        ("cafe\u0301", ["café"]),
    ],
)
def test_every_script_has_words(text: str, found: list[str]) -> None:
    assert words.words(text) == found


def test_summaries_that_are_not_in_latin_script_are_scored_by_their_words() -> None:
    lines = shared("cases/31a_ru_summ.jsonl").read_text(encoding="utf-8").splitlines()
    summaries = [json.loads(line)["summary"] for line in lines]

    assert {metrics.rouge(text, text)["rougeL"] for text in summaries} == {1.0}
    assert metrics.rouge("заказ 1234 отменён", "проблема 1234 решена")["rouge1"] == pytest.approx(1 / 3)
    assert metrics.rouge("我们去北京", "我们去上海")["rougeL"] == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("> 56", "< 56"),
        ("1.5", "15"),
        ("1,5", "15"),
        ("-5", "5"),
        ("5%", "5"),
        ("$5", "5"),
        ("C++", "C"),
        ("C#", "C"),
        ("v1.2.3", "v12.3"),
        ("10:30", "1030"),
        ("a = b", "a != b"),
        ("(a + b) * c", "a + b * c"),
        ("f(x)", "fx"),
        ("head_0", "head0"),
        ("COUNT(*)", "COUNT"),
        ("!done", "done"),
        ("vitamin A", "vitamin"),
        ("A", ""),
        ("北京", "上海"),
    ],
)
def test_signs_that_carry_meaning_tell_answers_apart(one: str, other: str) -> None:
    assert metrics.exact_match(one, other) == 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Answer.", "answer"),
        ("a blue sea!", "Blue sea"),
        ("The C++ language.", "C++ language"),
        ("1,000", "1000"),
        ("1914–1918", "1914-1918"),
        ("3.14.", "3.14"),
        ("well-known", "wellknown"),
        ("U.S.", "US"),
        ("**Paris**", "Paris"),
        ("Paris (France)", "Paris, France"),
        ("«Это ответ».", "это ответ"),
        ("在 2020 年。", "在2020年"),
        ("cafe\u0301", "café"),
        ("age>56;", "age > 56"),
    ],
)
def test_spelling_without_meaning_does_not(one: str, other: str) -> None:
    assert metrics.exact_match(one, other) == 1.0


def test_no_two_answers_of_the_sql_file_are_taken_for_the_same() -> None:
    lines = shared("cases/34_sql_context.jsonl").read_text(encoding="utf-8").splitlines()
    answers = sorted({json.loads(line)["answer"] for line in lines})

    assert len({metrics.normalize_answer(text) for text in answers}) == len(answers)
    assert metrics.exact_match(answers[0].replace(">", "<"), answers[0]) == 0.0
    assert metrics.exact_match(answers[0].lower() + ";", answers[0]) == 1.0


def test_token_f1_counts_characters_where_a_script_has_no_spaces() -> None:
    assert metrics.token_f1("在北京", "北京") == pytest.approx(2 * 2 / 5)
    assert metrics.token_f1("กรุงเทพ", "กรุงเทพ") == 1.0


def test_the_same_letters_in_another_unicode_form_are_the_same_label() -> None:
    assert metrics.as_label("cafe\u0301", ["café", "tea"]) == "café"
    assert metrics.row_values(Task.CLASSIFICATION, "cafe\u0301", ["café"]) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It rained. We left! Why?", ["It rained.", "We left!", "Why?"]),
        ("下雨了。我们走了！为什么？", ["下雨了。", "我们走了！", "为什么？"]),
        ("彼は「行く。」と言った。", ["彼は「行く。」", "と言った。"]),
        ("यह घर है। वह बड़ा है।", ["यह घर है।", "वह बड़ा है।"]),
        ("ما اسمك؟ أنا علي.", ["ما اسمك؟", "أنا علي."]),
        ("Version 1.5 is out", ["Version 1.5 is out"]),
    ],
)
def test_sentences_end_where_their_script_ends_them(text: str, parts: list[str]) -> None:
    assert extractive.sentences(text) == parts


def test_a_short_answer_is_found_in_a_passage_without_spaces() -> None:
    places = ["北京", "上海", "广州", "东京", "巴黎"]
    rows = [
        Row(
            n,
            {Role.CONTEXT: f"我们吃了饭。会议在{place}举行。下雨了。", Role.QUESTION: "会议在哪里举行？"},
            (place,),
        )
        for n, place in enumerate(places * 8)
    ]

    answers = extractive.fit_answers(rows[:30]).answers(rows[30:])

    assert answers == [row.targets[0] for row in rows[30:]]
