"""Which instruction set this process computes with on the CPU, as the processor and its environment allow."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

BASELINE, AVX2, AVX512, BF16, AMX = ORDER = ("x86_64", "avx2", "avx512", "avx512_bf16", "avx512_amx")
NEEDS = {AVX2: "avx2", AVX512: "avx512_f", BF16: "avx512_bf16", AMX: "amx_bf16"}  # in torch's words
LIMITS = {  # oneDNN's names without those that allow everything here ("CPU Dispatcher Control" of its guide)
    "sse41": BASELINE,
    "avx": BASELINE,
    "avx2": AVX2,
    "avx2_vnni": AVX2,
    "avx2_vnni_2": AVX2,
    "avx512_core": AVX512,
    "avx512_core_vnni": AVX512,
    "avx512_core_bf16": BF16,
    "avx512_core_fp16": BF16,
    "avx10_1": BF16,
    "avx10_1_512": BF16,
    "avx10_2": BF16,
    "avx10_2_512": BF16,
}
OF_TORCH = {"DEFAULT": BASELINE, "AVX2": AVX2}
FLAGS = {"avx512_f": "avx512f"}  # Linux's word where it is not torch's


def instruction_set() -> str:
    """One of ORDER, from the least to the most capable; the architecture's name where it is not x86-64.

    Torch multiplies with oneDNN, which ONEDNN_MAX_CPU_ISA limits; ATEN_CPU_CAPABILITY limits the rest.
    """
    import torch

    return allowed(torch.cpu.get_capabilities(), torch.backends.cpu.get_cpu_capability(), _limit())


def allowed_here() -> str:
    """instruction_set() without torch, which the web process must not load, from what Linux says."""
    facts = _facts()
    flags = facts.get("flags", "").split()
    can: dict[str, object] = {need: FLAGS.get(need, need) in flags for need in NEEDS.values()}
    can["architecture"] = platform.machine()
    return allowed(can, os.environ.get("ATEN_CPU_CAPABILITY", "").upper(), _limit())


def name() -> str:
    """What the processor calls itself, with what tells its generations apart."""
    facts = _facts()
    known = (facts.get(word) for word in ("model name", "model", "stepping"))
    return " ".join(word for word in known if word) or platform.processor() or platform.machine()


@cache
def _facts() -> dict[str, str]:
    """Of the first core; nothing where the system does not tell."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {word.strip(): value.strip() for word, _, value in pairs}


def _limit() -> str:
    """oneDNN takes its variable's older name too, and the case of its value does not matter."""
    return os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""


def allowed(can: Mapping[str, object], of_torch: str, limit: str) -> str:
    """The best set that the processor has and neither torch nor oneDNN's limit rules out.

    `can`: torch.cpu.get_capabilities(); an unknown limit is none, as oneDNN takes it.
    """
    if can.get("architecture") != "x86_64":
        return str(can.get("architecture", "unknown"))
    own = max((name for name in NEEDS if can.get(NEEDS[name])), key=ORDER.index, default=BASELINE)
    caps = (own, OF_TORCH.get(of_torch, AMX), LIMITS.get(limit.lower(), AMX))
    return min(caps, key=ORDER.index)


def described(facts: Mapping[str, Any]) -> str:
    """Device, instruction set and number format of a run in words; a run of an earlier version knows less."""
    known = (facts.get(name) for name in ("device", "processor", "number_format"))
    return ", ".join(str(value) for value in known if value)
