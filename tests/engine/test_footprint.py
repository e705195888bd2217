"""The memory that a run needs, by config, and the batch with which it fits."""

from dataclasses import replace

import pytest

from engine import catalogue, footprint
from engine.footprint import Place, fit, needed, smaller
from engine.machine import Memory
from engine.models import HUB_MODELS
from engine.records import Config, Method
from engine.workload import Work

LLAMA, SMALL = HUB_MODELS[0], catalogue.SMOLLM2
SIZE = Work(100, 50, 50, shared=40, prompt=180, answer=36, room=40, longest=256, lossy_rows=50)
CPU, GPU = Place(on_gpu=False, half=True), Place(on_gpu=True, half=True)
LORA = Config(1e-3, 3, 8, lora_r=8, lora_alpha=16)
FULL = Config(1e-5, 3, 8)


@pytest.mark.parametrize(("config", "low", "high"), [(FULL, 128, 134), (LORA, 16, 22)])
def test_an_8b_model_on_a_gpu_needs_16_bytes_a_weight_in_full_and_2_with_lora(
    config: Config, low: float, high: float
) -> None:
    assert low < needed(LLAMA, config, SIZE, GPU) / 1e9 < high


def test_rank_batch_and_length_of_a_config_all_count() -> None:
    least = needed(SMALL, LORA, SIZE, CPU)

    assert needed(SMALL, replace(LORA, lora_r=128), SIZE, CPU) > least + 5e8
    assert needed(SMALL, replace(LORA, per_device_train_batch_size=32), SIZE, CPU) > least
    assert needed(SMALL, LORA, replace(SIZE, longest=1024, prompt=950), CPU) > least
    assert needed(SMALL, replace(LORA, lora_dropout=0.05), SIZE, CPU) > least


def test_the_vocabulary_counts_at_every_place_that_is_learnt() -> None:
    few = replace(SIZE, dev_rows=1, test_rows=1)

    more = needed(LLAMA, LORA, replace(few, room=200), GPU) - needed(LLAMA, LORA, replace(few, room=100), GPU)

    assert more > 8 * 100 * 128_000 * 10


def test_without_a_gpu_the_base_of_lora_stays_in_full_precision() -> None:
    of_gpu, of_machine = (fit(LLAMA, Method.LORA, Memory(32 * 10**9, on_gpu)) for on_gpu in (True, False))

    assert of_gpu.fits
    assert not of_machine.fits
    assert of_machine.needed - of_gpu.needed > 2 * LLAMA.parameters


def test_a_smaller_batch_keeps_the_effective_batch() -> None:
    config = replace(LORA, per_device_train_batch_size=32)
    tight = Memory(needed(SMALL, replace(LORA, per_device_train_batch_size=8), SIZE, CPU), of_gpu=False)

    found = smaller(SMALL, config, SIZE, CPU, tight)

    assert found is not None
    assert (found.per_device_train_batch_size, found.gradient_accumulation_steps) == (8, 4)
    assert found.effective_batch_size == config.effective_batch_size


def test_a_config_that_fits_stays_and_one_that_never_does_has_no_smaller_batch() -> None:
    assert smaller(SMALL, LORA, SIZE, CPU, Memory(64 * 10**9, of_gpu=False)) == LORA
    assert smaller(SMALL, LORA, SIZE, CPU, Memory(footprint.PROCESS_BYTES, of_gpu=False)) is None


def test_the_vocabulary_follows_from_the_weights_that_no_layer_holds() -> None:
    assert abs(SMALL.shape.vocabulary(SMALL.parameters) - 49_152) < 100
    assert abs(LLAMA.shape.vocabulary(LLAMA.parameters) - 128_256) < 200
