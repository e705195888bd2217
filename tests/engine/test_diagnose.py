"""Every diagnosis from a real training made to show it, and the config that is proposed for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import advice, dataset, diagnose, models, remedy, train
from engine.diagnose import Diagnosis, Label
from engine.metrics import METRICS
from engine.records import Config, Method, RunKind, RunResult, RunSpec, RunStatus
from engine.space import EARLY_STOPPING
from tests import studies, tiny

MODEL = "shortlist-tiny-1m"
FULL = Config(1e-3, 5, 8, lr_scheduler_type="constant_with_warmup", warmup_steps=5)
LORA = replace(FULL, learning_rate=3e-3, lora_r=8, lora_alpha=16, lora_dropout=0.0)
Trained = Callable[..., tuple[RunSpec, RunResult]]

pytestmark = [pytest.mark.trains, pytest.mark.timeout(300)]  # real trainings, on a machine that may be busy


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    """Trains a config of the smallest embedded model on 100 rows for real."""

    def carry_out(
        config: Config, rows: Sequence[dict[str, str]] | None = None, **changes: Any
    ) -> tuple[RunSpec, RunResult]:
        path = tiny.write_jsonl(tmp_path / "rows.jsonl", list(rows or tiny.tiny_classification(220)))
        data = dataset.build(path)
        spec = RunSpec(
            "s-1-01", "s-1", RunKind.CUSTOM, "own 1", data.id, data.task, MODEL, config.method,
            METRICS[data.task][0], config=config, train_size=100, **changes,
        )  # fmt: skip
        return spec, train.run(spec, data, tmp_path / "run", 1, lambda kind, values: None, lambda: None)

    return carry_out


def diagnosed(run: tuple[RunSpec, RunResult]) -> Diagnosis:
    found = diagnose.diagnose(*run)
    assert found is not None
    return found


def sentence(found: Diagnosis, label: Label) -> str:
    return next(finding.sentence for finding in found.findings if finding.label is label)


def proposed(run: tuple[RunSpec, RunResult], *taken: Config) -> remedy.Proposal:
    spec, _ = run
    rates = advice.rates(models.get(MODEL), spec.method)
    found = remedy.propose(spec, diagnosed(run), rates, (*taken, spec.config))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("config", [FULL, LORA])
def test_a_training_that_learns_is_healthy(config: Config, trained: Trained) -> None:
    run = trained(config)

    found = diagnosed(run)
    assert found.short == "healthy"
    assert (
        f"from {found.losses.untuned:.2f} untuned to {found.losses.best[1]:.2f}" in found.findings[0].sentence
    )
    assert remedy.propose(run[0], found, advice.rates(models.get(MODEL), run[0].method), ()) is None


@pytest.mark.slow
def test_fifty_epochs_on_a_hundred_rows_that_can_only_be_learned_by_heart_overfit(trained: Trained) -> None:
    run = trained(replace(FULL, num_train_epochs=50), tiny.tiny_noise(220))

    found = diagnosed(run)
    assert Label.OVERFIT in found.labels
    (epoch, best), last = found.losses.best, found.losses.dev[-1][1]
    said = sentence(found, Label.OVERFIT)
    assert said.startswith(f"Dev loss rose from {best:.2f} (epoch {epoch}) to {last:.2f} (epoch 50), ")
    assert said.endswith("above its best: strongly overfit.") and last > 1.1 * best
    assert Label.UNDERFIT not in found.labels


def test_a_learning_rate_a_hundred_times_too_high_diverges(trained: Trained) -> None:
    high = replace(FULL, learning_rate=0.3, num_train_epochs=1)
    run = trained(high)

    found = diagnosed(run)
    assert found.labels == (Label.DIVERGED, Label.UNSTABLE)
    last, untuned = found.losses.dev[-1][1], found.losses.untuned
    assert sentence(found, Label.DIVERGED) == (
        f"Dev loss ended at {last:.2f}, above the untuned model's {untuned:.2f}: diverged."
    )
    better = proposed(run)
    assert better.config == replace(high, learning_rate=1e-3)
    assert better.reason == "Lower the learning rate from 3e-1 to 1e-3."


def test_an_adapter_whose_loss_climbs_at_first_is_unstable_even_if_it_comes_down(trained: Trained) -> None:
    found = diagnosed(trained(replace(LORA, learning_rate=0.3)))

    assert found.labels[0] is Label.UNSTABLE
    assert re.match(
        r"Training loss climbed to \d+\.\d\d \(mean of 5 logged values", found.findings[0].sentence
    )
    assert Label.DIVERGED not in found.labels


def test_one_epoch_at_a_millionth_is_a_minimal_improvement(trained: Trained) -> None:
    run = trained(replace(FULL, learning_rate=1e-6, num_train_epochs=1))

    found = diagnosed(run)
    assert found.labels == (Label.MINIMAL,)
    assert f"from the untuned model's {found.losses.untuned:.2f}" in found.findings[0].sentence
    assert proposed(run).config.learning_rate == 1e-3
    assert proposed(run).reason == "Raise the learning rate from 1e-6 to 1e-3."


def test_a_training_that_was_still_learning_is_underfit(trained: Trained) -> None:
    run = trained(replace(FULL, num_train_epochs=1))

    found = diagnosed(run)
    assert found.labels == (Label.UNDERFIT,)
    assert "over the last fifth of the steps" in found.findings[0].sentence
    assert proposed(run).config == replace(FULL, num_train_epochs=3)


@pytest.mark.slow
def test_following_the_proposals_ends_a_divergence(trained: Trained) -> None:
    run = trained(replace(FULL, learning_rate=0.3, num_train_epochs=1))
    assert Label.DIVERGED in diagnosed(run).labels
    taken = []

    for _ in range(4):
        if diagnosed(run).short == "healthy":
            break
        assert run[0].config is not None
        taken.append(run[0].config)
        run = trained(proposed(run, *taken).config, **EARLY_STOPPING)

    assert diagnosed(run).short == "healthy"
    assert run[1].dev is not None and run[1].dev.value > 0.8


def ended(dev: Sequence[float], untuned: float = 8.0, train: Sequence[float] = (), **facts: Any) -> RunResult:
    """A result with these dev losses after epochs 1, 2, ...; training losses logged once a step."""
    steps = train or [2.0] * 20
    history = [{"epoch": 0, "step": 0, "eval_loss": untuned}]
    history += [{"epoch": len(dev) * (i + 1) / len(steps), "loss": loss} for i, loss in enumerate(steps)]
    history += [{"epoch": i + 1, "eval_loss": loss} for i, loss in enumerate(dev)]
    facts = {"log_history": history, "steps": len(steps), **facts}
    return RunResult(studies.RUN, 1, RunStatus.FINISHED, facts=facts)


def said(result: RunResult, **changes: Any) -> Diagnosis:
    return diagnosed((replace(studies.spec(), **changes), result))


def test_the_numbers_of_an_overfit_run_are_in_its_sentence() -> None:
    found = said(ended([3.0, 2.5, 1.92, *[2.31] * 47]))

    assert found.findings[0].sentence == (
        "Dev loss rose from 1.92 (epoch 3) to 2.31 (epoch 50), 20 % above its best: strongly overfit."
    )


def test_labels_are_separate() -> None:
    assert said(ended([1.0, 1.5, 1.0, 1.3])).short == "unstable, overfit"
    assert said(ended([7.9, 7.8], train=[8.0 - i / 10 for i in range(20)])).labels == (
        Label.MINIMAL,
        Label.UNDERFIT,
    )


def test_a_trend_does_not_depend_on_how_often_losses_were_logged() -> None:
    fine = [4.0 - i / 100 for i in range(300)]
    coarse = [sum(fine[i : i + 10]) / 10 for i in range(0, 300, 10)]

    for train_losses in (fine, coarse):
        found = said(ended([3.0, 2.0, 1.0], train=train_losses))
        assert found.short == "underfit"
        assert "still fell by 0.60 over the last fifth" in found.findings[0].sentence


def test_noise_between_batches_is_no_finding() -> None:
    noisy = [1.0 + 0.5 * (-1) ** i for i in range(60)]

    assert said(ended([1.2, 1.1, 1.0], train=noisy)).short == "healthy"


def test_a_loss_near_zero_is_not_overfit_by_its_last_digit() -> None:
    assert said(ended([0.1, 0.001, 0.003])).short == "healthy"


def test_what_was_not_measured_to_its_end_is_not_judged() -> None:
    result = ended([3.0, 2.0])
    old = [e for e in result.facts["log_history"] if e["epoch"] not in (0, 2) or "loss" in e]

    assert diagnose.diagnose(studies.spec(), replace(result, facts={"log_history": old})) is None
    assert diagnose.diagnose(studies.spec(), replace(result, facts={})) is None
    assert diagnose.diagnose(studies.spec(), None) is None
    assert diagnose.diagnose(studies.spec(kind=RunKind.BASE), result) is None


def test_answers_no_better_than_the_untuned_base_are_said_whatever_the_losses_show() -> None:
    spec, ours, base = studies.spec(), studies.result(dev=0.112), studies.result(dev=0.2)

    assert diagnose.unconvincing(spec, ours, base) == (
        "Lower losses did not bring better answers: accuracy on dev rows is 11.2, of the untuned base 20.0."
    )
    assert diagnose.unconvincing(spec, base, ours) is None
    assert diagnose.unconvincing(spec, replace(ours, dev=None), base) is None
    assert diagnose.unconvincing(spec, ours, None) is None
    assert diagnose.unconvincing(replace(spec, metric="loss"), ours, base) is None


def test_a_loss_that_is_no_number_is_diverged_at_its_step() -> None:
    result = replace(ended([3.0], diverged_at=7), status=RunStatus.FAILED)

    assert (
        said(result).findings[0].sentence
        == "The loss was no number at step 7 of the 20 that were run: diverged."
    )


OVERFIT = ended([1.0, 2.0, 3.0])


def propose(spec: RunSpec, taken: Sequence[Config]) -> remedy.Proposal | None:
    return remedy.propose(
        spec, diagnosed((spec, OVERFIT)), advice.rates(models.get(MODEL), spec.method), taken
    )


def test_an_overfit_config_at_the_highest_rate_is_slowed_down_before_it_is_shortened() -> None:
    spec = replace(studies.spec(), config=replace(studies.CONFIG, learning_rate=1e-2))

    first = proposed((spec, OVERFIT))
    second = proposed((spec, OVERFIT), first.config)

    assert (first.config.learning_rate, first.config.num_train_epochs) == (3e-3, 3)
    assert (second.config.learning_rate, second.config.num_train_epochs) == (1e-2, 1)


def test_fixes_of_overfitting_come_in_order_and_none_twice() -> None:
    spec, taken, reasons = studies.spec(), [studies.CONFIG], []

    while (found := propose(spec, taken)) is not None:
        taken.append(found.config)
        reasons.append(found.reason)

    assert reasons == [
        "Train no longer than epoch 1, after which dev loss was lowest.",
        "Lower the rank from 8 to 4, and alpha with it.",
        "Leave out 5 % of the adapter's inputs at each step (dropout).",
        "Raise the weight decay to 0.01.",
        "Lower the learning rate from 3e-3 to 1e-3.",
    ]
    assert taken[2].lora_alpha == 8


def test_fewer_epochs_are_not_proposed_where_the_best_epoch_was_kept_anyway() -> None:
    spec = replace(
        studies.spec(kind=RunKind.CUSTOM),
        config=replace(studies.CONFIG, lr_scheduler_type="constant_with_warmup"),
        **EARLY_STOPPING,
    )

    assert proposed((spec, OVERFIT)).reason == "Lower the rank from 8 to 4, and alpha with it."


def test_full_fine_tuning_is_offered_nothing_of_lora() -> None:
    spec, taken = replace(studies.spec(), config=FULL, method=Method.FULL), [FULL]

    while (found := propose(spec, taken)) is not None:
        taken.append(found.config)

    assert len(taken) == 4
    assert all(config.lora_r is config.lora_dropout is None for config in taken)


def test_what_labels_of_configs_leave_out_is_named_in_a_proposal() -> None:
    spec = replace(studies.spec(), config=FULL, method=Method.FULL)
    taken = [replace(FULL, num_train_epochs=1)]

    assert proposed((spec, OVERFIT), *taken).label == "lr 1e-3, 5 epochs, batch 8, weight decay 0.01"
