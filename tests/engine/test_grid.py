"""The offline experiment: its spec, its trainings, and what is published of it."""

import json
import shutil
from collections.abc import Sequence
from math import isnan
from pathlib import Path

import pytest

from engine import dataset, grid, gridresults, grids, models, space, train
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.grid import GridSpec
from engine.gridspec import Part
from engine.records import Method, RunKind, RunResult, RunSpec, RunStatus, Score
from engine.shortlist import recommend
from tests.tiny import tiny_classification, tiny_model, write_jsonl

MODEL = "shortlist-tiny-4m"
PLACE = {"datasets": ("colours",), "models": ("SmolLM2",), "methods": (Method.LORA,)}
SPEC = {"version": "t1", "datasets": ["colours"], "models": [MODEL], "methods": ["lora", "full"]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weights model, made once."""
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def source(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One dataset in three files; the model; no grid."""
    shutil.copytree(weights, tmp_path / "models" / MODEL)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    folder = tmp_path / "source" / "colours"
    folder.mkdir(parents=True)
    write_jsonl(folder / "train.jsonl", tiny_classification(60, seed=1))
    write_jsonl(
        folder / "validation.jsonl", [{**row, "text": f"{row['text']} v"} for row in tiny_classification(30)]
    )
    write_jsonl(
        folder / "test.jsonl", [{**row, "text": f"{row['text']} t"} for row in tiny_classification(40)]
    )
    return folder.parent


def spec_of(**changes: object) -> GridSpec:
    return GridSpec.model_validate({**SPEC, "train_sizes": [20], "dev_rows": 20, "test_rows": 10, **changes})


def finished(
    run: RunSpec, dev: int, epochs: Sequence[int], value: float, error: str | None = None
) -> RunResult:
    """A result as engine.train writes it for a run that got as far as these epochs."""
    rows = ([1.0, 0.0] * dev)[:dev]
    score = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 20}
    entries = [
        {
            "epoch": epoch,
            "dev": {**score, "value": value + epoch / 100},
            "test": {**score, "n": 10},
            "dev_loss": 1.0,
            "seconds": 2.0 * epoch,
            "per_row_dev": rows,
            "per_row_test": rows[:10],
        }
        for epoch in epochs
    ]
    status = RunStatus.FAILED if error else RunStatus.FINISHED
    facts = {"epochs": entries, "tokens_per_second": 1000.0, "versions": {"torch": "2"}, "device": "CPU"}
    return RunResult(run.run, 1, status, seconds=12.0, error=error, facts=facts)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "../v1"}, "version"),
        ({"datasets": []}, "datasets"),
        ({"methods": ["qlora"]}, "methods.0"),
        ({"train_sizes": [0]}, "train_sizes.0"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_name_of_its_field(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps({**SPEC, **changes}))

    with pytest.raises(ConfigError, match=f"spec.yaml: {field}: "):
        grid.read_spec(path)


def test_the_shipped_specs_can_be_read() -> None:
    folder = Path(grid.__file__).resolve().parents[1] / "grids"

    assert [grid.read_spec(path).version for path in sorted(folder.glob("*.yaml"))]


def test_datasets_are_cut_to_size_the_same_way_each_time(source: Path, tmp_path: Path) -> None:
    spec = spec_of()

    found = grid.prepare(spec, source, tmp_path / "a")["colours"]
    again = grid.prepare(spec, source, tmp_path / "b")["colours"]

    sizes = {name: len(rows) for name, rows in found.splits.items()}
    assert sizes["test"] == 10
    assert sizes["dev"] <= 20
    assert sizes["train"] >= 30
    assert found == again
    assert dataset.load(found.id, tmp_path / "a") == found


def test_every_row_of_the_source_is_recognised_later(source: Path, tmp_path: Path) -> None:
    found = grid.prepare(spec_of(), source, tmp_path)

    assert len(grid.row_hashes(found, source)["colours"]) == 130


def test_a_missing_dataset_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no dataset 'smells'"):
        grid.prepare(spec_of(datasets=["smells"]), source, tmp_path)


def test_trainings_stand_for_every_config_of_the_space_once(source: Path, tmp_path: Path) -> None:
    (lora, full) = grid.cells(spec_of(), grid.prepare(spec_of(), source, tmp_path))

    for cell in (lora, full):
        runs = grid.trainings(cell)
        configs = [config for run in runs for config in grid.configs_of(run)]
        assert len(runs) == len(configs) / 3
        assert sorted(c.to_json() for c in configs) == sorted(
            c.to_json() for c in space.search_space(MODEL, cell.method)
        )


def test_ids_are_the_same_again_and_differ_between_runs(source: Path, tmp_path: Path) -> None:
    spec = spec_of()
    datasets = grid.prepare(spec, source, tmp_path)

    ids = [run.run for run in grid.expand(spec, datasets)]

    assert ids == [run.run for run in grid.expand(spec, datasets)]
    assert len(set(ids)) == len(ids)
    assert set(ids).isdisjoint(run.run for run in grid.expand(spec_of(max_length=64), datasets))


def test_all_cells_advance_together(source: Path, tmp_path: Path) -> None:
    spec = spec_of()
    runs = grid.expand(spec, grid.prepare(spec, source, tmp_path))

    assert [run.kind for run in runs[:2]] == [RunKind.BASE, RunKind.CUSTOM]
    assert [run.method for run in runs[1:5]] == [Method.LORA, Method.FULL] * 2


def test_few_shot_stands_in_each_cell_beside_the_untuned_model(source: Path, tmp_path: Path) -> None:
    spec = spec_of(methods=["full"], few_shot=True)
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    datasets = grid.prepare(spec, source, files.datasets_root)
    base, asked, good, *_ = grid.expand(spec, datasets)
    dev = len(datasets["colours"].split("dev"))
    files.write_result(finished(good, dev, (1, 3, 5), 0.5))
    scores = {"dev": Score(0.4, 0.3, 0.5, dev), "test": Score(0.45, 0.3, 0.6, 10)}
    files.write_result(RunResult(asked.run, 1, RunStatus.FINISHED, **scores))

    table = gridresults.collect(spec, datasets, files.read_result)

    assert (base.kind, asked.kind) == (RunKind.BASE, RunKind.FEW_SHOT)
    assert base.run != asked.run and asked.name == "colours, full, few-shot"
    assert set(table["few_shot_score"]) == {0.4} and set(table["few_shot_test_score"]) == {0.45}
    assert set(table["floor_score"]) == set(table["constant_score"])
    assert asked.run not in {run.run for run in grid.expand(spec_of(methods=["full"]), datasets)}


def test_the_default_of_a_real_llm_fits_the_size_of_the_cell() -> None:
    small, large = (
        grid._configs(  # a cell needs the weights
            spec_of(), Part(**PLACE, defaults=("default",)), "SmolLM2", Method.LORA, size
        )["default"][0]
        for size in (100, 400)
    )

    assert (small.num_train_epochs, large.num_train_epochs) == (5, 2)


def test_what_is_published_can_be_ranked_and_says_what_is_missing(source: Path, tmp_path: Path) -> None:
    spec, files = spec_of(methods=["full"]), Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    datasets = grid.prepare(spec, source, files.datasets_root)
    _, good, broken, *_ = grid.expand(spec, datasets)
    dev = len(datasets["colours"].split("dev"))
    files.write_result(finished(good, dev, (1, 3, 5), 0.5))
    files.write_result(finished(broken, dev, (1,), 0.3, error="The loss is not finite."))

    table = gridresults.collect(spec, datasets, files.read_result)
    facts = gridresults.manifest(
        spec,
        datasets,
        table,
        files.read_result,
        digests=grid.digests(spec, source),
        created=1.0,
        workers=1,
        cores=2,
    )
    gridresults.publish(grids.FOLDER, table, facts, grid.row_hashes(datasets, source))

    results = grids.load("t1")
    assert sorted(results["num_train_epochs"]) == [1, 1, 3, 3, 5, 5]
    assert sum(map(isnan, results["score"])) == 2
    assert (facts["expected"], facts["present"], facts["failed"], facts["complete"]) == (18, 6, 2, False)
    assert facts["models"] == {MODEL: models.sha256(models.get(MODEL))}
    assert grids.current() == "t1"
    best = recommend(models.get(MODEL), Method.FULL, 1)
    assert best.entries[0].config["num_train_epochs"] == 5
    shared = grids.datasets_sharing_rows(list(datasets["colours"].input_hashes())[:1], "t1")
    assert shared == ("colours",)


def test_defaults_run_as_they_are_and_stay_out_of_the_ranking(source: Path, tmp_path: Path) -> None:
    part = {**{k: SPEC[k] for k in ("datasets", "models")}, "methods": ["full"], "train_sizes": [20]}
    spec = GridSpec.model_validate(
        {"version": "t1", "parts": [part, {**part, "defaults": ["default"]}], "dev_rows": 20, "test_rows": 10}
    )
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    datasets = grid.prepare(spec, source, files.datasets_root)
    *_, default = grid.expand(spec, datasets)
    dev = len(datasets["colours"].split("dev"))
    for run in grid.expand(spec, datasets)[1:]:
        files.write_result(finished(run, dev, run.score_epochs, 0.5))

    table = gridresults.collect(spec, datasets, files.read_result)
    facts = gridresults.manifest(
        spec, datasets, table, files.read_result, digests={"colours": {}}, created=1.0, workers=1, cores=2
    )
    gridresults.publish(grids.FOLDER, table, facts, {})

    assert default.config == space.default_config(MODEL, Method.FULL)
    assert set(grids.load("t1")["origin"]) == {"space"}
    assert grids.load_defaults("t1")[["origin", "learning_rate"]].values.tolist() == [["default", 1e-3]]
    assert facts["complete"]
    assert set(facts["pace"]["by_model"]) == {MODEL}


def test_the_best_trainings_of_a_complete_cell_are_repeated(source: Path, tmp_path: Path) -> None:
    spec = spec_of(methods=["full"], repeat={"top": 2, "seeds": [7]})
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    datasets = grid.prepare(spec, source, files.datasets_root)
    runs = grid.expand(spec, datasets)[1:]
    for index, run in enumerate(runs[:-1]):
        files.write_result(finished(run, 20, run.score_epochs, index / 10))
    early = grid.repeats(spec, datasets, files.read_result)
    files.write_result(finished(runs[-1], 20, runs[-1].score_epochs, 0.0))

    (again,) = grid.repeats(spec, datasets, files.read_result)

    assert early == []
    assert (again.config, again.seed) == (runs[-2].config, 7)
    cells = gridresults.completeness(spec, datasets, files.read_result)
    assert cells[["seed", "expected", "present"]].values.tolist() == [[0, 18, 18], [7, 3, 0]]


@pytest.mark.slow
def test_a_training_is_scored_at_each_of_its_epochs(source: Path, tmp_path: Path) -> None:
    spec, files = spec_of(methods=["lora"]), Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    datasets = grid.prepare(spec, source, files.datasets_root)
    untuned, first, *_ = grid.expand(spec, datasets)
    for run in (untuned, first):
        folder = files.attempt_folder(run.run, 1)
        files.write_result(
            train.run(run, datasets["colours"], folder, 1, lambda kind, data: None, lambda: None)
        )

    table = gridresults.collect(spec, datasets, files.read_result)

    assert table["num_train_epochs"].tolist() == [1, 3, 5]
    dev = len(datasets["colours"].split("dev"))
    assert [len(rows) for rows in table["dev_rows"]] == [dev] * 3
    for row in table.itertuples():
        assert row.score == pytest.approx(sum(row.dev_rows) / dev, abs=1e-3)
        assert row.floor_score == max(row.base_score, row.constant_score)
        assert row.constant_score == pytest.approx(1 / 3, abs=0.15)
    assert table["seconds"].is_monotonic_increasing
