"""What a model takes on GPUs that are not here."""

from __future__ import annotations

from engine import elsewhere, models
from engine.records import Method


def test_8_billion_weights_take_less_time_on_a_larger_gpu_and_are_too_many_for_full_fine_tuning() -> None:
    model = models.get("Qwen3-8B")

    lora, full = elsewhere.needs(model, Method.LORA), elsewhere.needs(model, Method.FULL)

    times = [need.seconds for need in lora if need.seconds is not None]
    assert len(times) >= 2
    assert times == sorted(times, reverse=True)
    assert all(need.seconds is None and need.needed > need.gpu.size for need in full)


def test_the_smallest_gpu_that_fits_is_named_or_none() -> None:
    small, large = models.get("Llama-3.2-1B"), models.get("Qwen3-8B")

    found = elsewhere.smallest(small, Method.LORA)

    assert found is not None and found.size == 24 * 10**9
    assert elsewhere.smallest(large, Method.FULL) is None
