"""Class by class: recall, precision, what is taken for what, and which classes have too few rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from engine import classes, evaluate, figures_classes, intervals
from engine.records import Role, Row, Task

MANY = [f"intent {n}" for n in range(77)]


def predictions(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> pd.DataFrame:
    """A test row for each (right class, answer)."""
    rows = {"test": [Row(n, {Role.SOURCE: "x"}, (gold,)) for n, (gold, _) in enumerate(pairs)]}
    said = {"test": [answer for _, answer in pairs]}
    return evaluate.prediction_table(Task.CLASSIFICATION, labels, rows, said)


# 100 rows of 'common', of which 90 are found; 4 of 'rare', of which 1 is; 2 answers that are no class
LONG_TAIL = (
    [("common", "common")] * 90
    + [("common", "rare")] * 8
    + [("common", "whatever")] * 2
    + [("rare", "rare")]
    + [("rare", "common")] * 3
)
LABELS = ("absent", "common", "rare")


def found(labels: Sequence[str] = LABELS) -> classes.Classes:
    result = classes.classes(predictions(LONG_TAIL, LABELS), labels)
    assert result is not None
    return result


def test_recall_and_precision_of_each_class_with_their_rows() -> None:
    common, rare, absent = found().scores

    assert (common.label, common.n, common.said) == ("common", 100, 93)
    assert common.recall is not None and common.precision is not None
    assert common.recall.value == pytest.approx(0.9)
    assert (common.recall.low, common.recall.high) == pytest.approx(intervals.wilson(90, 100))
    assert common.precision.value == pytest.approx(90 / 93)
    assert (rare.n, rare.said, rare.recall and rare.recall.value) == (4, 9, 0.25)
    assert (absent.n, absent.said, absent.recall, absent.precision) == (0, 0, None, None)


def test_classes_with_too_few_rows_are_named() -> None:
    told = classes.warning(found())

    assert told is not None
    assert told.startswith("Too few test rows to say anything about 2 of 3 classes: rare (4), absent (0).")
    assert "more than 20 points either way" in told


def test_a_rare_class_that_is_never_found_has_too_few_rows_though_its_interval_is_short() -> None:
    table = predictions([("common", "common")] * 60 + [("rare", "common")] * 7, LABELS)
    result = classes.classes(table, ("common", "rare"))

    assert result is not None
    assert "1 of 2 classes: rare (7)" in (classes.warning(result) or "")


def test_a_class_with_enough_rows_is_not_warned_about() -> None:
    table = predictions([("a", "a")] * 20 + [("a", "b")] * 20 + [("b", "b")] * 30, "ab")
    result = classes.classes(table)

    assert result is not None and classes.warning(result) is None


def test_macro_f1_shows_what_accuracy_hides() -> None:
    said = classes.finding(found())

    assert said.startswith("Accuracy 87.5 (79.8 to 92.5) over the rows, macro-F1 ")
    assert said.endswith("on 104 test rows; 2 answers name no class")
    assert found().measures["macro_f1"].value < 0.6 < found().measures["accuracy"].value


def test_the_confusion_table_counts_every_row_once() -> None:
    table = classes.confusion(predictions(LONG_TAIL, LABELS))

    assert (table.golds, table.said) == (("common", "rare"), ("common", "rare", classes.INVALID))
    assert table.counts.tolist() == [[90, 8, 2], [3, 1, 0]]


def test_of_many_classes_those_with_most_mistakes_are_shown_and_the_rest_are_summed() -> None:
    pairs = [(name, name) for name in MANY] + [("intent 70", "intent 71")] * 5 + [("intent 3", "x")]

    table = classes.confusion(predictions(pairs, MANY), most=3)

    assert table.golds == ("intent 70", "intent 3", "intent 71", classes.OTHER)
    assert table.said[-1] == classes.INVALID and table.classes == 77
    assert table.counts.sum() == len(pairs)
    assert table.counts[0].tolist() == [1, 0, 5, 0, 0]


def test_a_class_may_be_called_like_the_sum_of_the_rest() -> None:
    table = classes.confusion(
        predictions([(classes.OTHER, "a"), ("a", "a"), ("b", "b")], [classes.OTHER]), most=1
    )

    assert table.counts.sum() == 3


def test_one_answer_to_nearly_all_rows_is_told_unless_nearly_all_rows_are_so() -> None:
    mixed = [("a", "a")] * 60 + [("b", "a")] * 35 + [("b", "b")] * 2 + [("a", "b")] * 3
    uniform = [("a", "a")] * 95 + [("b", "b")] * 5

    told = classes.one_answer(predictions(mixed, "ab"))

    assert told == "It answers 'a' to 95 of 100 test rows, 60 of them rightly."
    assert classes.one_answer(predictions(uniform, "ab")) is None


def test_a_split_without_rows_has_no_classes() -> None:
    assert classes.classes(predictions(LONG_TAIL, LABELS), split="dev") is None


def test_rows_of_one_document_widen_a_class() -> None:
    rows = [Row(n, {Role.SOURCE: "x"}, ("a",), f"d{n // 10}") for n in range(40)]
    said = {"test": ["a"] * 20 + ["b"] * 20}
    table = evaluate.prediction_table(Task.CLASSIFICATION, "ab", {"test": rows}, said)
    result = classes.classes(table)

    assert result is not None and result.scores[0].recall is not None
    assert result.scores[0].recall.high - result.scores[0].recall.low > 0.6


def test_the_download_has_a_line_for_each_class_and_nothing_for_what_is_missing() -> None:
    lines = classes.table(found())

    assert lines["class"].tolist() == ["common", "rare", "absent"]
    assert lines["enough_rows"].tolist() == [True, False, False]
    assert pd.isna(lines.loc[2, "recall"]) and lines.loc[1, "recall"] == 0.25


def test_the_recall_plot_says_which_class_is_found_and_marks_those_with_too_few_rows() -> None:
    info = figures_classes.recall_info(found(), "LoRA", base=found())
    figure = figures_classes.recall_figure(info)

    assert info.title == "Found of 'common': 90 %; 2 of 3 have too few rows to say"
    assert [trace.name for trace in figure.data] == ["LoRA", "LoRA, too few rows to say", "untuned base"]
    assert [point.base for point in info.points] == pytest.approx([90, 25])
    assert figure.data[1].hovertemplate and figure.data[1].x == (25.0,)


def test_seventy_seven_classes_stay_readable() -> None:
    pairs = [(name, MANY[0] if n % 3 else name) for n, name in enumerate(MANY * 2)]
    result = classes.classes(predictions(pairs, MANY))
    assert result is not None

    recall = figures_classes.recall_info(result, "full fine-tuning")
    confusion = figures_classes.confusion_info(classes.confusion(predictions(pairs, MANY)), "LoRA")

    assert len(recall.points) == 30 and "the 30 lowest of 77 shown" in recall.title
    assert len(confusion.golds) == 21 and "the 20 of 77 classes" in confusion.title
    assert figures_classes.confusion_figure(confusion).layout.height < 1000


def test_the_cells_of_the_confusion_plot_let_a_dark_page_through() -> None:
    info = figures_classes.confusion_info(classes.confusion(predictions(LONG_TAIL, LABELS)), "LoRA")

    scale = figures_classes.confusion_figure(info).data[0].colorscale

    assert [colour for _, colour in scale] == ["rgba(138,138,138,0.08)", "rgba(31,131,198,0.75)"]


def test_the_confusion_plot_names_the_most_frequent_mistake_and_escapes_labels() -> None:
    table = predictions([("<b>a</b>", "c & d")] * 3 + [("c & d", "c & d")], ("<b>a</b>", "c & d"))
    info = figures_classes.confusion_info(classes.confusion(table), "LoRA")
    figure = figures_classes.confusion_figure(info)

    assert info.title == "The most frequent mistake: 'c & d' for '<b>a</b>' (3 rows)"
    assert (
        figure.layout.title.text
        == "The most frequent mistake: 'c &amp; d' for '&lt;b&gt;a&lt;/b&gt;' (3 rows)"
    )
    assert list(figure.data[1].text) == ["3", "1"]
    assert figure.data[0].z[0] == (0.0, 100.0) or list(figure.data[0].z[0]) == [0.0, 100.0]
