"""How fast this machine reads and trains an LLM: measured by a worker, until then a table."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine import processor
from engine.processor import AMX, AVX2, AVX512, BASELINE, BF16

FILE = "speed.json"
LAYERS, ROWS, TOKENS = 1, 8, 64  # of the probe, whose layers are SmolLM2's
WIDTH, INNER, HEADS, KEY_VALUE_HEADS, VOCABULARY = 576, 1536, 9, 3, 64
RANK = 16
TRIES = 3  # the best counts
CASTS = 4_000_000  # weights


@dataclass(frozen=True, slots=True)
class Rates:
    """FLOP/s of a decoder's layers on one thread: of a forward pass (2 FLOPs a weight and token), of a step
    of LoRA (4) and of full fine-tuning (6); all that is no matrix product is in it."""

    forward: float
    lora: float
    full: float


@dataclass(frozen=True, slots=True)
class Speed:
    """One thread of a processor. `cast_seconds`: per weight, to go through all weights once, as each step of
    generation does; `bfloat16`: None where it does not pay."""

    processor: str
    instruction_set: str
    float32: Rates
    bfloat16: Rates | None
    cast_seconds: float
    measured: bool


# AMX and AVX512-BF16: measured on SmolLM2's layers (training tokens/s of LoRA 152 and 242, full 122 and 191
# with AVX512-BF16; products alone 75 to 97 and 170 to 207 GFLOP/s). The others are guesses from their width.
_WIDE = Rates(7.3e10, 6.5e10, 7.5e10)
TABLE: dict[str, tuple[Rates, Rates | None]] = {
    AMX: (_WIDE, Rates(2.1e11, 1.15e11, 1.6e11)),
    BF16: (_WIDE, Rates(1.2e11, 1.03e11, 1.22e11)),
    AVX512: (_WIDE, None),
    AVX2: (Rates(3.5e10, 3.2e10, 3.6e10), None),
    BASELINE: (Rates(1e10, 1e10, 1e10), None),
}
CAST_SECONDS = 5e-10  # measured with AMX


def known(home: Path) -> Speed:
    """As measured on this processor, where that is kept in the home; else by its instruction set."""
    return read(home) or of_table(processor.allowed_here())


def of_table(instruction_set: str) -> Speed:
    """What such processors reach; an unknown one counts as AVX2."""
    float32, bfloat16 = TABLE.get(instruction_set, TABLE[AVX2])
    return Speed(processor.name(), instruction_set, float32, bfloat16, CAST_SECONDS, measured=False)


def read(home: Path) -> Speed | None:
    """What was measured on this processor with these instructions; None: nothing."""
    try:
        values: dict[str, Any] = json.loads((home / FILE).read_text(encoding="utf-8"))
        half = values.pop("bfloat16")
        float32 = Rates(**values.pop("float32"))
        found = Speed(**values, float32=float32, bfloat16=None if half is None else Rates(**half))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # as good as never measured: it will be measured anew
    same = (found.processor, found.instruction_set) == (processor.name(), processor.allowed_here())
    return found if same else None


def better(one: Speed, other: Speed | None) -> Speed:
    """The quicker of two measurements in each figure: other work on the machine only slows one down."""
    if other is None:
        return one
    halves = [rates for rates in (one.bfloat16, other.bfloat16) if rates is not None]
    return replace(
        one,
        float32=_quicker([one.float32, other.float32]),
        bfloat16=_quicker(halves) if halves else None,
        cast_seconds=min(one.cast_seconds, other.cast_seconds),
    )


def _quicker(found: Sequence[Rates]) -> Rates:
    return Rates(*(max(getattr(rates, name) for rates in found) for name in ("forward", "lora", "full")))


def keep(home: Path, speed: Speed) -> None:
    """Write it for the processes that must not load torch; whole or not at all."""
    draft = home / f"{FILE}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(speed)), encoding="utf-8")
    draft.replace(home / FILE)


def measure() -> Speed:
    """About two seconds of one thread's own time, so that other work on the machine does not count."""
    import torch

    torch.set_num_threads(1)
    known = processor.instruction_set()
    half = _rates(torch, bfloat16=True) if known in (BF16, AMX) else None
    numbers = torch.randn(CASTS)
    cast = _quickest(lambda: numbers.to(torch.bfloat16)) / CASTS
    return Speed(processor.name(), known, _rates(torch, bfloat16=False), half, cast, measured=True)


def _rates(torch: Any, bfloat16: bool) -> Rates:
    ids = torch.randint(0, VOCABULARY, (ROWS, TOKENS))
    once = LAYERS * ids.numel() * _layer()

    def read(model: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return model(input_ids=ids, use_cache=False).last_hidden_state

    def forward() -> None:
        with torch.inference_mode():
            read(whole)

    def step(model: Any) -> Callable[[], None]:
        return lambda: read(model).sum().backward()

    whole = _decoder()
    reading, full = _quickest(forward), _quickest(step(whole))
    lora = _quickest(step(_adapted(whole)))
    return Rates(2 * once / reading, 4 * once / lora, 6 * once / full)


def _layer() -> int:
    narrow = WIDTH * KEY_VALUE_HEADS // HEADS
    return 2 * WIDTH * WIDTH + 2 * WIDTH * narrow + 3 * WIDTH * INNER


def _decoder() -> Any:
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        vocab_size=VOCABULARY,
    )
    return LlamaModel(config)


def _adapted(model: Any) -> Any:
    """Frozen, with the adapters that engine.finetune adds."""
    from peft import LoraConfig, inject_adapter_in_model

    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=linear), model)
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
    return model


def _quickest(act: Callable[[], object]) -> float:
    """Seconds of this thread, after one time to warm up."""
    act()
    times = []
    for _ in range(TRIES):
        began = time.thread_time()
        act()
        times.append(time.thread_time() - began)
    return max(min(times), 1e-6)
