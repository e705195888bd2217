"""Pre-train an embedded base model: python models/pretrain.py shortlist-tiny-4m --minutes 75

It needs ../shared/corpora and two processor cores, logs to models/MODEL_ID/pretraining_log.jsonl,
saves every two minutes, and goes on from there with --resume: from the local checkpoint, or, in a
fresh checkout, from the committed weights and pretraining_state.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import architecture
import corpus
import export
import mixture
import torch
from architecture import ChunkedLoss, Shape, Weights, final_states, initial_weights, rotary_table
from curriculum import Alphabet
from optimizers import Optimizer
from probes import probe
from torch import Tensor
from torch.nn import functional

MODELS = Path(__file__).resolve().parent
SHAPES = {
    "shortlist-tiny-4m": Shape(layers=4, width=256, heads=4, inner=512),
    "shortlist-tiny-1m": Shape(layers=3, width=128, heads=4, inner=320),
}
ROWS = 16
MATRIX_RATE, OTHER_RATE = 5e-3, 4e-3
WARMUP_STEPS, REWARM_STEPS = 60, 100
DECAY_FROM, LAST_SHARE = 0.25, 0.01  # of the mix: the rate stays, then falls to this share
COPY_LOSS, STAGE_STEPS = 0.2, 400  # a copy stage ends below this loss, or after so many steps
FOCUS_STEPS = 200  # of lookups, between the copying and the mix
LEAST_MIX = 0.6  # of the minutes: on a slow machine the stages before it are cut short
SAVE_SECONDS, PROBE_STEPS, LOG_STEPS = 120, 250, 25


@dataclass(slots=True)
class State:
    """Where the training is; small enough to commit."""

    stage: int = 0  # of the copying; then the lookups; then the mix
    stage_steps: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    mix_tokens: int = 0
    mix_seconds: float = 0.0
    since_resume: int = 0
    recent: list[float] = field(default_factory=list)  # losses of this copy stage

    @property
    def mixed(self) -> bool:
        return self.stage > len(mixture.COPY_STAGES)

    @property
    def copying(self) -> bool:
        return self.stage < len(mixture.COPY_STAGES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line."""

    model_id: str
    tokens: int
    minutes: float
    seed: int

    @property
    def folder(self) -> Path:
        return MODELS / self.model_id

    @property
    def checkpoint(self) -> Path:
        return corpus.CACHE / f"{self.model_id}.pt"

    def progress(self, state: State) -> float:
        """Share of the mix that is done, by tokens or by time, whichever is further."""
        copy_seconds = state.seconds - state.mix_seconds
        by_time = state.mix_seconds / max(1.0, self.minutes * 60 - copy_seconds)
        return min(1.0, max(by_time, state.mix_tokens / self.tokens))


class Trainer:
    """Holds the master weights and takes the steps."""

    def __init__(self, plan: Plan, resume: bool) -> None:
        self.plan = plan
        self.shape = SHAPES[plan.model_id]
        self.state = State()
        self.weights: Weights = initial_weights(self.shape, plan.seed)
        self.optimizer = Optimizer(self.weights)
        if resume:
            self._resume()
        cosines, sines = rotary_table(self.shape)
        self.rotary = (cosines.bfloat16(), sines.bfloat16())
        self.alphabet = Alphabet(corpus.load_tokenizer())
        texts = {name: corpus.load_tokens(name) for name in corpus.NAMES}
        self.tasks = mixture.build_tasks(self.alphabet, {n: t[0] for n, t in texts.items()})
        self.held = mixture.build_tasks(self.alphabet, {n: t[1] for n, t in texts.items()})

    def _resume(self) -> None:
        if self.plan.checkpoint.exists():
            stored = torch.load(self.plan.checkpoint, weights_only=True)
            self.weights.update(stored["weights"])
            self.optimizer.load(stored["optimizer"])
            self.state = State(**stored["state"])
        elif (self.plan.folder / "pretraining_state.json").exists():
            text = (self.plan.folder / "pretraining_state.json").read_text(encoding="utf-8")
            self.state = State(**json.loads(text))
            self.weights.update(export.load_weights(self.plan.folder, self.shape))
            self.state.since_resume = 0
        self.optimizer.weights = self.weights

    def save(self) -> None:
        """The checkpoint with its moments, and the small state and weights to commit."""
        self.plan.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        stored = {
            "weights": self.weights,
            "optimizer": self.optimizer.state(),
            "state": asdict(self.state),
        }
        partial = self.plan.checkpoint.with_suffix(".partial")
        torch.save(stored, partial)
        partial.rename(self.plan.checkpoint)
        export.save_weights(self.weights, self.plan.folder)
        text = json.dumps(asdict(self.state), indent=2) + "\n"
        (self.plan.folder / "pretraining_state.json").write_text(text, encoding="utf-8")

    def batch(self) -> mixture.Batch:
        seed = (self.plan.seed, self.state.steps)
        if self.state.copying:
            return mixture.copy_batch(self.alphabet, seed, self.state.stage, ROWS)
        if not self.state.mixed:
            return mixture.focus_batch(self.tasks, seed, ROWS)
        return mixture.mixed_batch(self.tasks, seed, self.plan.progress(self.state), ROWS)

    def rate(self) -> float:
        """Share of the full learning rate."""
        warm = min(1.0, (self.state.steps + 1) / WARMUP_STEPS)
        warm = min(warm, (self.state.since_resume + 1) / REWARM_STEPS + 0.1)
        done = self.plan.progress(self.state)
        left = min(1.0, (1 - done) / (1 - DECAY_FROM))
        return warm * max(LAST_SHARE, left)

    def step(self) -> float:
        """One update; returns the loss."""
        started = time.monotonic()
        batch = self.batch()
        tokens = torch.from_numpy(batch.tokens)
        importance = torch.from_numpy(batch.weights[:, 1:]).float().reshape(-1)
        halves = {n: w.bfloat16().requires_grad_() for n, w in self.weights.items()}
        states = final_states(halves, tokens[:, :-1], self.rotary)
        flat = states.reshape(-1, self.shape.width)
        loss = ChunkedLoss.apply(flat, halves["embedding"], tokens[:, 1:].reshape(-1), importance)
        loss.backward()
        gradients = {n: w.grad for n, w in halves.items() if w.grad is not None}
        rate = self.rate()
        self.optimizer.step(gradients, MATRIX_RATE * rate, OTHER_RATE * rate)
        value = float(loss.detach())
        self._count(tokens.shape[0] * self.shape.context, time.monotonic() - started, value)
        return value

    def _count(self, tokens: int, seconds: float, loss: float) -> None:
        state = self.state
        state.steps += 1
        state.since_resume += 1
        state.tokens += tokens
        state.seconds += seconds
        state.stage_steps += 1
        if state.mixed:
            state.mix_tokens += tokens
            state.mix_seconds += seconds
            return
        state.recent = [*state.recent[-9:], loss]
        learnt = len(state.recent) == 10 and sum(state.recent) / 10 < COPY_LOSS
        longest = STAGE_STEPS if state.copying else FOCUS_STEPS
        if learnt or state.stage_steps >= longest:
            state.stage += 1
            state.stage_steps = 0
            state.recent = []
        if state.seconds > (1 - LEAST_MIX) * self.plan.minutes * 60:
            state.stage = len(mixture.COPY_STAGES) + 1

    @torch.no_grad()
    def score(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Each target's loss, and whether the model's best guess is right."""
        halves = {n: w.bfloat16() for n, w in self.weights.items()}
        states = final_states(halves, inputs, self.rotary)
        losses, right = [], []
        for row, wanted in zip(states, targets, strict=True):
            logits = (row @ halves["embedding"].t()).float()
            losses.append(functional.cross_entropy(logits, wanted, reduction="none"))
            right.append(logits.argmax(-1) == wanted)
        return torch.stack(losses), torch.stack(right)

    def probe(self) -> dict[str, float]:
        """The probes, counted as training time."""
        started = time.monotonic()
        found = probe(self.score, self.alphabet, self.held)
        spent = time.monotonic() - started
        self.state.seconds += spent
        if self.state.mixed:
            self.state.mix_seconds += spent
        return found


def train(plan: Plan, resume: bool) -> None:
    """Train until the plan is done, logging and saving on the way."""
    torch.set_num_threads(2)
    architecture.layer = torch.compile(architecture.layer, dynamic=False)  # type: ignore[assignment]
    architecture._chunk = torch.compile(architecture._chunk, dynamic=False)  # type: ignore[assignment]
    trainer = Trainer(plan, resume)
    export.save_settings(trainer.shape, plan.folder)
    saved, losses = time.monotonic(), []
    signal.signal(signal.SIGTERM, lambda *_: _stop(trainer))
    while not trainer.state.mixed or plan.progress(trainer.state) < 1:
        stage = trainer.state.stage
        losses.append(trainer.step())
        if trainer.state.steps % LOG_STEPS == 0:
            _log(trainer, {"loss": sum(losses) / len(losses), "rate": trainer.rate()})
            losses = []
        if trainer.state.steps % PROBE_STEPS == 0 or trainer.state.stage != stage:
            _log(trainer, trainer.probe())
        if time.monotonic() - saved > SAVE_SECONDS:
            trainer.save()
            saved = time.monotonic()
    trainer.save()
    _log(trainer, trainer.probe() | {"finished": 1.0})


def _stop(trainer: Trainer) -> None:
    """Asked to end: keep what was learnt."""
    trainer.save()
    raise SystemExit(0)


def _log(trainer: Trainer, values: dict[str, float]) -> None:
    state = trainer.state
    head = {"step": state.steps, "stage": state.stage, "tokens": state.tokens}
    line = head | {"seconds": round(state.seconds, 1)} | {n: round(v, 4) for n, v in values.items()}
    with (trainer.plan.folder / "pretraining_log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("model_id", choices=sorted(SHAPES), help="which model to train")
    parser.add_argument("--tokens", type=int, default=60_000_000, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=75, help="or after so long, if earlier")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the data's order")
    parser.add_argument("--resume", action="store_true", help="go on from what was saved")
    given = parser.parse_args()
    plan = Plan(given.model_id, given.tokens, given.minutes, given.seed)
    plan.folder.mkdir(parents=True, exist_ok=True)
    train(plan, given.resume)


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    main()
