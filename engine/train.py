"""Carries out one run of a study or of the grid: train, score, write the files, say how it ended."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from engine import baselines, crossval, encode, evaluate, few_shot, loading, models, pausing, scoring
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.errors import ShortlistError, TrainingError
from engine.finetune import finetune
from engine.metrics import check_metric, lower_is_better
from engine.pausing import Checkpoint, Pauses
from engine.records import Row, RunKind, RunResult, RunSpec, RunStatus
from engine.scoring import Scored
from engine.watch import Emit, Hooks, StopMode, Training, trainable

__all__ = ["StopMode", "run"]

CURVE_ROWS = 24  # of dev, for the curve between epochs: 32 % of a small LLM's run went into more of them
DECIDING_ROWS = 64  # of dev, where early stopping chooses the epoch by their loss
NAMED_ROWS = 5
DIVERGED = "The {what} was no number at step {step}: the training diverged. Lower learning_rate."


def run(
    spec: RunSpec,
    dataset: Dataset,
    folder: Path,
    attempt: int,
    emit: Emit,
    stop: Callable[[], StopMode | None],
    checkpoint: Path | None = None,
) -> RunResult:
    """Carry out the run and write predictions.parquet and adapter/ or model/ into the attempt's folder.

    A failure of the training is a result with one sentence, never an exception. Runs that are scored at
    several epochs (the grid's) keep no weights. A run that stands still at its `pause_at` leaves a folder
    checkpoint/ and no predictions; a later attempt that gets it as `checkpoint` goes on from there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = _Job(spec, dataset, folder, emit, stop, checkpoint)
    try:
        status, scored = _carry_out(job)
        scored.table.to_parquet(folder / "predictions.parquet", index=False)
    except (_Discarded, _Paused):
        return RunResult(spec.run, attempt, RunStatus.STOPPED, seconds=job.seconds, facts=job.facts)
    except (ShortlistError, MemoryError, RuntimeError, OSError) as error:
        sentence = _cause(error, spec)
        if sentence is None:
            raise
        return RunResult(
            spec.run, attempt, RunStatus.FAILED, seconds=job.seconds, error=sentence, facts=job.facts
        )
    finally:
        pausing.drop_draft(folder)
    chosen = scored.metrics[spec.metric]
    return RunResult(
        spec.run,
        attempt,
        status,
        dev=chosen.get("dev"),
        test=chosen.get("test"),
        seconds=job.seconds,
        metrics=scored.metrics,
        facts={**job.facts, **job.cpu, "dev_loss": scored.dev_loss, "answers_by": scored.answers_by},
    )


class _Discarded(Exception):
    """A person stopped the run and wants nothing of it."""


class _Paused(Exception):
    """The run stands still; its checkpoint and its facts are written."""


@dataclass(slots=True)
class _Job:
    """One attempt: what to do, where to report, and the facts found on the way."""

    spec: RunSpec
    dataset: Dataset
    folder: Path
    emit: Emit
    stop: Callable[[], StopMode | None]
    checkpoint: Path | None = None
    began: float = field(default_factory=time.monotonic)
    cpu_began: float = field(default_factory=time.process_time)
    waited: float = 0.0
    earlier_seconds: float = 0.0
    identity: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    by_epoch: dict[int, Scored] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Of the whole run, without the time in which it waited: the grid stands still while a study runs."""
        return self.earlier_seconds + time.monotonic() - self.began - self.waited

    @property
    def cpu(self) -> dict[str, float]:
        """What this process had of the processors: how busy the machine was plays no part."""
        return {} if self.earlier_seconds else {"cpu_seconds": time.process_time() - self.cpu_began}

    def asked_to_stop(self) -> StopMode | None:
        began = time.monotonic()
        wish = self.stop()
        self.waited += time.monotonic() - began
        return wish

    def stage(self, name: str) -> None:
        """Say what comes next; also the place where a run that is not training can be stopped."""
        if self.asked_to_stop() is StopMode.DISCARD:
            raise _Discarded
        self.emit("stage", {"stage": name})

    def note(self, sentence: str) -> None:
        """Add a sentence to what the result says of the run."""
        self.facts["note"] = " ".join(filter(None, (self.facts.get("note"), sentence)))


def _carry_out(job: _Job) -> tuple[RunStatus, Scored]:
    spec, dataset = job.spec, job.dataset
    check_metric(spec.metric, spec.task)
    train_rows = dataset.train_subset(spec.train_size, spec.seed)
    job.facts.update(dataset=dataset.id, seeds={"run": spec.seed, "split": dataset.seed})
    job.facts.update(train_rows=len(train_rows), versions=loading.versions())
    if spec.kind is RunKind.BASELINE:
        return RunStatus.FINISHED, _score_baseline(job)
    job.stage("loading")
    entry = models.get(spec.model)
    tokenizer = loading.load_tokenizer(models.path(entry))
    job.dataset, refused = encode.readable(dataset, tokenizer)
    if refused:
        job.facts["refused_rows"] = refused
        job.note(_refused(refused))
    text = encode.of_run(spec, job.dataset, tokenizer)
    model = loading.load_model(models.path(entry), spec.method)
    if spec.kind is RunKind.FEW_SHOT:
        text = few_shot.added(text, model, encode.train_rows(spec, job.dataset), spec.seed)
        job.facts["examples"] = few_shot.facts(text)
        job.note(few_shot.sentence(job.facts))
    job.facts.update(loading.computing(model.num_parameters()), model_sha256=models.sha256(entry))
    job.facts.update(max_length=text.max_length, answer_tokens=text.answer_tokens)
    if not spec.kind.trains:
        rows = few_shot.unseen(crossval.scored(job.dataset, spec.folds), text)
        scored = scoring.score_untuned(model, text, rows, spec.metric, job.stage)
        _emit_scored(job, scored, None)
        job.facts["per_row_dev"] = evaluate.row_scores(scored.table, spec.metric, "dev")
        return RunStatus.FINISHED, scored
    return _train_and_score(job, model, text)


def _refused(why: Mapping[int, str]) -> str:
    rows = "Row" if len(why) == 1 else "Rows"
    numbers = ", ".join(map(str, list(why)[:NAMED_ROWS])) + (" and others" if len(why) > NAMED_ROWS else "")
    return f"{rows} {numbers} set aside: {next(iter(why.values()))}"


def _train_and_score(job: _Job, model: Any, text: Encoder) -> tuple[RunStatus, Scored]:
    spec = job.spec
    assert spec.config is not None
    if spec.pause_at is not None and spec.score_epochs:
        raise TrainingError("A run that is scored at chosen epochs cannot stand still: leave out pause_at.")
    rows = [text.encode(row) for row in encode.train_rows(spec, job.dataset)]
    job.facts["truncated_rows"] = sum(row.truncated for row in rows)
    earlier = _earlier(job, len(rows), text.max_length)
    job.stage("training")
    training = finetune(model, text.tokenizer, rows, spec.config, spec.seed, _hooks(job, text, earlier))
    job.facts.update(_training_facts(training))
    if training.stopped is StopMode.DISCARD:
        raise _Discarded
    if training.diverged_at is not None:
        raise TrainingError(DIVERGED.format(what="loss", step=training.diverged_at))
    if training.paused:
        _stand_still(job, training, text)
    cut_short = training.stopped is not None or training.out_of_time
    if cut_short:
        job.note(_restore_best(job, training, text))
    elif spec.early_stopping_patience is not None:
        _keep_best_epoch(job, training)
    scored = _final_scores(job, training.model, text, cut_short)
    if scored.dev_loss is None or not math.isfinite(scored.dev_loss):
        job.facts["diverged_at"] = training.steps
        raise TrainingError(DIVERGED.format(what="tuned model's loss on dev", step=training.steps))
    of_dev = scored.table[scored.table["split"] == "dev"]
    job.facts["row_losses"] = _rounded(of_dev["loss"])
    if not cut_short and spec.early_stopping_patience is None:
        _end_curve(job, scored)
    if not spec.score_epochs:
        job.stage("saving")
        _save(job, training.model, text.tokenizer)
    if spec.folds is not None and not cut_short:
        scored, cut_short = _in_folds(job, text, scored, len(rows))
    return (RunStatus.STOPPED if cut_short else RunStatus.FINISHED), scored


def _in_folds(job: _Job, text: Encoder, scored: Scored, train_rows: int) -> tuple[Scored, bool]:
    """The scores with every row outside the test as dev; True: cut short, and dev stays as it is."""
    spec = job.spec
    assert spec.config is not None and spec.folds is not None
    hooks = Hooks(lambda kind, data: None, job.asked_to_stop, lambda model, epoch: None, _deadline(job))
    answered = []
    for number, fold in enumerate(crossval.parts(job.dataset, spec.folds, train_rows, spec.seed), start=1):
        job.stage(f"fold {number} of {spec.folds}")
        model = loading.load_model(models.path(models.get(spec.model)), spec.method)
        rows = [text.encode(row) for row in fold.train_rows]
        training = finetune(model, text.tokenizer, rows, spec.config, spec.seed, hooks)
        job.facts["training_seconds"] += training.seconds
        job.facts["tokens"] += training.tokens
        if training.stopped is StopMode.DISCARD:
            raise _Discarded
        if training.diverged_at is not None:
            raise TrainingError(DIVERGED.format(what=f"loss in fold {number}", step=training.diverged_at))
        if training.stopped is not None or training.out_of_time:
            job.note(f"The run ended in fold {number}: its dev score is that of the dev rows alone.")
            return scored, True
        answered.append(scoring.score_model(training.model, text, fold.dataset, spec.metric, job.stage).table)
    table = crossval.joined(scored.table, answered)
    whole = replace(scored, table=table, metrics=evaluate.scores(table, spec.task))
    _emit_scored(job, whole, None)
    return whole, False


def _earlier(job: _Job, rows: int, max_length: int) -> Checkpoint | None:
    """The checkpoint to go on from; one that cannot be used is told and the training begins again."""
    spec = job.spec
    assert spec.config is not None
    job.identity = {
        "config": spec.config.to_dict(),
        "model": job.facts["model_sha256"],
        "rows": [job.dataset.id, rows, max_length, spec.template],
        "seed": spec.seed,
        "versions": job.facts["versions"],
    }
    if job.checkpoint is None:
        return None
    steps = math.ceil(rows / spec.config.effective_batch_size) * spec.config.num_train_epochs
    try:
        found = pausing.read(job.checkpoint, job.identity)
        wanted = Pauses(share=spec.pause_at).step(steps)
        if wanted is not None and wanted <= found.step:
            raise TrainingError(f"it stands at step {found.step}, not before the asked {wanted}")
    except TrainingError as error:
        job.note(f"The checkpoint could not be used ({error}): the training began again from its start.")
        return None
    job.earlier_seconds = found.seconds
    job.facts["continued_from"] = found.step
    return found


def _stand_still(job: _Job, training: Training, text: Encoder) -> None:
    """Measure what a comparison with other runs needs, and leave the checkpoint; always raises _Paused."""
    job.stage("scoring dev")
    losses = scoring.dev_losses(training.model, text, job.dataset)
    loss = sum(losses) / len(losses)
    if not math.isfinite(loss):
        raise TrainingError(DIVERGED.format(what="tuned model's loss on dev", step=training.steps))
    share = job.spec.pause_at
    paused = {"at": share, "step": training.steps, "loss": loss, "row_losses": _rounded(losses)}
    job.facts["paused"] = paused
    job.note(f"The training stands still after {training.steps} steps, {share:.0%} of its schedule.")
    pausing.keep(job.folder, job.identity, training.steps, job.seconds)
    raise _Paused


def _rounded(losses: Iterable[float]) -> list[float]:
    """By row, for paired comparisons; the fifth digit is far below any difference that counts."""
    return [round(float(loss), 5) for loss in losses]


def _hooks(job: _Job, text: Encoder, earlier: Checkpoint | None) -> Hooks:
    spec = job.spec
    assert spec.config is not None
    config, sample = spec.config, _dev_sample(job)

    def epoch_ended(model: Any, epoch: int) -> float | None:
        if epoch in spec.score_epochs:
            return _score_epoch(job, model, text, epoch).dev_loss
        if spec.score_epochs:
            return None  # the grid pays for no loss that it does not use
        if epoch == config.num_train_epochs and spec.early_stopping_patience is None:
            return None  # the final scores say it
        loss = scoring.mean_loss(model, text, sample)
        job.emit("scored", {"epoch": epoch, "dev_loss": loss})
        return loss

    return Hooks(
        job.emit,
        job.asked_to_stop,
        epoch_ended,
        _deadline(job),
        spec.early_stopping_patience,
        spec.early_stopping_threshold or 0.0,
        Pauses(earlier, spec.pause_at, None if spec.pause_at is None else job.folder / pausing.DRAFT),
    )


def _deadline(job: _Job) -> float | None:
    cap = job.spec.time_cap_seconds
    return None if cap is None else job.began + cap - job.earlier_seconds


def _score_epoch(job: _Job, model: Any, text: Encoder, epoch: int) -> Scored:
    scored = scoring.score_model(model, text, job.dataset, job.spec.metric, job.stage)
    job.by_epoch[epoch] = scored
    _emit_scored(job, scored, epoch)
    job.facts.setdefault("epochs", []).append(_epoch_facts(job, scored, epoch))
    job.stage("training")
    return scored


def _epoch_facts(job: _Job, scored: Scored, epoch: int) -> dict[str, Any]:
    """`seconds` is what a run of this many epochs would have taken: training so far and its own scoring."""
    metric = job.spec.metric
    earlier = sum(s.seconds for e, s in job.by_epoch.items() if e != epoch)
    return {
        "epoch": epoch,
        **{split: value.to_dict() for split, value in scored.metrics[metric].items()},
        "metrics": {m: {s: v.to_dict() for s, v in by.items()} for m, by in scored.metrics.items()},
        "dev_loss": scored.dev_loss,
        "seconds": job.seconds - earlier,
        "per_row_dev": evaluate.row_scores(scored.table, metric, "dev"),
        "per_row_test": evaluate.row_scores(scored.table, metric, "test"),
    }


def _final_scores(job: _Job, model: Any, text: Encoder, cut_short: bool) -> Scored:
    """A run cut short has the best of its scored epochs; one that went to its end has its last."""
    spec = job.spec
    assert spec.config is not None
    if cut_short and job.by_epoch:
        sign = -1 if lower_is_better(spec.metric) else 1
        return max(job.by_epoch.values(), key=lambda s: sign * s.metrics[spec.metric]["dev"].value)
    if spec.config.num_train_epochs in job.by_epoch:
        return job.by_epoch[spec.config.num_train_epochs]
    scored = scoring.score_model(model, text, job.dataset, spec.metric, job.stage)
    _emit_scored(job, scored, job.facts.get("kept_epoch", spec.config.num_train_epochs))
    return scored


def _restore_best(job: _Job, training: Training, text: Encoder) -> str:
    """Go back to the best epoch when it is better than the present state; a sentence about what is kept."""
    reason = "stopped by hand" if training.stopped else "stopped at the time cap"
    where = f"The run was {reason} after {training.steps} steps"
    if job.by_epoch:
        return f"{where}; the scored epoch with the best dev score is kept."
    if training.best is None:
        return f"{where}; the state at that step is kept."
    if scoring.mean_loss(training.model, text, _dev_sample(job)) < training.best.loss:
        return f"{where}; the state at that step is the best by dev loss and is kept."
    training.best.restore(training.model)
    job.facts["kept_epoch"] = training.best.epoch
    return f"{where}; the state after epoch {training.best.epoch}, the best by dev loss, is kept."


def _keep_best_epoch(job: _Job, training: Training) -> None:
    """End a run with early stopping on its best epoch, and say where it stopped and what is kept."""
    spec, best = job.spec, training.best
    assert spec.config is not None
    planned = spec.config.num_train_epochs
    last = training.stopped_epoch or planned
    kept = last if best is None else best.epoch  # a model too large for a copy has no best
    if best is not None:
        best.restore(training.model)
    job.facts["kept_epoch"] = kept
    told = []
    if last < planned:
        job.facts["stopped_epoch"] = last
        told.append(
            f"Early stopping ended the training after epoch {last} of {planned}: dev loss fell by no more "
            f"than {spec.early_stopping_threshold:g} for {spec.early_stopping_patience} epochs."
        )
    if best is None:
        told.append("The last epoch is kept: a copy of the best would not fit the memory.")
    elif kept < last:
        told.append(f"Epoch {kept}, the best by dev loss, is kept.")
    if told:
        job.note(" ".join(told))


def _dev_sample(job: _Job) -> tuple[Row, ...]:
    """Dev rows spread over the file, which may be sorted by label."""
    rows = job.dataset.split("dev")
    most = CURVE_ROWS if job.spec.early_stopping_patience is None else DECIDING_ROWS
    return rows[:: -(-len(rows) // most)]


def _sample_loss(job: _Job, scored: Scored) -> float:
    of_dev = scored.table[scored.table["split"] == "dev"].set_index("row")["loss"]
    losses = [float(of_dev[row.number]) for row in _dev_sample(job)]
    return sum(losses) / len(losses)


def _end_curve(job: _Job, scored: Scored) -> None:
    """The curve's last point, on the same rows as the others, out of the final scores."""
    spec, history = job.spec, job.facts["log_history"]
    assert spec.config is not None
    if spec.score_epochs:
        return
    last = spec.config.num_train_epochs
    history.append({"epoch": last, "step": job.facts["steps"], "eval_loss": _sample_loss(job, scored)})


def _training_facts(training: Training) -> dict[str, Any]:
    diverged = {} if training.diverged_at is None else {"diverged_at": training.diverged_at}
    return {
        **diverged,
        "steps": training.steps,
        "tokens": training.tokens,
        "training_seconds": training.seconds,
        "tokens_per_second": training.tokens / training.seconds if training.seconds else 0.0,
        "first_step_seconds": training.first_step_seconds,
        "trainable_parameters": trainable(training.model),
        "peak_memory_mb": loading.peak_memory_mb(),
        "log_history": training.log_history,
    }


def _score_baseline(job: _Job) -> Scored:
    spec, dataset = job.spec, job.dataset
    began = time.monotonic()
    train_rows = dataset.train_subset(spec.train_size, spec.seed)
    job.stage("scoring dev")
    table = _baseline_table(spec, dataset, train_rows)
    if spec.folds is not None:
        folds = crossval.parts(dataset, spec.folds, len(train_rows), spec.seed)
        table = crossval.joined(table, [_baseline_table(spec, f.dataset, f.train_rows) for f in folds])
    metrics = evaluate.scores(table, spec.task)
    if spec.metric not in metrics:
        metrics[spec.metric] = {}
    scored = Scored(table, metrics, None, "baseline", time.monotonic() - began)
    _emit_scored(job, scored, None)
    return scored


def _baseline_table(spec: RunSpec, dataset: Dataset, train_rows: Sequence[Row]) -> pd.DataFrame:
    rows = {split: dataset.split(split) for split in scoring.SPLITS}
    both = [*rows["dev"], *rows["test"]]
    said = baselines.predict(spec.name, train_rows, both, spec.task)
    answers = {"dev": said[: len(rows["dev"])], "test": said[len(rows["dev"]) :]}
    return evaluate.prediction_table(spec.task, dataset.labels, rows, answers)


def _emit_scored(job: _Job, scored: Scored, epoch: int | None) -> None:
    spec, values = job.spec, scored.metrics[job.spec.metric]
    scores = {split: value.to_dict() for split, value in values.items()}
    on_curve = spec.config is not None and not spec.score_epochs and spec.folds is None
    loss = _sample_loss(job, scored) if on_curve else scored.dev_loss
    job.emit("scored", {"epoch": epoch, "metric": spec.metric, "dev_loss": loss, **scores})


def _save(job: _Job, model: Any, tokenizer: Any) -> None:
    """The adapter, or the whole model with its tokenizer; the base is named by its id, never by a path."""
    if hasattr(model, "peft_config"):
        for adapter in model.peft_config.values():
            adapter.base_model_name_or_path = job.spec.model
        with loading.quiet():
            model.save_pretrained(job.folder / "adapter", save_embedding_layers=False)
        (job.folder / "adapter" / "README.md").unlink()  # PEFT's card names the base by its path
        return
    with loading.quiet():
        model.save_pretrained(job.folder / "model")
        tokenizer.save_pretrained(job.folder / "model")


def _cause(error: Exception, spec: RunSpec) -> str | None:
    """One sentence for a failure that a person can do something about; None: a fault of our own."""
    if isinstance(error, ShortlistError):
        return str(error)
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        batch = "" if spec.config is None else f" (now {spec.config.per_device_train_batch_size})"
        return (
            f"The machine ran out of memory: lower per_device_train_batch_size{batch} and raise "
            "gradient_accumulation_steps in return, or choose a smaller model."
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full: free some space and retry the run."
    if text.startswith("CUDA error"):
        return f"The GPU failed ({text.splitlines()[0]}): retry the run."
    return None
