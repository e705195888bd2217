"""Pairs of methods, sizes and models: dev selects, test reports, and no cell is averaged away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine import agreement, figures_agreement, figures_cost, figures_paired, paired

NAN = float("nan")


def run(dataset: str, method: str, rate: float, dev: float, test: float, **more: object) -> dict[str, object]:
    return {
        "dataset": dataset, "model": "m", "method": method, "train_size": 100, "seed": 0,
        "metric": "accuracy", "learning_rate": rate, "num_train_epochs": 3, "score": dev,
        "test_score": test, "seconds": 10.0, **more,
    }  # fmt: skip


TABLE = pd.DataFrame(
    [
        # by dev 1e-3 wins although 1e-2 has the better test score
        run("trec", "lora", 1e-3, 0.6, 0.50, test_rows=[1.0] * 50 + [0.0] * 50, seconds=20.0),
        run("trec", "lora", 1e-2, 0.5, 0.90, test_rows=[1.0] * 90 + [0.0] * 10),
        run("trec", "full", 1e-3, 0.7, 0.80, test_rows=[1.0] * 80 + [0.0] * 20),
        run("qa", "lora", 1e-3, 0.3, 0.30, test_rows=[0.3] * 100),
        run("qa", "full", 1e-3, 0.2, 0.30, test_rows=[0.3] * 100),
        run("alone", "full", 1e-3, 0.2, 0.30, test_rows=[0.3] * 100),
        run("broken", "full", 1e-3, 0.2, 0.30, test_rows=[0.3] * 100),
        run("broken", "lora", 1e-3, NAN, NAN, test_rows=None),
    ]
)


def compared(table: pd.DataFrame = TABLE) -> paired.Comparison:
    return paired.compare(table, "method", "lora", "full")


def test_dev_selects_and_test_reports() -> None:
    trec = compared().pairs[1]

    assert trec.cell.dataset == "trec"
    assert trec.first.config == {"learning_rate": 1e-3, "num_train_epochs": 3}
    assert (trec.first.value, trec.second.value) == (0.5, 0.8)
    assert (trec.first.finished, trec.second.finished) == (2, 1)


def test_the_difference_is_of_the_same_rows() -> None:
    qa, trec = compared().pairs

    assert trec.difference == pytest.approx(-0.3)
    assert trec.low is not None
    assert trec.high is not None
    assert trec.low < -0.3 < trec.high < 0
    assert (trec.outcome, qa.outcome) == (-1, 0)


def test_a_cell_with_one_side_or_a_failed_one_is_no_pair_and_is_named() -> None:
    found = compared()

    assert [(cell.dataset, side) for cell, side in found.unpaired] == [("alone", "lora"), ("broken", "lora")]
    assert figures_paired.pair_info(found).notes[-1] == "No pair, for want of LoRA: alone, broken."


def test_two_datasets_are_too_few_for_an_interval_of_the_mean() -> None:
    found = compared()

    assert found.mean == pytest.approx(-0.15)
    assert (found.low, found.high, found.units) == (None, None, 2)


def test_the_mean_is_over_datasets_not_cells() -> None:
    more = [run("qa", m, 1e-3, 0.2, s, train_size=1000) for m, s in (("lora", 0.4), ("full", 0.3))]

    found = compared(pd.concat([TABLE, pd.DataFrame(more)]))

    assert found.mean == pytest.approx((-0.3 + 0.05) / 2)


def test_of_a_loss_less_is_better() -> None:
    losses = TABLE.drop(columns=["test_score", "test_rows"])

    found = paired.compare(losses, "method", "lora", "full", lower_is_better=True)

    trec = found.pairs[1]
    assert (trec.first.config["learning_rate"], trec.first.value) == (1e-2, 0.5)
    assert trec.difference == pytest.approx(0.2)
    assert (trec.outcome, found.split) == (None, "dev")


def test_seeds_of_a_config_are_averaged_before_dev_selects() -> None:
    # 1e-2 has the best single seed, 1e-3 the best mean
    seeds = [
        run("trec", "lora", 1e-3, 0.6, 0.4), run("trec", "lora", 1e-3, 0.6, 0.6, seed=1),
        run("trec", "lora", 1e-2, 0.9, 0.9), run("trec", "lora", 1e-2, 0.1, 0.1, seed=1),
        run("trec", "full", 1e-3, 0.5, 0.5),
    ]  # fmt: skip

    side = compared(pd.DataFrame(seeds)).pairs[0].first

    assert side.config["learning_rate"] == 1e-3
    assert side.value == pytest.approx(0.5)


def test_cost_is_compared_at_equal_epochs_and_batch() -> None:
    found = compared()

    assert found.ratios["seconds"] == pytest.approx(np.median([15 / 10, 10 / 10, 10 / 10]))
    assert found.ratios["peak_memory_mb"] is None


def test_titles_say_who_wins_where_and_by_how_much() -> None:
    found = compared()
    info = figures_paired.pair_info(found)

    assert info.finding == "LoRA is better than full fine-tuning on 0 of 2 datasets, worse on 1, tied on 1"
    assert info.title.startswith("On average LoRA is 15.0 points worse than full fine-tuning on test")
    assert figures_cost.cost_info(found, info).title == (
        "At equal epochs and batch LoRA takes 1.00 x the time of full fine-tuning; memory was not measured "
        "(medians)"
    )


def test_sides_have_the_colours_of_their_methods() -> None:
    info = figures_paired.pair_info(compared())

    figure = figures_paired.pair_figure(info)
    bars = figures_cost.cost_figure(figures_cost.cost_info(compared(), info))

    assert {trace.name: trace.marker.color for trace in figure.data[:2]} == {
        "LoRA": "#1F83C6",
        "Full fine-tuning": "#D55E00",
    }
    assert [list(trace.x) for trace in bars.data] == [[0.167, 0.333], [0.167, 0.167]]


def test_without_a_pair_the_figure_is_empty_and_says_so() -> None:
    info = figures_paired.pair_info(compared(TABLE[TABLE["dataset"] == "alone"]))

    assert info.finding == "LoRA and full fine-tuning were never run on the same dataset here"
    assert not figures_paired.pair_figure(info).data


def test_agreement_is_by_rank_within_a_dataset_over_configs_that_ran_on_both_sides() -> None:
    rows = [
        run("trec", "lora", rate, dev, 0, train_size=size)
        for size, scores in ((100, (0.1, 0.2, 0.4)), (1000, (0.5, 0.6, 0.8)))
        for rate, dev in zip((1e-3, 3e-3, 1e-2), scores, strict=True)
    ]
    rows.append(run("trec", "lora", 3e-2, 0.3, 0))

    found = agreement.agreement(pd.DataFrame(rows), "train_size", 100, 1000)
    info = figures_agreement.agreement_info(found, "train_size", 100, 1000)

    assert found.by_unit == {"trec": pytest.approx(1.0)}
    assert [(round(x), round(y), n) for _, x, y, n in found.points] == [
        (25, 62, 1),
        (50, 75, 1),
        (100, 100, 1),
    ]
    assert info.title == (
        "Configs rank alike with 100 rows and 1,000 rows: rank correlation 1.00 over 1 dataset"
    )
    assert len(figures_agreement.agreement_figure(info).data[0].x) == 3


def test_the_front_holds_what_no_run_beats_in_score_and_memory() -> None:
    runs = pd.DataFrame(
        [
            ("a", "lora", 0.5, 2000.0), ("b", "full", 0.6, 8000.0), ("c", "vera", 0.4, 3000.0),
            ("d", "vera", 0.1, 1000.0), ("e", "lora", NAN, 500.0),
        ],
        columns=["experiment", "method", "score", "peak_memory_mb"],
    )  # fmt: skip

    info = figures_cost.front_info(runs)

    assert [point.name for point in info.points if point.on_front] == ["d", "a", "b"]
    assert info.title == (
        "3 of 4 runs are beaten by none in both score and memory: vera, LoRA and full fine-tuning"
    )
    assert {trace.name for trace in figures_cost.front_figure(info).data} == {
        "LoRA", "Full fine-tuning", "Other methods",
    }  # fmt: skip


def test_rows_are_many_and_models_keep_their_names() -> None:
    sizes = [
        run("trec", "lora", 1e-3, 0.5, value, train_size=size) for size, value in ((1000, 0.6), (100, 0.5))
    ]
    found = paired.compare(pd.DataFrame(sizes), "train_size", 1000, 100)

    assert figures_paired.pair_info(found).title == "1,000 rows are 10.0 points better than 100 rows on test"
    assert figures_paired.capital("shortlist-tiny-4m") == "shortlist-tiny-4m"
