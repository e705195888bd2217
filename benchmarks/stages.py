"""Where the CPU seconds of one run of a real LLM go, and what each saving is worth as a ratio in one run.

python benchmarks/stages.py FILE.jsonl   # one thread, LoRA r 16, 60 rows x 3 epochs, 60 + 60 rows scored
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from engine import dataset, finetune, generate, loading, models, prompts, scoring  # noqa: E402
from engine.encode import Encoder, encoder  # noqa: E402
from engine.generate import Asked  # noqa: E402
from engine.prompts import Form  # noqa: E402
from engine.records import Config, Method, Row  # noqa: E402
from engine.train import CURVE_ROWS  # noqa: E402
from engine.watch import Hooks  # noqa: E402

MODEL = "smollm2-135m"
ROWS, SCORED = 60, 60
CONFIG = Config(1e-3, 3, 8, lr_scheduler_type="linear", lora_r=16, lora_alpha=32, lora_dropout=0.0)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    file = Path(sys.argv[1])
    data = dataset.build(file)
    entry = models.get(MODEL)
    models.fetch(entry, print, lambda: False)
    tokenizer = loading.load_tokenizer(models.path(entry))
    rows = data.train_subset(ROWS, 0)
    form = Form(data.task, prompts.default_template(data.task, True), data.labels)
    text = encoder(form, tokenizer, rows, 512)
    spent: dict[str, float] = {}
    model = loading.load_model(models.path(entry), Method.LORA)
    with measured(spent, "training and curve"):
        tuned = _trained(
            model, text, rows, data.split("dev")[:: max(1, len(data.split("dev")) // CURVE_ROWS)], spent
        )
    dev, test = data.split("dev")[:SCORED], data.split("test")[:SCORED]
    with scoring.merged(tuned):
        with measured(spent, "scoring, one pass"):
            once = [one for part in (dev, test) for one in scoring._read(tuned, text, part, part is dev)]
        with measured(spent, "scoring, answers and losses apart"):
            apart = [one for part in (dev, test) for one in _apart(tuned, text, part, part is dev)]
        with measured(spent, "scoring, nothing shared"), replaced("SHARED_FROM", 1 << 30):
            alone = [one for part in (dev, test) for one in _apart(tuned, text, part, part is dev)]
        with (
            measured(spent, "scoring, nothing shared, float32"),
            replaced("SHARED_FROM", 1 << 30),
            replaced("BFLOAT16_FROM", 1 << 60),
        ):
            float32 = [one for part in (dev, test) for one in _apart(tuned, text, part, part is dev)]
    print(f"{loading.computing(tuned.num_parameters())}")
    for name, seconds in spent.items():
        print(f"{name}: {seconds:.1f} CPU s")
    before = spent["scoring, nothing shared, float32"]
    print(f"one pass, beginning shared, number format: x{before / spent['scoring, one pass']:.2f}")
    for name, other in (("apart", apart), ("nothing shared", alone), ("float32", float32)):
        same = sum(a.tokens == b.tokens for a, b in zip(once, other, strict=True))
        print(f"same answers as {name}: {same} of {len(once)}")


def _trained(
    model: Any, text: Encoder, rows: tuple[Row, ...], sample: tuple[Row, ...], spent: dict[str, float]
) -> Any:
    def epoch_ended(model: Any, epoch: int) -> float | None:
        if epoch == CONFIG.num_train_epochs:
            return None
        with measured(spent, "curve"):
            return scoring.mean_loss(model, text, sample)

    hooks = Hooks(lambda kind, values: None, lambda: None, epoch_ended)
    return finetune.finetune(
        model, text.tokenizer, [text.encode(row) for row in rows], CONFIG, 0, hooks
    ).model


def _apart(model: Any, text: Encoder, rows: tuple[Row, ...], losses: bool) -> list[generate.Answered]:
    """As it was: a pass for the answers, one for the losses."""
    found = scoring._read(model, text, rows, losses=False)
    if losses:
        encoded = [text.encode(row) for row in rows]
        limits = generate.Limits(text.ends, text.tokenizer.pad_token_id, 0)
        generate.answer(model, [Asked(one.prompt, one.completion) for one in encoded], limits)
    return found


@contextmanager
def measured(spent: dict[str, float], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    spent[name] = spent.get(name, 0.0) + time.process_time() - began


@contextmanager
def replaced(name: str, value: int) -> Iterator[None]:
    was: Callable[..., Any] | int = getattr(generate, name)
    setattr(generate, name, value)
    try:
        yield
    finally:
        setattr(generate, name, was)


if __name__ == "__main__":
    main()
