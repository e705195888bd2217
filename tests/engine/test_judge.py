"""The judge's arithmetic: what counts as an answer, as a win, as missing, and what is said of it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from engine import judge
from engine.errors import ConfigError
from engine.judge import Answer, Choice, Endpoint, Pair, Verdict
from engine.records import Role, Row, Task
from engine.settings import Settings

A, B, TIE = Choice.A, Choice.B, Choice.TIE
HERE = Endpoint("https://judge.example.org/v1", "judge-1")


def pair(row: int, first: str = "long answer", second: str = "short", group: str | None = None) -> Pair:
    return Pair(row, group, f"text {row}", first, second)


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("A", A),
        (" b.\n", B),
        ("**B**", B),
        ("[[A]]", A),
        ("Tie", TIE),
        ("Answer: A", A),
        ("The first is true to the text.\nFinal verdict: B", B),
        ("<think>A is longer.\nB is true.</think>\n\nB", B),
        ("", None),
        ("A or B", None),
        ("A good question", None),
        ("Both are fine", None),
        ("C", None),
        ("<think>A", None),
    ],
)
def test_only_a_lone_choice_counts_as_an_answer(reply: str, choice: Choice | None) -> None:
    assert judge.read_choice(reply) is choice


@pytest.mark.parametrize(
    ("forward", "swapped", "verdict"),
    [
        (A, B, Verdict.WIN),
        (B, A, Verdict.LOSS),
        (TIE, TIE, Verdict.TIE),
        (A, A, Verdict.INCONSISTENT),
        (B, B, Verdict.INCONSISTENT),
        (A, TIE, Verdict.INCONSISTENT),
        (A, None, Verdict.MISSING),
        (None, B, Verdict.MISSING),
    ],
)
def test_a_pair_counts_only_where_both_orders_name_the_same_answer(
    forward: Choice | None, swapped: Choice | None, verdict: Verdict
) -> None:
    assert judge.combine(Answer(forward, swapped)) is verdict


def test_a_failed_call_is_missing_and_takes_no_part_in_any_share() -> None:
    asked = [pair(1), pair(2), pair(3), pair(4), pair(5, "same", " same ")]
    answers = {1: Answer(A, B), 2: Answer(A, A), 3: Answer(A, None, "status 500")}

    found = judge.summarize(asked, answers)

    assert (found.rows, found.judged, found.failed) == (5, 3, 1)
    assert (found.wins, found.losses, found.ties, found.inconsistent, found.same) == (1, 0, 1, 1, 1)
    assert found.preferred is not None and (found.preferred.value, found.preferred.n) == (1.0, 1)
    assert found.agreement is not None and (found.agreement.value, found.agreement.n) == (0.5, 2)


def test_a_judge_with_an_eye_for_the_place_only_says_nothing() -> None:
    asked = [pair(row) for row in range(10)]

    found = judge.summarize(asked, {row: Answer(A, A) for row in range(10)})

    assert found.inconsistent == 10
    assert found.preferred is None
    assert "prefers neither" in judge.sentence(found, "new", "old")
    assert "in 0 of 10 rows" in str(judge.caution(found))


def test_a_clear_preference_is_told_from_chance_and_a_slight_one_is_not() -> None:
    asked = [pair(row) for row in range(20)]
    clear = {row: Answer(A, B) if row < 18 else Answer(B, A) for row in range(20)}
    slight = {row: Answer(A, B) if row < 11 else Answer(B, A) for row in range(20)}

    wins, even = judge.summarize(asked, clear), judge.summarize(asked, slight)

    assert judge.sentence(wins, "new", "old") == (
        "The judge prefers new to old: of 20 judged rows, new is better in 18, worse in 2, tied in 0."
    )
    assert judge.sentence(even, "new", "old").startswith("The judge cannot tell new and old apart")
    assert judge.caution(wins) is None


def test_rows_that_share_a_text_make_the_interval_wider() -> None:
    answers = {row: Answer(A, B) if row % 3 else Answer(B, A) for row in range(30)}

    alone = judge.summarize([pair(row) for row in range(30)], answers).preferred
    grouped = judge.summarize([pair(r, group=f"doc {r % 3}") for r in range(30)], answers).preferred

    assert alone is not None and grouped is not None
    assert grouped.high - grouped.low > alone.high - alone.low


def test_swapping_shows_the_same_pair_the_other_way_round() -> None:
    def shown(swapped: bool) -> dict[str, str]:
        text = judge.messages(pair(1), Task.SUMMARIZATION, swapped=swapped)[-1]["content"]
        found: dict[str, str] = json.loads(text.split("\n\n")[1])
        return found

    assert shown(False) == {"input": "text 1", "A": "long answer", "B": "short"}
    assert shown(True) == {"input": "text 1", "A": "short", "B": "long answer"}


def test_pairs_are_the_test_rows_that_both_answered_and_more_rows_keep_the_first_ones() -> None:
    rows = [Row(n, {Role.SOURCE: f"text {n}"}, ("gold",)) for n in range(1, 9)]
    first = pd.DataFrame({"split": "test", "row": range(1, 8), "prediction": [f"a{n}" for n in range(1, 8)]})
    second = pd.DataFrame({"split": "test", "row": range(2, 9), "prediction": [f"b{n}" for n in range(2, 9)]})
    dev = pd.DataFrame({"split": "dev", "row": [8], "prediction": ["dev answer"]})

    found = judge.pairs(rows, pd.concat([first, dev]), second, Task.SUMMARIZATION)

    assert sorted(p.row for p in found) == [2, 3, 4, 5, 6, 7]
    assert [p.row for p in found] != sorted(p.row for p in found)
    assert all((p.text, p.first, p.second) == (f"text {p.row}", f"a{p.row}", f"b{p.row}") for p in found)


def test_a_conversation_is_shown_turn_by_turn() -> None:
    turns = json.dumps([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}])
    tables = [pd.DataFrame({"split": ["test"], "row": [1], "prediction": [text]}) for text in "xy"]

    (found,) = judge.pairs([Row(1, {Role.MESSAGES: turns}, ("Hi",))], *tables, task=Task.GENERATION)

    assert found.text == "System: Be kind.\nUser: Hello?"


def test_only_what_has_no_answer_in_both_orders_is_asked_again() -> None:
    asked = [pair(1), pair(2), pair(3), pair(4, "same", "same")]

    missing = judge.unanswered(asked, {1: Answer(A, B), 2: Answer(A, None, "status 500")})

    assert [p.row for p in missing] == [2, 3]


def test_the_consent_says_what_goes_where_and_which_rows_may_hold_personal_data() -> None:
    asked = [pair(7), pair(8, "write to ada@example.org")]

    text = judge.consent(asked, HERE)

    assert "judge.example.org (model judge-1)" in text
    assert "2 test rows, twice each with the answers swapped (4 requests, 114 characters)" in text
    assert "One of these rows may hold personal data (row 8)." in text
    assert "http" not in text
    assert "others on the way can read it" in judge.consent(asked, Endpoint("http://far.example.org", "m"))


def test_without_an_address_there_is_no_judge() -> None:
    assert judge.endpoint(Settings()) is None


@pytest.mark.parametrize(
    ("url", "model", "named"),
    [
        ("ftp://host/v1", "m", "http or https"),
        ("host/v1", "m", "http or https"),
        ("https://me:secret@host/v1", "m", "SHORTLIST_JUDGE_KEY"),
        ("https://host/v1?key=secret", "m", "SHORTLIST_JUDGE_KEY"),
        ("https://host/v1", "", "SHORTLIST_JUDGE_MODEL"),
    ],
)
def test_a_wrong_address_is_named_by_its_setting_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str, model: str, named: str
) -> None:
    monkeypatch.setenv("SHORTLIST_JUDGE_URL", url)
    monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", model)

    with pytest.raises(ConfigError, match=named) as error:
        judge.endpoint(Settings())

    assert "secret" not in str(error.value)
