"""A plan is made to fit the memory: smaller batches, then shorter texts, else it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import dataset, footprint, machine
from engine.dataset import Dataset
from engine.machine import Memory
from engine.records import Method
from jobs import fitting, plans
from jobs.plans import Plan
from tests.tiny import write_jsonl

LONG = " ".join(f"word{i}" for i in range(900))
PLENTY = Memory(64 * 10**9, of_gpu=False)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Sixty texts of about 3,000 tokens for the model of 1 M parameters."""
    rows = [{"text": f"{i} {LONG}", "label": ("up", "down")[i % 2]} for i in range(60)]
    return dataset.build(write_jsonl(tmp_path / "long.jsonl", rows))


@pytest.fixture
def plan(data: Dataset) -> Plan:
    return plans.make(plans.PlanRequest(data, "shortlist-tiny-1m", Method.LORA, k=2))


def fit(plan: Plan, data: Dataset, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> fitting.Fitting:
    monkeypatch.setenv("SHORTLIST_WORKERS", "1")
    monkeypatch.setattr(machine, "memory", lambda: memory)
    return fitting.fitted(plan, data)


def test_a_plan_that_fits_stays_as_it_is(plan: Plan, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fit(plan, data, PLENTY, monkeypatch)

    assert found.plan == plan
    assert fitting.changes(found) == []


def test_batches_shrink_before_texts_do(plan: Plan, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fit(plan, data, Memory(1_000_000_000, of_gpu=False), monkeypatch)

    assert found.batches and found.max_length is None and not found.too_large
    for new, old in zip(found.plan.specs, plan.specs, strict=True):
        if new.config is not None and old.config is not None:
            assert new.config.effective_batch_size == old.config.effective_batch_size
    assert "Fewer rows at a time, learned from as many as before: " in fitting.changes(found)[0]


def test_texts_are_cut_alike_in_every_run_where_one_row_at_a_time_is_too_much(
    plan: Plan, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "BESIDE", 20.0)

    found = fit(plan, data, Memory(850_000_000, of_gpu=False), monkeypatch)

    assert found.max_length is not None and found.max_length >= fitting.SHORTEST
    assert {spec.max_length for spec in found.plan.specs} == {found.max_length}
    assert fitting.changes(found)[-1] == f"Texts are cut to {found.max_length:,} tokens in every run."


def test_what_fits_in_no_way_is_named_and_nothing_is_changed(
    plan: Plan, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fit(plan, data, Memory(footprint.PROCESS_BYTES, of_gpu=False), monkeypatch)

    assert found.plan == plan
    assert {one.spec.run for one in found.too_large} <= {spec.run for spec in plan.specs}
    assert "even one row at a time and cut to 128 tokens" in fitting.refusal(found.too_large)


def test_workers_elsewhere_have_a_memory_that_is_not_known_here(
    plan: Plan, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://somewhere:6379/0")

    assert fit(plan, data, Memory(1, of_gpu=False), monkeypatch).plan == plan
