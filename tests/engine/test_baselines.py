"""What can be answered without a language model."""

from __future__ import annotations

import pytest

from engine import baselines, extractive
from engine.errors import ConfigError
from engine.records import Role, Row, Task
from tests.tiny import tiny_classification, tiny_questions, tiny_summaries


def labelled(texts: list[tuple[str, str]]) -> list[Row]:
    return [Row(n, {Role.SOURCE: text}, (label,)) for n, (text, label) in enumerate(texts)]


def test_every_baseline_has_a_title_and_answers_every_row() -> None:
    rows = {
        Task.CLASSIFICATION: labelled([(r["text"], r["label"]) for r in tiny_classification(30)]),
        Task.SUMMARIZATION: labelled([(r["document"], r["summary"]) for r in tiny_summaries(30)]),
        Task.QA: [
            Row(n, {Role.CONTEXT: r["context"], Role.QUESTION: r["question"]}, (r["answer"],))
            for n, r in enumerate(tiny_questions(30))
        ],
        Task.GENERATION: [Row(n, {Role.PROMPT: f"say {n % 3}"}, (f"{n % 3}",)) for n in range(30)],
    }
    for task, members in rows.items():
        for name in baselines.names(task):
            answers = baselines.predict(name, members[:20], members[20:], task)
            assert len(answers) == 10 and all(isinstance(a, str) and a for a in answers)
            assert name in baselines.TITLES


def test_majority_takes_the_most_frequent_training_label() -> None:
    rows = labelled([("a", "spam"), ("b", "ham"), ("c", "spam")])

    assert baselines.predict("majority", rows, rows[:2], Task.CLASSIFICATION) == ["spam", "spam"]


def test_equally_frequent_labels_are_settled_by_the_alphabet() -> None:
    rows = labelled([("a", "spam"), ("b", "ham")])

    assert baselines.predict("majority", rows, rows[:1], Task.CLASSIFICATION) == ["ham"]


def test_tfidf_learns_words_that_tell_labels_apart() -> None:
    rows = labelled([(r["text"], r["label"]) for r in tiny_classification(60)])

    answers = baselines.predict("tfidf_logreg", rows[:40], rows[40:], Task.CLASSIFICATION)

    assert answers == [row.targets[0] for row in rows[40:]]


def test_tfidf_reads_texts_without_a_single_word() -> None:
    rows = labelled([("!!! ?", "loud"), ("...", "quiet"), ("!!", "loud"), (".", "quiet")])

    assert baselines.predict("tfidf_logreg", rows, labelled([("! ! !", "")]), Task.CLASSIFICATION) == ["loud"]


def test_one_label_only_needs_no_regression() -> None:
    rows = labelled([("a", "x"), ("b", "x")])

    assert baselines.predict("tfidf_logreg", rows, rows, Task.CLASSIFICATION) == ["x", "x"]


def test_lead_sentence_ends_where_the_first_sentence_ends() -> None:
    rows = labelled([("It rained. We left! Why?", ""), ("No stop here\nnext line", "")])

    assert baselines.predict("lead_sentence", rows, rows, Task.SUMMARIZATION) == [
        "It rained.",
        "No stop here",
    ]


def test_the_trained_pick_finds_summaries_that_stand_last() -> None:
    rows = labelled(
        [
            (f"Noise {n} here. More noise {n} there. The result is number {n}.", f"result is number {n}")
            for n in range(30)
        ]
    )

    answers = baselines.predict("extractive", rows[:20], rows[20:], Task.SUMMARIZATION)

    assert answers == [f"The result is number {n}." for n in range(20, 30)]


def question(number: int, context: str, asked: str, *answers: str) -> Row:
    return Row(number, {Role.CONTEXT: context, Role.QUESTION: asked}, answers)


def test_the_trained_answer_is_a_part_of_the_passage() -> None:
    places = ["Rome", "Oslo", "Cairo", "Lima", "Delhi"]
    rows = [
        question(
            n,
            f"We ate soup. The meeting was in {places[n % 5]} again. It rained.",
            "where was the meeting?",
            places[n % 5],
        )
        for n in range(40)
    ]

    answers = extractive.fit_answers(rows[:30]).answers(rows[30:])

    assert answers == [row.targets[0] for row in rows[30:]]


def test_a_usual_answer_such_as_unanswerable_can_be_given() -> None:
    rows = [
        question(n, f"Nothing of use stands in text {n}.", "who paid the long bill?", "unanswerable")
        for n in range(20)
    ]

    assert set(extractive.fit_answers(rows[:15]).answers(rows[15:])) == {"unanswerable"}


def test_long_answers_are_whole_sentences() -> None:
    long = "The council voted to build the new bridge over the river next spring."
    rows = [
        question(n, f"Hello {n}. {long} Bye {n}.", "What did the council vote to build?", long)
        for n in range(10)
    ]
    rows = [Row(r.number, r.inputs, (f"{long} {r.number}",)) for r in rows]

    assert set(extractive.fit_answers(rows).answers(rows)) == {long}


def test_an_unknown_baseline_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="choose one of lead_sentence, extractive"):
        baselines.predict("majority", [], [], Task.SUMMARIZATION)


def test_a_fitted_baseline_answers_a_row_as_it_does_among_others() -> None:
    rows = labelled([(r["text"], r["label"]) for r in tiny_classification(60)])
    fitted = baselines.fit("tfidf_logreg", rows[:40], Task.CLASSIFICATION)

    together = fitted.answers(rows[40:])

    assert [fitted.answers([row])[0] for row in rows[40:]] == together
    assert baselines.predict("tfidf_logreg", rows[:40], rows[40:], Task.CLASSIFICATION) == together


@pytest.mark.parametrize(
    ("good", "bad"), [("这家店很好吃", "这家店真难吃"), ("นี่ดีมาก", "นี่แย่มาก"), ("यह अच्छा है", "यह बुरा है")]
)
def test_tfidf_sees_the_words_of_every_script(good: str, bad: str) -> None:
    rows = labelled([(f"{good} {n}" if n % 2 else f"{bad} {n}", "+" if n % 2 else "-") for n in range(20)])
    new = labelled([(f"我说{good}了", "+"), (f"我说{bad}了", "-")])

    assert baselines.predict("tfidf_logreg", rows, new, Task.CLASSIFICATION) == ["+", "-"]
