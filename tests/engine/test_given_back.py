"""A file comes back whole with its answers, in its own format; confidence is calibrated on dev."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine import baselines, confidence, dataset, predict, reading
from engine.given_back import FORMATS, GivenBack
from engine.records import Role, Row, RunKind, Task
from tests import studies, tiny
from tests.shared import shared

ANSWERS = pd.DataFrame({"row": [1, 4, 6], "prediction": ["billing", "=1+1", "billing"],
                        "valid": [True, False, True], "confidence": [0.9, None, 0.8]})  # fmt: skip


def test_case_60_every_row_and_column_comes_back_and_empty_ones_are_marked(tmp_path: Path) -> None:
    path = shared("cases/60_new_rows.csv")
    rows = [{"text": f"parcel {i} is here {'now' * (i % 5)}", "label": "ab"[i % 2]} for i in range(20)]
    table, new = dataset.read_new(path, dataset.build(tiny.write_jsonl(tmp_path / "rows.jsonl", rows)))
    found = GivenBack(table, ANSWERS)

    given = pd.read_csv(path, dtype=str, keep_default_na=False)
    back = pd.read_csv(io.BytesIO(found.encode(found.suffix)), dtype=str, keep_default_na=False)

    assert [row.number for row in new] == [1, 4, 6]
    assert found.suffix == ".csv"
    assert list(back.columns) == ["id", "text", "source", "prediction", "valid", "confidence"]
    assert back[list(given.columns)].map(str.strip).equals(given.map(str.strip))
    assert list(back["prediction"]) == ["billing", "", "", "'=1+1", "", "billing"]
    assert list(back["valid"]) == ["true", "false", "false", "false", "false", "true"]
    assert found.told == (
        "6 rows given back, 3 answered; 3 without text: kept, with an empty prediction and valid false; "
        "1 with an answer that is none of the labels."
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_comes_back_in_its_own_format(tmp_path: Path, suffix: str) -> None:
    records = [{"n": i, "text": f"text, {i}", "prediction": "mine"} for i in range(1, 7)]
    path = tmp_path / f"new{suffix}"
    frame = pd.DataFrame(records)
    if suffix in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep=";" if suffix == ".csv" else "\t")
    elif suffix in (".json", ".jsonl"):
        path.write_text(
            json.dumps(records) if suffix == ".json" else "\n".join(json.dumps(r) for r in records)
        )
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_excel(path, index=False)

    found = GivenBack(reading.read(path), ANSWERS)
    (tmp_path / f"back{suffix}").write_bytes(found.encode(found.suffix))
    back = reading.read(tmp_path / f"back{suffix}")

    assert found.suffix == suffix
    assert [{k: str(r[k]) for k in records[0]} for r in back.records] == [
        {k: str(v) for k, v in record.items()} for record in records
    ]
    assert back.records[0]["prediction_"] == "billing"
    assert back.layout.delimiter == reading.read(path).layout.delimiter


def test_a_temperature_fits_and_is_measured_on_other_rows() -> None:
    rows = [Row(n, {Role.SOURCE: "x"}, ("ab"[n % 2],)) for n in range(400)]
    signs = np.array([(1 if n % 2 == 0 else -1) * (-1 if n % 5 == 0 else 1) for n in range(400)])
    values = np.stack([signs * 5.0, -signs * 5.0], axis=1)  # sure of itself, right in 4 of 5

    found = confidence.calibrated(("a", "b"), (values[:200], rows[:200]), (values[200:], rows[200:]))

    assert found is not None
    assert found.mean == pytest.approx(0.8, abs=0.01)
    assert found.error < 0.08 < 0.15 < found.plain_error
    assert confidence.of_answers(values[:1], ("a", "b"), ["?"], 1.0) == [None]


def test_a_baseline_says_how_sure_it_is_and_keeps_what_it_measured(tmp_path: Path) -> None:
    data = dataset.build(tiny.write_jsonl(tmp_path / "rows.jsonl", tiny.tiny_classification(120)))
    spec = studies.spec(kind=RunKind.BASELINE, name="tfidf_logreg")

    table, note = predict.predict(spec, studies.result(), tmp_path, data, data.split("test"))

    assert table["confidence"].between(0, 1).all()
    assert f"fits {len(data.split('dev'))} dev rows best" in note
    kept = confidence.kept(tmp_path)
    assert kept is not None and kept.sentence() == note
    assert baselines.names(Task.CLASSIFICATION)[1] == spec.name


def test_a_csv_of_one_column_comes_back_with_commas(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("message\n" + "".join(f"a text of some words {i}\n" for i in range(6)))

    found = GivenBack(reading.read(path), ANSWERS)

    assert found.encode(found.suffix).decode().splitlines()[0] == "message,prediction,valid,confidence"
