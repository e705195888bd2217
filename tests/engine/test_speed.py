"""How fast this machine is: measured once, kept for its processor alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine import processor, speed
from engine.speed import Rates


def test_what_linux_says_of_the_processor_agrees_with_torch() -> None:
    assert processor.allowed_here() == processor.instruction_set()


def test_a_measured_speed_is_read_again_on_the_same_processor_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = replace(speed.of_table(processor.allowed_here()), measured=True)
    speed.keep(tmp_path, found)

    assert speed.known(tmp_path) == found

    monkeypatch.setattr(processor, "name", lambda: "another processor")
    assert not speed.known(tmp_path).measured


def test_a_measurement_on_a_busy_machine_does_not_spoil_an_earlier_one() -> None:
    idle = speed.of_table("avx512_amx")
    busy = replace(idle, float32=Rates(1e10, 1e10, 1e11), cast_seconds=2e-9)

    found = speed.better(busy, idle)

    assert found.float32 == Rates(idle.float32.forward, idle.float32.lora, 1e11)
    assert (found.bfloat16, found.cast_seconds) == (idle.bfloat16, idle.cast_seconds)


def test_a_broken_file_counts_as_never_measured(tmp_path: Path) -> None:
    (tmp_path / speed.FILE).write_text('{"processor": ')

    assert speed.read(tmp_path) is None


def test_what_is_measured_is_near_the_table() -> None:
    found, expected = speed.measure(), speed.of_table(processor.instruction_set())

    assert found.measured
    assert 0.1 < found.float32.forward / expected.float32.forward < 10
    assert (found.bfloat16 is None) == (expected.bfloat16 is None)
