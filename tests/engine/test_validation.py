"""Leave-one-out: by hand, against a slow brute force, and its properties."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coverage import rank_configs
from engine.errors import ConfigError, TableError
from engine.validation import Curve, LeaveOneOut, Rule, leave_one_out, validate
from tests.shared import shared

NAN = math.nan
COLUMNS = ["learning_rate"]
Scores = dict[str, dict[float, Any]]


def table(scores: Scores, **columns: Any) -> pd.DataFrame:
    """dataset -> learning rate -> score, or (dev, test); a config that is not named was not run."""
    rows = []
    for name, by_rate in scores.items():
        for rate, score in by_rate.items():
            dev, test = score if isinstance(score, tuple) else (score, None)
            row = {"dataset": name, "model": "m", "method": "lora", "learning_rate": rate, "score": dev}
            rows.append(row if test is None else {**row, "test_score": test})
    return pd.DataFrame(rows).assign(**columns)


def means(found: LeaveOneOut, rule: Rule = Rule.CBS) -> list[float | None]:
    return [None if value is None else round(value, 6) for value in found.rules[rule].mean]


THREE: Scores = {
    "a": {1e-4: 0.8, 1e-3: 0.4, 1e-2: 0.2},
    "b": {1e-4: 0.8, 1e-3: 0.4, 1e-2: 0.2},
    "c": {1e-4: 0.3, 1e-3: 0.6, 1e-2: 0.3},
}


def test_the_ranking_does_not_see_the_dataset_that_it_is_judged_on() -> None:
    found = leave_one_out(table(THREE), COLUMNS, most=2)

    # without a or b each of 1e-4 and 1e-3 covers one dataset, and 1e-4 is first by mean or by name
    assert means(found) == [round((1 + 1 + 0.5) / 3, 6), 1.0]
    assert (found.datasets, found.left_out, found.unit) == (3, 0, "dataset")


def test_dev_selects_and_test_reports() -> None:
    scores: Scores = {
        "a": {1e-4: (0.8, 0.6), 1e-3: (0.4, 0.9)},
        "b": {1e-4: (0.8, 0.5), 1e-3: (0.7, 0.6)},
    }

    found = leave_one_out(table(scores), COLUMNS, most=2)

    # dev selects 1e-4 everywhere, though 1e-3 is better on test
    assert means(found) == [1.0, 1.0]
    assert means(found, Rule.RANDOM) == [round(((1 + 1.5) / 2 + (1 + 1.2) / 2) / 2, 6), 1.0]


def test_how_far_cbs_is_ahead_of_a_rule_is_paired_by_dataset() -> None:
    found = leave_one_out(table(THREE), COLUMNS, most=3)

    ours, rivals = found.rules[Rule.CBS].mean, found.rules[Rule.RANDOM].mean
    assert found.ahead[Rule.RANDOM].mean == pytest.approx(
        [mine - other for mine, other in zip(ours, rivals, strict=True) if mine is not None and other]
    )
    assert (found.ahead[Rule.RANDOM].low[2], found.ahead[Rule.RANDOM].high[2]) == (0.0, 0.0)


def test_no_test_score_decides_the_recommended_k() -> None:
    first: Scores = {name: {1e-4: (0.8, 0.1), 1e-3: (0.4, 0.9)} for name in "abcdef"}
    second: Scores = {name: {1e-4: (0.8, 0.9), 1e-3: (0.4, 0.1)} for name in "abcdef"}

    found = [leave_one_out(table(scores), COLUMNS, most=2).recommended_k for scores in (first, second)]

    assert found == [1, 1]


def test_k_is_recommended_where_the_next_one_adds_nothing_that_can_be_told() -> None:
    """Two kinds of dataset: the second config is needed on half of them, a third never."""
    kinds: list[dict[float, Any]] = [{1e-4: 0.8, 1e-3: 0.4, 1e-2: 0.3}, {1e-4: 0.4, 1e-3: 0.8, 1e-2: 0.3}]

    found = leave_one_out(table({f"d{i}": kinds[i % 2] for i in range(16)}), COLUMNS, most=3)

    assert found.recommended_k == 2


def test_a_cell_counts_from_the_k_at_which_one_of_the_shortlist_was_run_there() -> None:
    scores: Scores = {
        "a": {1e-4: 0.8, 1e-3: 0.4},
        "b": {1e-4: 0.8, 1e-3: 0.4},
        "c": {1e-3: 0.6, 1e-2: 0.3},
    }

    found = leave_one_out(table(scores), COLUMNS, most=2)

    assert means(found) == [1.0, 1.0]
    assert found.rules[Rule.CBS].judged == (2, 3)
    assert (found.left_out, found.left_out_by_k) == (1, (1, 0))


def test_a_cell_where_all_of_the_shortlist_failed_counts_nothing() -> None:
    scores: Scores = {"a": {1e-4: 0.8, 1e-3: 0.4}, "b": {1e-4: NAN, 1e-3: 0.4, 1e-2: 0.3}}

    found = leave_one_out(table(scores), COLUMNS, most=1)

    assert means(found) == [0.25]  # on a: 1e-3, half of the best; on b: 1e-4, which failed
    assert found.left_out == 0


def test_cells_that_say_nothing_are_not_judged_but_counted() -> None:
    scores: Scores = {**THREE, "tie": {1e-4: 0.5, 1e-3: 0.5}, "failed": {1e-4: NAN, 1e-3: NAN}}

    found = leave_one_out(table(scores), COLUMNS, most=2)

    assert means(found) == means(leave_one_out(table(THREE), COLUMNS, most=2))
    assert (found.datasets, found.left_out) == (5, 2)


def test_a_tie_is_judged_where_the_other_choices_failed() -> None:
    scores: Scores = {"a": {1e-4: 0.8, 1e-3: 0.4}, "b": {1e-4: NAN, 1e-3: 0.4}}

    assert means(leave_one_out(table(scores), COLUMNS, most=1)) == [0.5]  # on a by chance 1, on b 0


def test_a_loss_is_shared_the_other_way_round() -> None:
    scores: Scores = {"a": {1e-4: 1.0, 1e-3: 2.0}, "b": {1e-4: 4.0, 1e-3: 2.0}}

    found = leave_one_out(table(scores), COLUMNS, most=1, lower_is_better=True)

    assert means(found) == [0.5]


def test_scores_below_zero_are_scaled_from_the_worst_to_the_best() -> None:
    scores: Scores = {"a": {1e-4: -1.0, 1e-3: -2.0, 1e-2: -3.0}, "b": {1e-4: -3.0, 1e-3: -1.0, 1e-2: -2.0}}

    # on a the one chosen is half-way between the worst and the best, on b it is the worst
    assert means(leave_one_out(table(scores), COLUMNS, most=1)) == [0.25]


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(TableError, match="no results"):
        leave_one_out(table(THREE).iloc[:0], COLUMNS)


def test_models_take_the_place_of_a_single_dataset() -> None:
    rows = [table({"a": by_rate}, model=name) for name, by_rate in THREE.items()]

    single, *_, overall = validate(pd.concat(rows), most=2)

    assert overall.model is None
    assert (overall.result.unit, overall.result.datasets) == ("model", 3)
    assert means(overall.result) == means(leave_one_out(table(THREE), COLUMNS, most=2))
    assert (single.model, single.result.datasets, single.result.recommended_k) == ("a", 1, None)
    assert single.result.rules[Rule.RANDOM] == Curve((None, None), (None, None), (None, None), (0, 0))


def test_cells_of_a_dataset_are_averaged_before_datasets_are() -> None:
    one = table(THREE, train_size=100)
    more = table({"a": {1e-4: 0.4, 1e-3: 0.8, 1e-2: 0.2}}, train_size=1000)

    found = leave_one_out(pd.concat([one, more]), COLUMNS, most=1)

    by_hand = {"a": 0.5 * (1 + 0.5), "b": 0.5, "c": 0.5}
    order = rank_configs(pd.concat([one, more]).query("dataset != 'b'"), COLUMNS).entries
    assert order[0].config == {"learning_rate": 1e-3}
    assert means(found) == [round(sum(by_hand.values()) / 3, 6)]


def test_datasets_of_one_source_are_left_out_together() -> None:
    source = {"a": "x", "b": "x", "c": None}
    alone, grouped = (
        leave_one_out(rows, COLUMNS, most=1)
        for rows in (table(THREE), table(THREE).assign(source_group=lambda t: t["dataset"].map(source)))
    )

    assert means(alone) == [round((1 + 1 + 0.5) / 3, 6)]
    assert means(grouped) == [0.5]  # a and b are judged by c alone


def test_the_default_is_judged_where_it_was_run_and_never_chosen() -> None:
    searched = table(THREE, origin="space")
    default = table({"a": {5e-4: 0.9}, "b": {5e-4: 0.4}}, origin="default")

    found = leave_one_out(
        pd.concat([searched, default]), COLUMNS, most=2, default={"lr": 5e-4, "lora_r": None}
    )

    assert means(found) == means(leave_one_out(table(THREE), COLUMNS, most=2))
    assert means(found, Rule.DEFAULT) == [round((0.9 / 0.8 + 0.4 / 0.8) / 2, 6)] * 2
    assert found.rules[Rule.DEFAULT].judged == (2, 2)


def test_a_default_that_was_not_run_is_not_reported_and_one_of_several_is_refused() -> None:
    both = [*COLUMNS, "lora_r"]
    rows = pd.concat([table(THREE, lora_r=8), table(THREE, lora_r=16)])

    assert Rule.DEFAULT not in leave_one_out(rows, both, default={"learning_rate": 0.5}).rules
    with pytest.raises(ConfigError, match="fits 2 configs"):
        leave_one_out(rows, both, default={"learning_rate": 1e-3})


def test_minutes_are_those_of_the_first_k_configs() -> None:
    found = leave_one_out(table(THREE, seconds=90), COLUMNS, most=3)

    assert found.minutes == (1.5, 3.0, 4.5)


def test_minutes_are_those_of_the_middle_cell_so_that_a_training_that_was_held_up_does_not_count() -> None:
    rows = table(THREE, seconds=90.0)
    rows.loc[rows["dataset"] == rows["dataset"].iloc[0], "seconds"] = 9000.0

    assert leave_one_out(rows, COLUMNS, most=3).minutes == (1.5, 3.0, 4.5)


def test_configs_that_dev_rows_cannot_tell_apart_cover_as_the_best_does() -> None:
    """1e-4 is 2 of 40 rows better than 1e-3 on a: more than 3 %, and noise."""
    right = {1e-4: [1.0] * 22 + [0.0] * 18, 1e-3: [1.0] * 19 + [0.0] * 20 + [1.0], 1e-2: [0.0] * 40}
    rows = [
        {**row, "dev_rows": right[row["learning_rate"]], "floor_rows": [0.0] * 40}
        for row in table({n: {r: np.mean(v) for r, v in right.items()} for n in "ab"}).to_dict("records")
    ]

    found = leave_one_out(pd.DataFrame(rows), COLUMNS, most=1)

    assert means(found, Rule.CBS_APART) == [1.0]
    assert Rule.CBS_APART not in leave_one_out(table(THREE), COLUMNS).rules


def test_the_oracle_is_not_the_luckiest_of_many() -> None:
    """50 configs that are all right half of the time: the best of them looks better, and is not."""
    draw = np.random.default_rng(0)
    rows = [
        {**row, "test_rows": values.tolist(), "test_score": values.mean()}
        for name in "abcd"
        for row in table({name: {(i + 1) / 1e4: draw.random() for i in range(50)}}).to_dict("records")
        for values in [draw.integers(0, 2, 200).astype(float)]
    ]

    found = leave_one_out(pd.DataFrame(rows), COLUMNS, most=1)

    luckiest = pd.DataFrame(rows).groupby("dataset")["test_score"].max().mean()
    assert luckiest > 0.57
    assert found.oracle is not None
    assert abs(found.oracle - 1) < 0.05
    assert found.of_oracle is not None


def test_row_scores_of_different_lengths_are_refused() -> None:
    rows = table(THREE).assign(test_rows=[[1.0] * (3 + i % 2) for i in range(9)])

    with pytest.raises(TableError, match="different lengths"):
        leave_one_out(rows, COLUMNS)


@pytest.mark.parametrize(
    ("tolerance", "shares"), [(0.01, (0.992, 0.9975, 0.998)), (0.03, (0.984, 0.993, 0.996))]
)
def test_the_reference_computation_on_35_language_models(tolerance: float, shares: tuple[float, ...]) -> None:
    path = shared("published/tinker_sft_sweep.csv")

    overall = validate(path, tolerance=tolerance, lower_is_better=True)[-1].result

    assert [overall.rules[Rule.CBS].mean[k - 1] for k in (1, 2, 4)] == pytest.approx(shares, abs=0.0005)
    assert (overall.unit, overall.datasets) == ("model", 35)


# ---------------------------------------------------------------- brute force


def shares_of(cell: pd.DataFrame, lower: bool) -> dict[float, float]:
    """Each finished config's test score as a share of that of the config that dev selects; failed 0."""
    done = cell.dropna(subset=["score"]).sort_values("learning_rate")
    best = done.loc[done["score"].idxmin() if lower else done["score"].idxmax()]
    ratio = best["test_score"] / done["test_score"] if lower else done["test_score"] / best["test_score"]
    return {
        **dict.fromkeys(cell["learning_rate"], 0.0),
        **dict(zip(done["learning_rate"], ratio, strict=True)),
    }


def picked(cell: pd.DataFrame, chosen: list[float], lower: bool) -> float:
    """The share of the one that dev selects among the chosen; NaN if none of them was run."""
    mine = cell[cell["learning_rate"].isin(chosen)].sort_values("learning_rate")
    if mine.empty:
        return NAN
    done = mine.dropna(subset=["score"])
    if done.empty:
        return 0.0
    rate = done.loc[done["score"].idxmin() if lower else done["score"].idxmax(), "learning_rate"]
    return shares_of(cell, lower)[rate]


def says_something(cell: pd.DataFrame) -> bool:
    return bool(cell["score"].nunique() > 1)


def normalized(others: pd.DataFrame, lower: bool) -> pd.DataFrame:
    best = others.groupby("dataset")["score"].transform("min" if lower else "max")
    share = best / others["score"] if lower else others["score"] / best
    return others.assign(s=share.fillna(0.0).round(12))


def by_score(others: pd.DataFrame, tolerance: float, lower: bool, mean_first: bool) -> list[float]:
    known = normalized(others, lower)
    keys = {}
    for rate, part in known.groupby("learning_rate"):
        top = part["s"][(part["s"] >= 1 - tolerance - 1e-12) & part["score"].notna()]
        pair = (round(-top.sum(), 9), round(-part["s"].mean(), 9))
        keys[rate] = pair[::-1] if mean_first else pair
    return sorted(keys, key=lambda rate: (keys[rate], rate))


def by_mean_rank(others: pd.DataFrame, rates: list[float], lower: bool, most: int) -> list[float]:
    ranks: dict[str, dict[float, float]] = {}
    for name, cell in others.groupby("dataset"):
        rank = cell["score"].rank(ascending=lower) / len(cell)
        ranks[str(name)] = dict(zip(cell["learning_rate"], rank.fillna(1.0), strict=True))
    chosen: list[float] = []

    def total(portfolio: list[float]) -> float:
        return round(sum(min(1.0, *(by.get(r, 1.0) for r in portfolio)) for by in ranks.values()), 9)

    while len(chosen) < min(most, len(rates)):
        left = [rate for rate in rates if rate not in chosen]
        chosen.append(min(left, key=lambda rate: (total([*chosen, rate]), total([rate]), rate)))
    return chosen


def slowly(rows: pd.DataFrame, tolerance: float, lower: bool, most: int) -> dict[Rule, list[float]]:
    """Shares by rule and k, dataset by dataset and subset by subset; one cell a dataset."""
    found: dict[Rule, list[list[float]]] = {}
    for name in sorted(rows["dataset"].unique()):
        cell, others = rows[rows["dataset"] == name], rows[rows["dataset"] != name]
        if not (says_something(cell) or cell["score"].notna().any() and cell["score"].isna().any()):
            continue
        telling = others.groupby("dataset").filter(says_something)
        entries = rank_configs(others, COLUMNS, tolerance, lower).entries
        run = [e.config["learning_rate"] for e in entries]
        orders = {Rule.CBS: run}
        orders |= {
            Rule.SCORE_ONLY: by_score(telling, tolerance, lower, mean_first=False),
            Rule.BEST_AVERAGE: by_score(telling, tolerance, lower, mean_first=True),
            Rule.PORTFOLIO: by_mean_rank(telling, sorted(run), lower, most),
        }
        for rule, order in orders.items():
            order = [*order, *sorted(set(run) - set(order))]
            found.setdefault(rule, []).append([picked(cell, order[:k], lower) for k in range(1, most + 1)])
        rates = list(cell["learning_rate"])
        random = [
            np.mean([picked(cell, list(c), lower) for c in combinations(rates, min(k, len(rates)))])
            for k in range(1, most + 1)
        ]
        found.setdefault(Rule.RANDOM, []).append([float(value) for value in random])
    return {
        rule: [float(pd.Series(k).mean()) for k in zip(*values, strict=True)]
        for rule, values in found.items()
    }


SCORE = st.sampled_from([0.2, 0.3, 0.49, 0.5, 0.7, 0.72, 0.9])
NOT_ABOVE_ZERO = st.sampled_from([-0.5, -0.2, 0.0])
RATES = (1e-4, 2e-4, 3e-4, 4e-4, 5e-4)


def tables_of(score: st.SearchStrategy[float]) -> st.SearchStrategy[pd.DataFrame]:
    """Ragged tables of a few datasets, with failed runs."""
    pair = st.one_of(st.tuples(score, score), st.just((NAN, NAN)))
    cell = st.dictionaries(st.sampled_from(RATES), pair, min_size=1)
    cells = st.lists(cell, min_size=2, max_size=5)
    return cells.map(lambda found: table({f"d{index}": cell for index, cell in enumerate(found)}))


TABLES = tables_of(SCORE)


@settings(deadline=None, max_examples=25)
@given(rows=TABLES, tolerance=st.sampled_from([0.0, 0.03, 0.4]), lower=st.booleans())
def test_it_agrees_with_a_slow_brute_force(rows: pd.DataFrame, tolerance: float, lower: bool) -> None:
    quick = leave_one_out(rows, COLUMNS, most=4, tolerance=tolerance, lower_is_better=lower)

    for rule, shares in slowly(rows, tolerance, lower, 4).items():
        expected = [None if math.isnan(share) else pytest.approx(share) for share in shares]
        assert list(quick.rules[rule].mean) == expected, rule


@settings(deadline=None, max_examples=15)
@given(rows=TABLES, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(rows: pd.DataFrame, seed: int) -> None:
    assert leave_one_out(rows.sample(frac=1, random_state=seed), COLUMNS) == leave_one_out(rows, COLUMNS)


@settings(deadline=None, max_examples=20)
@given(rows=tables_of(SCORE) | tables_of(NOT_ABOVE_ZERO), lower=st.booleans())
def test_shares_of_dev_lie_between_nothing_and_all_and_in_their_intervals(
    rows: pd.DataFrame, lower: bool
) -> None:
    found = leave_one_out(rows.drop(columns="test_score"), COLUMNS, lower_is_better=lower)

    for curve in found.rules.values():
        for mean, low, high in zip(curve.mean, curve.low, curve.high, strict=True):
            assert mean is None or 0 <= mean <= 1 + 1e-9
            assert low is None or (mean is not None and high is not None and low <= mean <= high)
    random = [value for value in found.rules[Rule.RANDOM].mean if value is not None]
    assert random == pytest.approx(sorted(random))
