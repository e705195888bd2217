"""What to do after a study: a test for each row of the table, and what must hold whatever the scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import decision
from engine.decision import Action, Contender, Decision, Outcome, Standing
from engine.records import RunKind, Score

KINDS = {
    "base": RunKind.BASE,
    "few-shot": RunKind.FEW_SHOT,
    "TF-IDF": RunKind.BASELINE,
    "majority": RunKind.BASELINE,
    "default": RunKind.DEFAULT,
    "tuned": RunKind.SHORTLIST,
    "tuned 2": RunKind.SHORTLIST,
}
CLEAR = 10.0  # points: a larger difference on the test rows is clear


@dataclass
class Table:
    """Runs with points on dev and test, some of them with one answer to every row."""

    points: dict[str, tuple[float, float]]
    constant: set[str] = field(default_factory=set)
    rows: int = 100
    missing: tuple[str, ...] = ()

    def decide(self) -> Decision:
        order = sorted(self.points, key=lambda name: -self.points[name][0])
        return decision.decide([self.contender(name) for name in order], self.paired, self.missing)

    def contender(self, name: str) -> Contender:
        test = self.points[name][1] / 100
        return Contender(name, name, KINDS[name], Score(test, test, test, self.rows), name in self.constant)

    def paired(self, first: str, second: str) -> Score:
        gap = (self.points[first][1] - self.points[second][1]) / 100
        return Score(gap, gap - CLEAR / 100, gap + CLEAR / 100, self.rows)


ROWS = {
    "a tuned model that is clearly best is exported": (
        Table({"base": (20, 20), "few-shot": (40, 40), "TF-IDF": (60, 60), "tuned": (90, 90)}),
        (Outcome.TUNED, "tuned", "TF-IDF", Action.EXPORT, Standing.WON),
        "Use tuned: clearly better than anything cheaper.",
    ),
    "a baseline that is not told from the tuned model is as good": (
        Table({"base": (20, 20), "TF-IDF": (85, 85), "tuned": (90, 90)}),
        (Outcome.CHEAPER, "TF-IDF", "tuned", Action.USE, Standing.TIED),
        "Use TF-IDF: tuning is not clearly better.",
    ),
    "a baseline that leads on test without being clearly better is as good": (
        Table({"base": (20, 20), "TF-IDF": (50, 56.2), "tuned": (60, 46.9)}),
        (Outcome.CHEAPER, "TF-IDF", "tuned", Action.USE, Standing.TIED),
        "Use TF-IDF: tuning is not clearly better.",
    ),
    "the untuned model is as good": (
        Table({"base": (85, 85), "TF-IDF": (60, 60), "tuned": (90, 90)}),
        (Outcome.UNTUNED, "base", "tuned", Action.USE, Standing.TIED),
        "Use base: tuning is not clearly better.",
    ),
    "examples in the prompt are as good": (
        Table({"base": (40, 40), "few-shot": (88, 88), "TF-IDF": (60, 60), "tuned": (90, 90)}),
        (Outcome.UNTUNED, "few-shot", "tuned", Action.USE, Standing.TIED),
        "Use few-shot: tuning is not clearly better.",
    ),
    "examples in the prompt are better": (
        Table({"base": (40, 40), "few-shot": (95, 95), "TF-IDF": (60, 60), "tuned": (80, 80)}),
        (Outcome.UNTUNED, "few-shot", "tuned", Action.USE, Standing.LOST),
        "Use few-shot: tuning is clearly worse.",
    ),
    "a model without an LLM is better": (
        Table({"base": (20, 20), "TF-IDF": (80, 80), "tuned": (60, 58.3)}),
        (Outcome.BASELINE, "TF-IDF", "tuned", Action.USE, Standing.LOST),
        "Use TF-IDF: tuning is clearly worse.",
    ),
    "every answer is the same": (
        Table(dict.fromkeys(("base", "majority", "tuned"), (55, 54.7)), {"base", "majority", "tuned"}),
        (Outcome.NOTHING, None, "majority", Action.SEARCH, None),
        "Nothing was learnt: tuned models give nearly every row one answer.",
    ),
    "a baseline that is not shown to be better than one answer asks for more rows": (
        Table(
            {"base": (60, 54.7), "TF-IDF": (60, 64.0), "default": (55, 54.7), "tuned": (55, 54.7)},
            {"base", "default", "tuned"}, rows=75,
        ),
        (Outcome.NOTHING, None, "base", Action.MORE_ROWS, None),
        "Nothing was learnt: tuned models give nearly every row one answer.",
    ),
    "a baseline that learnt is used where the LLM gives one answer": (
        Table({"base": (55, 54.7), "TF-IDF": (60, 66.0), "tuned": (62, 54.7)}, {"base", "tuned"}),
        (Outcome.BASELINE, "TF-IDF", "tuned", Action.USE, Standing.LOST),
        "Use TF-IDF: tuning is clearly worse.",
    ),
    "too few rows say so, and name the cheaper of two that may be as good": (
        Table({"base": (20, 20), "TF-IDF": (50, 56.2), "tuned": (60, 46.9)}, rows=32),
        (Outcome.FEW_ROWS, "TF-IDF", "tuned", Action.MORE_ROWS, None),
        "Too few rows to say: only 32 test rows.",
    ),
    "a stopped study never recommends what was scored by then": (
        Table({"base": (20, 20), "TF-IDF": (30, 30), "default": (90, 90)}, missing=("tuned", "tuned 2")),
        (Outcome.UNFINISHED, None, None, Action.FINISH, None),
        "Unfinished: 2 runs have no score.",
    ),
    "without any training there is no decision": (
        Table({"base": (20, 20), "TF-IDF": (30, 30)}),
        (Outcome.UNFINISHED, None, None, Action.FINISH, None),
        "Unfinished: no training has a score.",
    ),
    "a tuned model that leads a cheaper one which learnt nothing for sure leads, but not clearly": (
        Table({"majority": (50, 50), "TF-IDF": (58, 58), "tuned": (66, 66)}, {"majority"}),
        (Outcome.AHEAD, "tuned", "TF-IDF", Action.EXPORT, Standing.TIED),
        "Use tuned: the best tuned model, though not clearly ahead.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_each_row_of_the_table(name: str) -> None:
    table, expected, headline = ROWS[name]

    found = table.decide()

    assert (found.outcome, found.run, found.alternative, found.action, found.standing) == expected
    assert found.headline == headline


def test_the_numbers_are_those_of_the_run_to_use() -> None:
    found = ROWS["a model without an LLM is better"][0].decide()

    assert found.score is not None and found.score.value == pytest.approx(0.80)
    assert found.against_untuned is not None and found.against_untuned.value == pytest.approx(0.60)
    assert found.against_alternative is not None
    assert found.against_alternative.value == pytest.approx(0.217)


def test_first_on_dev_but_clearly_worse_on_test_is_not_recommended() -> None:
    found = Table({"base": (20, 20), "tuned 2": (91, 60), "tuned": (90, 90)}).decide()

    assert (found.outcome, found.run) == (Outcome.TUNED, "tuned")


def test_a_few_rows_more_are_those_that_make_fifty_test_rows() -> None:
    found = Table({"base": (20, 20), "tuned": (90, 90)}, rows=32).decide()

    assert (found.more_rows, found.step) == (80, "Get about 80 more rows")  # 4 x 18 is 72


@pytest.mark.parametrize(
    ("gap", "rows"), [(0.10, 420), (0.05, 2900), (0.01, None), (0.0, None), (0.20, None)]
)
def test_more_rows_grow_with_the_square_of_the_spread(gap: float, rows: int | None) -> None:
    """At 10 points of half width and gap: 100 x (2.8 / 1.96)^2 = 204 test rows, so 4 x 104 rows more."""
    found = decision.more_rows(Score(gap, gap - 0.1, gap + 0.1, 100), 100)

    assert found == rows


def test_after_several_trainings_that_learnt_nothing_a_larger_model_is_next() -> None:
    names = ["default", "tuned", "tuned 2"]
    three = Table({name: (50, 50) for name in ("base", *names)}, {"base", *names})
    field_ = [three.contender(name) for name in (*three.points, "tuned")]

    found = decision.decide(field_, three.paired)

    assert found.action is Action.LARGER_MODEL


POINTS = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
    lambda pair: (float(pair[0]), float(pair[1]))
)
TABLES = st.builds(
    Table,
    st.dictionaries(st.sampled_from(list(KINDS)), POINTS, min_size=1),
    st.sets(st.sampled_from(list(KINDS))),
    st.sampled_from([20, 49, 50, 400]),
)


@given(TABLES)
def test_nothing_that_is_clearly_worse_than_another_scored_run_is_ever_recommended(table: Table) -> None:
    found = table.decide()

    if found.run is not None:
        assert all(table.paired(other, found.run).low <= 0 for other in table.points)


@given(TABLES)
def test_one_answer_to_every_row_is_never_recommended(table: Table) -> None:
    assert table.decide().run not in table.constant


@given(TABLES)
def test_a_headline_has_at_most_twelve_words_and_a_standing_only_where_a_run_is_to_be_used(
    table: Table,
) -> None:
    found = table.decide()

    assert len(found.headline.split()) <= 12
    assert found.run is not None or found.standing is None
    assert (found.outcome is Outcome.TUNED) == (found.standing is Standing.WON)


@given(TABLES)
def test_a_clear_win_is_over_all_that_needs_no_training(table: Table) -> None:
    found = table.decide()

    if found.outcome is Outcome.TUNED:
        assert found.run is not None
        cheaper = [name for name in table.points if not KINDS[name].trains]
        assert all(table.paired(found.run, name).low > 0 for name in cheaper)


@given(TABLES, st.lists(st.sampled_from(["default", "tuned"]), min_size=1, unique=True))
def test_an_unfinished_study_recommends_nothing(table: Table, missing: list[str]) -> None:
    table.missing = tuple(missing)

    assert (table.decide().run, table.decide().missing) == (None, tuple(missing))
