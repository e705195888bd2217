"""In folds every row outside the test selects, each answered by a training that did not see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from engine import crossval, dataset
from engine.dataset import Dataset
from engine.errors import ConfigError
from engine.records import RunKind, RunStatus
from tests import tiny
from tests.engine.test_train import FULL, LORA, carry_out, spec_of

pytestmark = pytest.mark.trains


def outside(data: Dataset) -> set[int]:
    return {row.number for name in ("train", "dev") for row in data.split(name)}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return dataset.build(tiny.write_jsonl(tmp_path / "colours.jsonl", tiny.tiny_classification(80)))


def test_each_row_outside_the_test_is_held_out_once_and_never_trained_on_then(data: Dataset) -> None:
    held_out: list[int] = []
    for fold in crossval.parts(data, 4, 30, seed=0):
        answered = {row.number for row in fold.dataset.split("dev")}
        learned = {row.number for row in fold.train_rows}
        assert not answered & learned
        assert len(learned) == 30
        assert fold.dataset.split("test") == ()
        held_out += answered

    assert sorted(held_out) == sorted(outside(data))


def test_rows_of_one_document_stay_in_one_fold(data: Dataset) -> None:
    rows = tuple(replace(row, group=f"document {row.number // 4}") for row in data.rows)
    grouped = replace(data, rows=rows, grouped=True)

    for fold in crossval.parts(grouped, 3, 20, seed=0):
        answered = {row.group for row in fold.dataset.split("dev")}
        assert not answered & {row.group for row in fold.train_rows}


@pytest.mark.parametrize("folds", [1, 11])
def test_folds_that_cannot_be_made_are_refused(data: Dataset, folds: int) -> None:
    with pytest.raises(ConfigError, match="folds must be 2 to 10"):
        crossval.check(folds, data)


@pytest.mark.parametrize("config", [FULL, LORA])
def test_a_run_in_folds_is_scored_on_all_rows_outside_the_test(
    colours: Dataset, tmp_path: Path, config: object
) -> None:
    spec = spec_of(colours, config=config, method=config.method, folds=3)  # type: ignore[attr-defined]

    result, events = carry_out(spec, colours, tmp_path / "run")

    assert (result.status, result.error) == (RunStatus.FINISHED, None)
    assert result.dev is not None and result.dev.n == len(outside(colours))
    assert result.test is not None and result.test.n == len(colours.split("test"))
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert sorted(table.loc[table["split"] == "dev", "row"]) == sorted(outside(colours))
    stages = [values["stage"] for kind, values in events if kind == "stage"]
    assert [stage for stage in stages if stage.startswith("fold")] == [f"fold {n} of 3" for n in (1, 2, 3)]


def test_its_test_answers_are_those_of_the_run_without_folds(colours: Dataset, tmp_path: Path) -> None:
    alone, _ = carry_out(spec_of(colours), colours, tmp_path / "alone")
    folded, _ = carry_out(spec_of(colours, folds=2), colours, tmp_path / "folded")

    assert folded.test == alone.test
    assert folded.facts["steps"] == alone.facts["steps"]


@pytest.mark.parametrize(("kind", "name"), [(RunKind.BASE, "base"), (RunKind.BASELINE, "tfidf_logreg")])
def test_what_is_not_trained_answers_the_same_rows(
    colours: Dataset, tmp_path: Path, kind: RunKind, name: str
) -> None:
    result, _ = carry_out(spec_of(colours, kind, name=name, folds=3), colours, tmp_path / "run")

    assert result.dev is not None and result.dev.n == len(outside(colours))


def test_a_time_cap_within_the_folds_keeps_the_model_and_its_own_dev_score(
    colours: Dataset, tmp_path: Path
) -> None:
    def is_folding(events: list[str]) -> bool:
        return any(stage.startswith("fold") for stage in events)

    from engine import train
    from engine.watch import StopMode

    stages: list[str] = []
    result = train.run(
        spec_of(colours, folds=3),
        colours,
        tmp_path / "run",
        1,
        lambda kind, values: stages.append(str(values.get("stage"))),
        lambda: StopMode.KEEP_BEST if is_folding(stages) else None,
    )

    assert result.status is RunStatus.STOPPED
    assert result.facts["note"].startswith("The run ended in fold 1")
    assert result.dev is not None and result.dev.n == len(colours.split("dev"))
    assert (tmp_path / "run" / "model").is_dir()
