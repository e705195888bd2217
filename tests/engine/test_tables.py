"""Tables of results that somebody else measured."""

from pathlib import Path

import pandas as pd
import pytest

from engine import tables
from engine.errors import TableError

HEADER = "dataset,model,method,learning_rate,score\n"


def file_of(folder: Path, text: str) -> Path:
    path = folder / "results.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_aliases_are_mapped_and_other_columns_named(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, "dataset,model,method,lr,lora_rank,score,minutes,status\nd,m,lora,1e-4,8,0.5,3,ok\n"
    )

    table = tables.read(path)

    assert table.config_columns == ("learning_rate", "lora_r")
    assert table.ignored == ("minutes", "status")


@pytest.mark.parametrize("text", ["", "nan", "NaN", "None", "NA"])
def test_a_row_without_a_score_is_a_failed_run(tmp_path: Path, text: str) -> None:
    table = tables.read(file_of(tmp_path, f"{HEADER}d,m,lora,1e-4,{text}\nd,m,lora,2e-4,0.5\n"))

    assert table.frame["score"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "results.csv is empty"),
        (" \n\n", "results.csv is empty"),
        (HEADER, "no rows"),
        (
            "dataset,model,method,learning_rate\nd,m,lora,1\n",
            "Column 'score' is missing; found 'dataset', 'model'",
        ),
        ("model,method,lr,score\nm,lora,1,1\n", "Column 'dataset' is missing"),
        (HEADER + "d,m,lora,1e-4,good\n", "Column 'score' must hold numbers, but row 1 has 'good'"),
        (
            HEADER + "d,m,lora,1,1\nd,m,lora,fast,1\n",
            "'learning_rate' must hold numbers, but row 2 has 'fast'",
        ),
        (HEADER + "d,m,lora,1,1\n,m,lora,2,1\n", "Column 'dataset' is empty in row 2"),
        (HEADER + "d,m,lora,1,0.5\nd,m,lora,1.0,0.6\n", "Two rows give different scores to the same config"),
        (HEADER + "d,m,lora,1,0.5\nd,m,lora,1,\n", "Two rows give different scores to the same config"),
        ("dataset,model,method,score\nd,m,lora,1\n", "No hyperparameter column found"),
        (
            "dataset,model,method,lr,learning_rate,score\nd,m,lora,1,1,1\n",
            "'lr' and 'learning_rate' mean the same",
        ),
        ('dataset,model\n"d', "neither a readable CSV nor a Parquet file"),
        (HEADER + "d,m,lora,1,0.5,7,8\n", "neither a readable CSV nor a Parquet file"),
    ],
)
def test_what_cannot_be_ranked_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        tables.read(file_of(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read: No such file"):
        tables.read(tmp_path / "nothing.csv")


def test_binary_rubbish_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(b"PAR1" + bytes(range(256)) * 4)

    with pytest.raises(TableError, match="neither a readable CSV nor a Parquet file"):
        tables.read(path)


def test_a_result_stated_twice_counts_once(tmp_path: Path) -> None:
    table = tables.read(file_of(tmp_path, f"{HEADER}d,m,lora,1e-4,0.5\nd,m,lora,0.0001,0.50\n"))

    assert len(table.frame) == 1


def test_seeds_and_training_sizes_are_not_repeats(tmp_path: Path) -> None:
    header = "dataset,model,method,lr,seed,train_size,score\n"
    path = file_of(tmp_path, header + "d,m,lora,1,0,100,.1\nd,m,lora,1,1,100,.2\nd,m,lora,1,1,,.3\n")

    assert len(tables.read(path).frame) == 3


def test_semicolons_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    table = tables.read(file_of(tmp_path, "\ufeff" + HEADER.replace(",", ";") + "d;m;lora;1e-4;0.5\n"))

    assert table.frame["score"].tolist() == [0.5]


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    csv = file_of(tmp_path, f"{HEADER}d,m,lora,1e-4,0.5\nd,m,full,2e-4,\n")
    parquet = tmp_path / "results.parquet"
    pd.read_csv(csv).to_parquet(parquet)

    pd.testing.assert_frame_equal(tables.read(parquet).frame, tables.read(csv).frame)


def test_named_config_columns_replace_the_known_ones(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, "dataset,model,method,lr,recipe,score\nd,m,lora,1e-4,a,0.5\nd,m,lora,1e-4,b,0.6\n"
    )

    table = tables.read(path, ["recipe"])

    assert (table.config_columns, table.ignored) == (("recipe",), ("lr",))
    with pytest.raises(TableError, match="Config column 'colour' is not a hyperparameter column"):
        tables.read(path, ["colour"])
