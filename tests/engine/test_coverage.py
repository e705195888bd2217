"""Coverage-based Search against an example done by hand, its stated properties and brute force."""

from itertools import combinations, product
from math import e, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.coverage import LeftOut, Ranking, normalize, rank_configs
from engine.errors import ConfigError

SCORES = {1: (0.80, 0.50, 0.40), 2: (0.79, 0.60, 0.10), 3: (0.40, 0.59, 0.60), 4: (0.10, 0.10, 0.60)}


def table_of(scores: dict[int, tuple[float | None, ...]]) -> pd.DataFrame:
    """A row for each (config, dataset) that has a score or NaN; None: not run."""
    rows = [
        {"model": "m", "dataset": f"d{index}", "lora_r": config, "score": score}
        for config, values in scores.items()
        for index, score in enumerate(values)
        if score is not None
    ]
    return pd.DataFrame(rows)


def rank(scores: dict[int, tuple[float | None, ...]], **options: object) -> Ranking:
    return rank_configs(table_of(scores), ["lora_r"], **options)  # type: ignore[arg-type]


def order(ranking: Ranking) -> list[int]:
    return [entry.config["lora_r"] for entry in ranking.entries]


@st.composite
def grids(draw: st.DrawFn) -> dict[int, tuple[float | None, ...]]:
    """Up to 5 configs in up to 5 cells, some of them failed (NaN) or not run (None)."""
    cells = draw(st.integers(1, 5))
    score = st.one_of(st.integers(60, 100).map(lambda n: n / 100), st.just(nan), st.none())
    values = st.lists(score, min_size=cells, max_size=cells).filter(lambda v: any(s is not None for s in v))
    return dict(enumerate(map(tuple, draw(st.lists(values, min_size=1, max_size=5))), start=1))


def test_the_example_done_by_hand() -> None:
    ranking = rank(SCORES)

    found = [(c.config["lora_r"], c.covers, c.new, round(c.cumulative_coverage, 3)) for c in ranking.entries]
    assert found == [(2, 2, 2, 0.667), (3, 2, 1, 1.0), (1, 1, 0, 1.0), (4, 1, 0, 1.0)]
    assert [entry.score for entry in ranking.entries] == pytest.approx([1.9875, 1 + 59 / 60, 1, 1])
    assert [c.mean_normalized for c in ranking.entries] == pytest.approx(
        [(0.9875 + 1 + 1 / 6) / 3, (0.5 + 59 / 60 + 1) / 3, (1 + 5 / 6 + 2 / 3) / 3, (1 / 8 + 1 / 6 + 1) / 3]
    )
    assert [entry.rank for entry in ranking.entries] == [1, 2, 3, 4]
    assert ranking.complete
    assert ranking.covered.sum(axis=0).tolist() == [2, 2, 1, 1]


def test_a_score_exactly_at_the_tolerance_is_a_top_config() -> None:
    ranking = rank({1: (1.0,), 2: (0.97,), 3: (0.9699,)})

    assert [entry.covers for entry in ranking.entries] == [1, 1, 0]


def test_a_loss_is_best_where_it_is_least() -> None:
    ranking = rank({1: (2.0, 1.0), 2: (1.0, 1.005), 3: (4.0, nan)}, lower_is_better=True, tolerance=0.01)

    assert order(ranking) == [2, 1, 3]
    assert ranking.normalized.round(4).tolist() == [[1.0, 0.5, 0.25], [0.995, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("scores", "lower", "expected"),
    [
        ((-1.0, -3.0, -2.0), False, [1.0, 0.0, 0.5]),
        ((0.0, -4.0, -1.0), False, [1.0, 0.0, 0.75]),
        ((-1.0, -3.0, -2.0), True, [0.0, 1.0, 0.5]),
        ((4.0, 0.0, 1.0), True, [0.0, 1.0, 0.75]),
    ],
)
def test_a_cell_whose_best_is_not_above_zero_is_scaled_from_worst_to_best(
    scores: tuple[float, ...], lower: bool, expected: list[float]
) -> None:
    ran = np.ones((1, 3), dtype=bool)

    assert normalize(np.array([scores]), ran, lower).tolist() == [expected]


def test_a_failed_run_counts_zero_and_one_that_never_ran_counts_nothing() -> None:
    ranking = rank({1: (nan, 0.9), 2: (None, 0.9), 3: (0.5, 0.8), 4: (0.4, 0.8)})

    means = {entry.config["lora_r"]: entry.mean_normalized for entry in ranking.entries}
    assert (means[1], means[2]) == (0.5, 1.0)
    assert (ranking.complete, ranking.missing) == (False, 1)


def test_seeds_are_averaged_over_those_that_finished() -> None:
    rows = [("d", 1, 0, 0.4), ("d", 1, 1, 0.8), ("d", 1, 2, nan), ("d", 2, 0, 1.0), ("d", 3, 0, nan)]
    table = pd.DataFrame(rows, columns=["dataset", "lora_r", "seed", "score"])

    ranking = rank_configs(table, ["lora_r"])

    assert [entry.mean_normalized for entry in ranking.entries] == pytest.approx([1.0, 0.6, 0.0])


def test_cells_that_say_nothing_are_left_out_and_named() -> None:
    ranking = rank({1: (0.5, nan, 0.7), 2: (0.5, nan, 0.9), 3: (nan, nan, None)})

    assert [cell.dataset for cell in ranking.cells] == ["d2"]
    assert [(cell.dataset, reason) for cell, reason in ranking.left_out] == [
        ("d0", LeftOut.TIE),
        ("d1", LeftOut.ALL_FAILED),
    ]
    assert ranking.entries[-1].mean_normalized is None


def test_a_table_in_which_no_cell_says_anything_is_ordered_by_config() -> None:
    ranking = rank({2: (0.5,), 1: (0.5,), 3: (nan,)})

    assert order(ranking) == [1, 2, 3]
    assert [entry.cumulative_coverage for entry in ranking.entries] == [0, 0, 0]


def test_ties_go_to_the_larger_score_then_the_larger_mean_then_the_config_text() -> None:
    scores = {9: (1.0, 0.2), 10: (1.0, 0.3), 11: (1.0, 0.3), 1: (0.1, 1.0)}

    # 10 before 11 and 9 last of the three: all cover d0 alone, 9 has the least mean, "10" < "11" as text
    assert order(rank(scores)) == [10, 1, 11, 9]


def test_models_datasets_and_training_sizes_make_different_cells() -> None:
    keys = list(product("ab", ("x", "y"), (100, 1000)))
    rows = [(*key, rate, rate * 100) for key in keys for rate in (1e-4, 3e-4)]
    table = pd.DataFrame(rows, columns=["model", "dataset", "train_size", "learning_rate", "score"])

    ranking = rank_configs(table, ["learning_rate"])

    assert len(ranking.cells) == 8
    assert ranking.entries[0].covers == 8


def test_blank_hyperparameters_are_left_out_and_whole_numbers_stay_whole() -> None:
    table = pd.DataFrame({"dataset": "d", "lora_r": [8.0, nan], "learning_rate": 1e-3, "score": [0.5, 0.4]})

    first, second = rank_configs(table, ["lora_r", "learning_rate"]).entries

    assert repr(first.config) == "{'lora_r': 8, 'learning_rate': 0.001}"
    assert second.config == {"learning_rate": 0.001}


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, nan])
def test_an_impossible_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(ConfigError, match="tolerance must be at least 0 and below 1"):
        rank(SCORES, tolerance=tolerance)


@given(grids(), st.randoms())
def test_the_order_of_the_rows_does_not_matter(
    scores: dict[int, tuple[float | None, ...]], random: object
) -> None:
    table = table_of(scores)
    rows = list(range(len(table)))
    random.shuffle(rows)  # type: ignore[attr-defined]

    shuffled = rank_configs(table.iloc[rows], ["lora_r"])

    assert shuffled.entries == rank_configs(table, ["lora_r"]).entries


@given(grids())
def test_a_config_that_covers_every_cell_ranks_first(scores: dict[int, tuple[float | None, ...]]) -> None:
    cells = len(next(iter(scores.values())))

    ranking = rank({**scores, 6: (1.01,) * cells, 7: (0.5,) * cells})

    assert order(ranking)[0] == 6


@given(grids())
def test_cumulative_coverage_never_falls_and_reaches_every_cell(
    scores: dict[int, tuple[float | None, ...]],
) -> None:
    ranking = rank(scores)

    coverage = [entry.cumulative_coverage for entry in ranking.entries]
    assert coverage == sorted(coverage)
    assert coverage[-1] == (1.0 if ranking.cells else 0.0)
    assert [entry.new > 0 for entry in ranking.entries] == sorted(
        (c.new > 0 for c in ranking.entries), reverse=True
    )


@given(grids())
def test_the_greedy_cover_is_near_the_best_of_all_covers(scores: dict[int, tuple[float | None, ...]]) -> None:
    ranking = rank(scores)

    for k in range(1, len(ranking.entries) + 1):
        subsets = combinations(range(len(ranking.entries)), k)
        best = max(int(ranking.covered[:, list(chosen)].any(axis=1).sum()) for chosen in subsets)
        greedy = int(ranking.covered[:, :k].any(axis=1).sum())
        assert greedy >= (1 - 1 / e) * best
        assert greedy == sum(entry.new for entry in ranking.entries[:k])


@given(grids())
def test_a_dominated_duplicate_adds_nothing(scores: dict[int, tuple[float | None, ...]]) -> None:
    plain = rank(scores)
    first = scores[order(plain)[0]]

    doubled = rank({**scores, 99: tuple(s if s is None else s * 0.999 for s in first)})

    assert next(entry.new for entry in doubled.entries if entry.config["lora_r"] == 99) == 0
