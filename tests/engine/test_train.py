"""One run end to end on a tiny random model: what training changes, how runs end, which files they leave."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import dataset, finetune, loading, models, processor, train
from engine.dataset import Dataset
from engine.encode import encoder
from engine.errors import ConfigError
from engine.metrics import METRICS
from engine.prompts import Form
from engine.records import Config, Method, RunKind, RunResult, RunSpec, RunStatus, Task
from engine.space import EARLY_STOPPING
from engine.watch import Hooks, Kept, StopMode
from tests import tiny

MODEL = "shortlist-tiny-1m"
FULL = Config(3e-3, 5, 8)
LORA = Config(1e-2, 3, 8, lora_r=8, lora_alpha=16, lora_dropout=0.05)

pytestmark = pytest.mark.trains


def spec_of(data: Dataset, kind: RunKind = RunKind.CUSTOM, **changes: Any) -> RunSpec:
    metric = METRICS[data.task][0]
    values = {"name": str(kind), "method": Method.FULL, "config": FULL if kind.trains else None, **changes}
    return RunSpec(
        "s-1-01", "s-1", kind, dataset=data.id, task=data.task, model=MODEL, metric=metric, **values
    )


def carry_out(
    spec: RunSpec, data: Dataset, folder: Path, stop_at: int | None = None, mode: StopMode = StopMode.DISCARD
) -> tuple[RunResult, list[tuple[str, dict[str, Any]]]]:
    """Result and events of a run; someone stops it at that step of the training (0: before it is loaded)."""
    events: list[tuple[str, dict[str, Any]]] = []
    asked_in_training = 0

    def stop() -> StopMode | None:
        nonlocal asked_in_training
        stages = [values["stage"] for kind, values in events if kind == "stage"]
        asked_in_training += stages[-1:] == ["training"]
        return mode if stop_at is not None and asked_in_training >= stop_at else None

    result = train.run(spec, data, folder, 1, lambda kind, values: events.append((kind, values)), stop)
    return result, events


def dev_losses(result: RunResult) -> dict[int, float]:
    return {e["epoch"]: e["eval_loss"] for e in result.facts["log_history"] if "eval_loss" in e}


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_full_finetuning_learns_and_leaves_model_and_predictions(colours: Dataset, tmp_path: Path) -> None:
    result, events = carry_out(spec_of(colours), colours, tmp_path / "run")

    assert (result.status, result.error) == (RunStatus.FINISHED, None)
    assert result.test is not None and result.test.value > 0.8
    losses = [entry["loss"] for entry in result.facts["log_history"] if "loss" in entry]
    assert losses[-1] < losses[0] / 5
    assert files(tmp_path / "run") == {"model", "predictions.parquet"}
    assert [v["stage"] for k, v in events if k == "stage"] == [
        "loading",
        "training",
        "scoring dev",
        "scoring test",
        "saving",
    ]
    steps = [v["step"] for k, v in events if k == "progress"]
    assert steps[0] == 1 and steps[-1] == result.facts["steps"] == 5 * math.ceil(
        len(colours.splits["train"]) / 8
    )
    assert RunResult.from_dict(result.to_dict()) == result


def test_a_run_says_which_processor_and_number_format_it_used(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    load, used = loading.load_model, set()

    def watched(folder: Path, method: Method = Method.FULL) -> Any:
        model = load(folder, method)
        model.model.register_forward_hook(
            lambda module, *_: used.add(torch.is_autocast_enabled("cpu")) if module.training else None
        )
        return model

    monkeypatch.setattr(loading, "load_model", watched)
    result, _ = carry_out(spec_of(colours, config=replace(FULL, num_train_epochs=1)), colours, tmp_path)

    assert result.facts["processor"] == processor.instruction_set()
    assert {"bfloat16 autocast": {True}, "float32": {False}}[result.facts["number_format"]] == used


def test_full_finetuning_changes_the_base_weights(colours: Dataset, tmp_path: Path) -> None:
    carry_out(spec_of(colours), colours, tmp_path)

    before = loading.load_model(models.FOLDER / MODEL).state_dict()
    after = loading.load_model(tmp_path / "model").state_dict()
    assert set(before) == set(after)
    assert all(not (before[name] == after[name]).all() for name in before if "proj" in name)


def test_lora_changes_only_the_adapter(colours: Dataset, tmp_path: Path) -> None:
    from peft import PeftModel

    result, _ = carry_out(spec_of(colours, method=Method.LORA, config=LORA), colours, tmp_path)

    assert result.status is RunStatus.FINISHED
    assert files(tmp_path) == {"adapter", "predictions.parquet"}
    base = loading.load_model(models.FOLDER / MODEL)
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    tuned = PeftModel.from_pretrained(base, tmp_path / "adapter")
    after = tuned.state_dict()
    for name, weight in before.items():
        stem, kind = name.rsplit(".", 1)
        found = [
            after[n]
            for n in (f"base_model.model.{name}", f"base_model.model.{stem}.base_layer.{kind}")
            if n in after
        ]
        assert (found[0] == weight).all()
    assert all(after[name].any() for name in after if "lora_B" in name)
    assert result.facts["trainable_parameters"] == sum(w.numel() for n, w in after.items() if "lora_" in n)
    assert MODEL in (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert str(models.FOLDER) not in (tmp_path / "adapter" / "adapter_config.json").read_text()


def test_predictions_hold_every_dev_and_test_row_with_its_score(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours), colours, tmp_path)

    table = pd.read_parquet(tmp_path / "predictions.parquet")
    for split in ("dev", "test"):
        part = table[table["split"] == split]
        assert sorted(part["row"]) == sorted(row.number for row in colours.split(split))
        assert part["accuracy"].mean() == pytest.approx(result.metrics["accuracy"][split].value)
    assert not table[~table["valid"]]["accuracy"].any()


def test_the_same_seed_gives_the_same_run(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, method=Method.LORA, config=LORA)

    first, _ = carry_out(spec, colours, tmp_path / "a")
    second, _ = carry_out(spec, colours, tmp_path / "b")
    other, _ = carry_out(replace(spec, seed=1), colours, tmp_path / "c")

    assert first.facts["dev_loss"] == pytest.approx(second.facts["dev_loss"], abs=1e-4)
    assert first.facts["dev_loss"] != pytest.approx(other.facts["dev_loss"], abs=1e-6)


def test_one_training_is_scored_after_each_asked_epoch(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, score_epochs=(1, 3, 5))

    result, _ = carry_out(spec, colours, tmp_path)

    epochs = result.facts["epochs"]
    assert [entry["epoch"] for entry in epochs] == [1, 3, 5]
    assert epochs[-1]["dev"] == result.dev.to_dict() and epochs[-1]["test"] == result.test.to_dict()  # type: ignore[union-attr]
    assert epochs[0]["dev_loss"] > epochs[-1]["dev_loss"]
    assert len(epochs[0]["per_row_dev"]) == result.dev.n  # type: ignore[union-attr]
    assert [e["seconds"] for e in epochs] == sorted(e["seconds"] for e in epochs)
    assert files(tmp_path) == {"predictions.parquet"}


def test_a_run_scored_along_the_way_ends_like_one_that_is_not(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, method=Method.LORA, config=replace(LORA, lora_dropout=0.0))

    plain, _ = carry_out(spec, colours, tmp_path / "a")
    scored, _ = carry_out(replace(spec, score_epochs=(1, 2, 3)), colours, tmp_path / "b")

    assert scored.facts["dev_loss"] == pytest.approx(plain.facts["dev_loss"], rel=0.02)


def test_the_untuned_base_is_scored_by_generation_and_likelihood(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours, RunKind.BASE), colours, tmp_path)

    ways = {way: result.metrics[f"{way}_accuracy"]["dev"].value for way in ("generation", "likelihood")}
    assert result.dev is not None and result.dev.value == max(ways.values())
    assert ways[result.facts["answers_by"]] == max(ways.values())
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert set(table["likelihood_prediction"]) <= set(colours.labels)
    assert files(tmp_path) == {"predictions.parquet"}


def test_a_baseline_runs_without_a_model(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours, RunKind.BASELINE, name="tfidf_logreg"), colours, tmp_path)

    assert result.status is RunStatus.FINISHED and result.test is not None
    assert result.test.value > 0.8
    assert not {"device", "processor", "number_format"} & set(result.facts)


def test_discarding_stops_at_the_next_step_without_scores(colours: Dataset, tmp_path: Path) -> None:
    result, events = carry_out(spec_of(colours), colours, tmp_path, stop_at=1)

    assert (result.status, result.dev, result.test) == (RunStatus.STOPPED, None, None)
    assert [v["step"] for k, v in events if k == "progress"] == [1]
    assert files(tmp_path) == set()


def test_a_run_that_does_not_train_can_be_discarded_too(colours: Dataset, tmp_path: Path) -> None:
    result, events = carry_out(spec_of(colours, RunKind.BASE), colours, tmp_path, stop_at=0)

    assert (result.status, result.test, events) == (RunStatus.STOPPED, None, [])


def test_keeping_the_best_stops_and_scores_what_there_is(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours), colours, tmp_path, 12, StopMode.KEEP_BEST)

    assert (result.status, result.facts["steps"]) == (RunStatus.STOPPED, 12)
    assert result.test is not None
    assert files(tmp_path) == {"model", "predictions.parquet"}
    assert result.facts["note"].startswith("The run was stopped by hand after 12 steps; the state")


def test_keeping_the_best_takes_the_best_scored_epoch(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, score_epochs=(1, 2, 5))
    result, _ = carry_out(spec, colours, tmp_path, 15, StopMode.KEEP_BEST)

    assert result.status is RunStatus.STOPPED and result.dev is not None
    assert [e["epoch"] for e in result.facts["epochs"]] == [1, 2]
    assert result.dev.value == max(e["dev"]["value"] for e in result.facts["epochs"])


def test_a_time_cap_keeps_what_was_learned_until_then(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, config=replace(FULL, num_train_epochs=500), time_cap_seconds=1.0)

    result, _ = carry_out(spec, colours, tmp_path)

    assert result.status is RunStatus.STOPPED and result.test is not None
    assert result.facts["steps"] < 2500
    assert "at the time cap" in result.facts["note"]


def test_kept_weights_are_put_back(weights: Path) -> None:
    import torch

    model = loading.load_model(weights / MODEL)
    name, weight = next(iter(model.named_parameters()))
    kept = Kept(0.5, 1, {name: weight.detach().clone()})

    with torch.no_grad():
        weight.zero_()
    kept.restore(model)

    assert (weight == kept.weights[name]).all() and weight.any()


def test_a_diverged_training_is_a_result(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    poisoned = loading.load_model

    def poison(folder: Path, method: Method = Method.FULL) -> Any:
        model = poisoned(folder, method)
        torch.nn.init.constant_(model.get_input_embeddings().weight, float("inf"))
        return model

    monkeypatch.setattr(loading, "load_model", poison)
    result, _ = carry_out(spec_of(colours), colours, tmp_path)

    assert result.status is RunStatus.FAILED and result.dev is None
    assert result.error == ("The loss was no number at step 1: the training diverged. Lower learning_rate.")
    assert result.facts["diverged_at"] == 1
    assert "NaN" not in json.dumps(result.to_dict())


def test_a_study_knows_the_untuned_loss_and_that_of_every_epoch_and_a_grid_pays_for_neither(
    colours: Dataset, tmp_path: Path
) -> None:
    plain, _ = carry_out(spec_of(colours), colours, tmp_path / "a")
    grid, _ = carry_out(replace(spec_of(colours), score_epochs=(5,)), colours, tmp_path / "b")
    base, _ = carry_out(spec_of(colours, RunKind.BASE), colours, tmp_path / "c")

    measured = dev_losses(plain)
    assert list(measured) == [0, 1, 2, 3, 4, 5]
    assert measured[0] == pytest.approx(base.facts["dev_loss"], rel=1e-3)
    assert measured[5] == pytest.approx(plain.facts["dev_loss"], rel=1e-3)
    assert list(dev_losses(grid)) == [5]
    assert grid.facts["dev_loss"] == pytest.approx(plain.facts["dev_loss"], rel=0.02)


@pytest.mark.parametrize("method", Method)
def test_early_stopping_ends_after_its_patience_and_keeps_the_best_epoch(
    method: Method, swapped: Dataset, tmp_path: Path
) -> None:
    config = replace(LORA if method is Method.LORA else FULL, num_train_epochs=40)
    spec = spec_of(swapped, method=method, config=config, **EARLY_STOPPING)

    result, events = carry_out(spec, swapped, tmp_path)

    measured, facts = dev_losses(result), result.facts
    best = min((loss, epoch) for epoch, loss in measured.items() if epoch)[1]
    last = max(measured)
    assert result.status is RunStatus.FINISHED
    assert (facts["kept_epoch"], facts["stopped_epoch"]) == (best, last)
    assert best < last < 40
    gains = [min(list(measured.values())[1:e]) - measured[e] for e in range(last - 2, last + 1)]
    assert max(gains) <= 0.001
    assert facts["dev_loss"] == pytest.approx(measured[best], rel=1e-3)
    assert facts["note"].startswith(f"Early stopping ended the training after epoch {last} of 40: ")
    assert facts["note"].endswith(f"Epoch {best}, the best by dev loss, is kept.")
    assert [v["epoch"] for k, v in events if k == "scored"][-1] == best


def test_without_early_stopping_all_epochs_are_trained_and_the_last_is_kept(
    swapped: Dataset, tmp_path: Path
) -> None:
    spec = spec_of(swapped, config=replace(FULL, num_train_epochs=15))

    result, _ = carry_out(spec, swapped, tmp_path)

    measured = dev_losses(result)
    assert result.facts["dev_loss"] == pytest.approx(measured[15], rel=1e-3)
    assert measured[15] > min(measured.values()) * 1.05
    assert not {"kept_epoch", "stopped_epoch", "note"} & set(result.facts)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
        (MemoryError(), r"lower per_device_train_batch_size \(now 8\)"),
        (OSError(28, "No space left on device"), "The disk is full"),
        (RuntimeError("CUDA error: unspecified launch failure\nmore"), "The GPU failed"),
    ],
)
def test_failures_that_a_person_can_mend_have_their_sentence(
    error: Exception, sentence: str, colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loading, "load_model", fail)
    result, _ = carry_out(spec_of(colours), colours, tmp_path)

    assert result.status is RunStatus.FAILED
    assert result.error is not None

    assert re.search(sentence, result.error)


def test_an_unknown_model_fails_the_run_and_names_the_known_ones(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(replace(spec_of(colours), model="../../etc"), colours, tmp_path)

    assert result.status is RunStatus.FAILED
    assert result.error is not None and MODEL in result.error


def test_a_fault_of_our_own_is_not_dressed_up_as_a_failed_run(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(loading, "load_model", broken)

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        carry_out(spec_of(colours), colours, tmp_path)


@pytest.mark.parametrize("make", [tiny.tiny_summaries, tiny.tiny_questions])
def test_text_tasks_run_end_to_end(
    make: Any, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "FOLDER", weights)
    data = dataset.build(tiny.write_jsonl(tmp_path / "rows.jsonl", make(40)))

    result, _ = carry_out(spec_of(data, config=replace(FULL, num_train_epochs=1)), data, tmp_path / "run")

    assert result.status is RunStatus.FINISHED
    assert set(result.metrics) == {*METRICS[data.task], "loss"}


def test_generation_can_be_selected_by_loss(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "FOLDER", weights)
    rows = [{"instruction": r["text"], "response": r["label"]} for r in tiny.tiny_classification(40)]
    data = dataset.build(tiny.write_jsonl(tmp_path / "rows.jsonl", rows), task=Task.GENERATION)
    spec = replace(spec_of(data, config=replace(FULL, num_train_epochs=1)), metric="loss")

    result, _ = carry_out(spec, data, tmp_path / "run")

    assert result.test is not None and result.dev is not None
    assert result.dev.value == pytest.approx(result.facts["dev_loss"])


def test_rows_longer_than_the_limit_are_counted(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours, max_length=12), colours, tmp_path)

    assert result.status is RunStatus.FINISHED
    assert 0 < result.facts["truncated_rows"] <= result.facts["train_rows"]


@pytest.mark.parametrize("config", [replace(FULL, num_train_epochs=1), replace(LORA, num_train_epochs=1)])
def test_the_loss_at_each_step_is_that_of_plain_trl(config: Config, colours: Dataset, tmp_path: Path) -> None:
    from trl import SFTTrainer

    folder = models.FOLDER / MODEL
    tokenizer = loading.load_tokenizer(folder)
    rows = colours.split("train")
    text = encoder(Form(colours.task, labels=colours.labels), tokenizer, rows)
    encoded = [text.encode(row) for row in rows]
    hooks = Hooks(lambda kind, data: None, lambda: None, lambda model, epoch: None)

    ours = finetune.finetune(loading.load_model(folder), tokenizer, encoded, config, 0, hooks).log_history
    plain = SFTTrainer(
        model=loading.load_model(folder),
        args=finetune._arguments(config, 0, str(tmp_path), len(ours), 0),
        train_dataset=finetune._table(encoded),
        processing_class=tokenizer,
        peft_config=finetune._adapter(config),
    )
    plain.train()

    theirs = [entry["loss"] for entry in plain.state.log_history if "loss" in entry]
    assert [entry["loss"] for entry in ours] == pytest.approx(theirs, rel=0.02)


def test_time_in_which_a_run_is_kept_waiting_is_not_its_own(colours: Dataset, tmp_path: Path) -> None:
    spec = spec_of(colours, config=replace(FULL, num_train_epochs=1))

    def wait() -> None:
        time.sleep(0.2)

    began = time.monotonic()
    result = train.run(spec, colours, tmp_path, 1, lambda kind, values: None, wait)

    waits = 0.2 * (result.facts["steps"] + 5)  # at each step and before each of the five stages
    assert result.seconds == pytest.approx(time.monotonic() - began - waits, abs=0.5)
    assert result.facts["training_seconds"] < result.seconds


def test_a_spec_from_before_early_stopping_is_read_without_it() -> None:
    path = next((Path(__file__).resolve().parents[2] / "samples" / "study").rglob("*-02/spec.json"))

    spec = RunSpec.from_dict(json.loads(path.read_text()))

    assert spec.early_stopping_patience is None
    stopping = replace(spec, **EARLY_STOPPING)
    assert RunSpec.from_dict(json.loads(json.dumps(stopping.to_dict()))) == stopping


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"early_stopping_patience": 3}, "belong together"),
        ({**EARLY_STOPPING, "early_stopping_patience": 0}, "must be at least 1, but is 0"),
        ({**EARLY_STOPPING, "early_stopping_threshold": -1.0}, "must be at least 0, but is -1.0"),
        ({**EARLY_STOPPING, "score_epochs": (1, 3)}, "not scored at chosen epochs"),
    ],
)
def test_early_stopping_that_makes_no_sense_is_refused(
    changes: dict[str, Any], sentence: str, colours: Dataset
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        spec_of(colours, **changes)
