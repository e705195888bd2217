"""The instruction set that is left of a processor's by what the environment allows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import loading, processor

SAPPHIRE_RAPIDS = dict.fromkeys(("avx2", "avx512_f", "avx512_bf16", "amx_bf16"), True)
ZEN_4 = {**SAPPHIRE_RAPIDS, "amx_bf16": False}
SKYLAKE = {**ZEN_4, "avx512_bf16": False}
HASWELL = {"avx2": True}
LLM = 135_000_000  # parameters


def allowed(can: dict[str, bool], of_torch: str = "AVX512", limit: str = "") -> str:
    return processor.allowed({"architecture": "x86_64", **can}, of_torch, limit)


@pytest.mark.parametrize(
    ("can", "of_torch", "expected"),
    [
        (SAPPHIRE_RAPIDS, "AVX512", "avx512_amx"),
        (ZEN_4, "AVX512", "avx512_bf16"),
        (SKYLAKE, "AVX512", "avx512"),
        (HASWELL, "AVX2", "avx2"),
        ({}, "DEFAULT", "x86_64"),
    ],
)
def test_without_a_limit_it_is_the_processors_best(
    can: dict[str, bool], of_torch: str, expected: str
) -> None:
    assert allowed(can, of_torch) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("AVX2", "avx2"),
        ("avx512_core", "avx512"),
        ("AVX512_CORE_BF16", "avx512_bf16"),
        ("AVX10_1_512", "avx512_bf16"),
        ("AVX512_CORE_AMX", "avx512_amx"),
        ("DEFAULT", "avx512_amx"),
        ("no such set", "avx512_amx"),
    ],
)
def test_a_limit_of_onednn_holds(limit: str, expected: str) -> None:
    assert allowed(SAPPHIRE_RAPIDS, limit=limit) == expected


def test_a_limit_above_the_processor_changes_nothing() -> None:
    assert allowed(HASWELL, "AVX2", "AVX512_CORE_AMX") == "avx2"


@pytest.mark.parametrize(("of_torch", "expected"), [("AVX2", "avx2"), ("DEFAULT", "x86_64")])
def test_a_limit_of_torch_holds(of_torch: str, expected: str) -> None:
    assert allowed(SAPPHIRE_RAPIDS, of_torch, "AVX512_CORE_AMX") == expected


def test_another_architecture_is_named() -> None:
    assert processor.allowed({"architecture": "aarch64"}, "DEFAULT", "AVX2") == "aarch64"


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("avx512_amx", 1_000_000, True),
        ("avx512_amx", LLM, True),
        ("avx512_bf16", 4_000_000, False),
        ("avx512_bf16", LLM, True),
        ("avx512", LLM, False),
        ("avx2", LLM, False),
        ("aarch64", LLM, False),
    ],
)
def test_bfloat16_is_used_where_the_processor_multiplies_it_faster(
    name: str, parameters: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "instruction_set", lambda: name)

    assert loading.computes_in_bfloat16(parameters) is expected


def test_a_restricted_process_computes_in_32_bits() -> None:
    program = "from engine import loading; print(loading.computing(10**9))"
    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "default"}

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, **limits, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip().endswith("'number_format': 'float32'}")
    assert "avx" not in done.stdout


def test_a_run_is_described_by_what_is_known_of_it() -> None:
    facts = {"device": "CPU, 2 threads", "processor": "avx512_amx", "number_format": "bfloat16 autocast"}

    assert processor.described(facts) == "CPU, 2 threads, avx512_amx, bfloat16 autocast"
    assert processor.described({"device": "CPU, 2 threads"}) == "CPU, 2 threads"
