"""What a model answers: greedy answers, label likelihoods and the loss of the right answers, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.loading import BFLOAT16_FROM, computes_in_bfloat16

TOKENS_PER_BATCH = 16_384  # prompt and answer tokens held at once
ROWS_PER_BATCH = 128
SHARED_FROM = 8  # tokens; a shorter common beginning is not worth a pass of its own
POSITIONS = 1024  # whose logits are held at once: 200 MB for a vocabulary of 50,000


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt in tokens; with the right answer's tokens where its loss is wanted too."""

    prompt: Sequence[int]
    completion: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The greedy answer without its end mark; the right answer's loss in nats per token, None where it was
    not asked for; the log-probability of each label."""

    tokens: list[int]
    loss: float | None
    labels: list[float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where answers end: at any of the ids `ends`, or after `most` tokens; `pad` fills shorter rows."""

    ends: tuple[int, ...]
    pad: int
    most: int


def answer(
    model: Any, asked: Sequence[Asked], limits: Limits, labels: Sequence[Sequence[int]] = ()
) -> list[Answered]:
    """All that is wanted of each prompt, in their order; each prompt is read once, and what all of them
    begin with once for all."""
    import torch

    if not asked:
        return []
    answers: list[Answered | None] = [None] * len(asked)
    most = max([limits.most, *(len(one.completion) for one in asked)])
    with _scoring(model), torch.inference_mode():
        prefix = _Prefix.read(model, [one.prompt for one in asked])
        for batch in _batches([len(one.prompt) + most for one in asked]):
            found = _answer_batch(model, [asked[i] for i in batch], limits, labels, prefix)
            for i, one in zip(batch, found, strict=True):
                answers[i] = one
    return [one for one in answers if one is not None]


def generate(model: Any, prompts: Sequence[Sequence[int]], limits: Limits) -> list[list[int]]:
    """Greedy answers without the end mark, in the order of the prompts."""
    return [found.tokens for found in answer(model, [Asked(prompt) for prompt in prompts], limits)]


@dataclass(frozen=True, slots=True)
class _Prefix:
    """What all prompts begin with (a system turn, an instruction, examples), read once."""

    length: int
    cache: Any

    @classmethod
    def read(cls, model: Any, prompts: Sequence[Sequence[int]]) -> _Prefix:
        """At least the last token of each prompt is left to be read with its row."""
        import torch
        from transformers import DynamicCache

        first, last = min(map(tuple, prompts)), max(map(tuple, prompts))
        shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        length = min(shared, min(map(len, prompts)) - 1)
        if len(prompts) == 1 or length < SHARED_FROM:
            return cls(0, None)
        cache = DynamicCache()
        ids = torch.tensor([list(first[:length])], device=model.device)
        decoder(model)(input_ids=ids, past_key_values=cache, use_cache=True)
        return cls(length, cache)

    def copies(self, count: int) -> Any:
        """A cache for so many rows that have all read the prefix."""
        from transformers import DynamicCache

        cache = DynamicCache()
        for place, layer in enumerate(self.cache.layers if self.cache is not None else ()):
            keys, values = (part.expand(count, -1, -1, -1) for part in (layer.keys, layer.values))
            cache.update(keys, values, place)
        return cache


@dataclass(slots=True)
class _Reading:
    """A batch whose prompts are read: the cache behind them, and what the last tokens' states were."""

    model: Any
    cache: Any
    mask: Any
    positions: Any
    state: Any

    @classmethod
    def of(cls, model: Any, prompts: Sequence[Sequence[int]], pad: int, prefix: _Prefix) -> _Reading:
        import torch

        rest = [prompt[prefix.length :] for prompt in prompts]
        ids, mask = _padded(rest, pad, model.device, left=True)
        mask = torch.cat((mask.new_ones(len(rest), prefix.length), mask), dim=1)
        places = (mask.cumsum(-1) - 1).clamp(min=0)[:, prefix.length :]
        cache = prefix.copies(len(rest))
        reading = cls(model, cache, mask, places[:, -1:], None)
        reading.state = reading._states(ids, mask, places)[:, -1]
        return reading

    def logits(self, states: Any) -> Any:
        """In the weights' own precision, then 32 bits: rounded to bfloat16, likely tokens would tie."""
        import torch

        head = self.model.get_output_embeddings()
        with torch.autocast(states.device.type, enabled=False):
            return head(states.to(head.weight.dtype)).float()

    def follow(self, ids: Any, real: Any) -> Any:
        """The states of these tokens after the prompts; the cache is then as it was before."""
        import torch

        places = self.positions + 1 + torch.arange(ids.shape[1], device=ids.device)
        states = self._states(ids, torch.cat((self.mask, real), dim=1), places)
        self.cache.crop(-ids.shape[1])
        return states

    def step(self, token: Any) -> None:
        """Read one more token of each row."""
        import torch

        self.mask = torch.cat((self.mask, self.mask.new_ones(len(self.mask), 1)), dim=1)
        self.positions = self.positions + 1
        self.state = self._states(token[:, None], self.mask, self.positions)[:, -1]

    def keep(self, rows: Any) -> None:
        """Let the other rows go: they have ended."""
        self.cache.batch_select_indices(rows)
        self.mask, self.positions, self.state = self.mask[rows], self.positions[rows], self.state[rows]

    def _states(self, ids: Any, mask: Any, places: Any) -> Any:
        output = decoder(self.model)(
            input_ids=ids,
            attention_mask=mask,
            position_ids=places,
            past_key_values=self.cache,
            use_cache=True,
        )
        return output.last_hidden_state


def _answer_batch(
    model: Any,
    asked: Sequence[Asked],
    limits: Limits,
    labels: Sequence[Sequence[int]],
    prefix: _Prefix,
) -> list[Answered]:
    """Losses and labels first: they leave the cache as it was, and the answers use it up."""
    reading = _Reading.of(model, [one.prompt for one in asked], limits.pad, prefix)
    losses = _losses(reading, [one.completion for one in asked], limits.pad)
    likely = _likelihoods(reading, labels, limits.pad)
    tokens = _greedy(reading, limits)
    return [Answered(*found) for found in zip(tokens, losses, likely, strict=True)]


def _losses(reading: _Reading, completions: Sequence[Sequence[int]], pad: int) -> list[float | None]:
    if not any(completions):
        return [None] * len(completions)
    sums = _log_likelihoods(reading, completions, pad)
    return [-s / len(c) if c else None for s, c in zip(sums, completions, strict=True)]


def _likelihoods(reading: _Reading, labels: Sequence[Sequence[int]], pad: int) -> list[list[float]]:
    """One label after the other: all at once would hold the prompts' cache as often as there are labels."""
    rows = len(reading.mask)
    by_label = [_log_likelihoods(reading, [label] * rows, pad) for label in labels]
    return [[found[row] for found in by_label] for row in range(rows)]


def _log_likelihoods(reading: _Reading, answers: Sequence[Sequence[int]], pad: int) -> list[float]:
    """The log-probability of an answer to each prompt, all its tokens; an empty one has 0."""
    import torch

    ids, real = _padded([list(a) or [pad] for a in answers], pad, reading.model.device, left=False)
    real = real * torch.tensor([[bool(a)] for a in answers], device=real.device)
    states = reading.state[:, None]
    if ids.shape[1] > 1:
        states = torch.cat((states, reading.follow(ids[:, :-1], real[:, :-1])), dim=1)
    where = real.bool()
    logs = torch.zeros(real.shape, device=real.device)
    covered, tokens = states[where], ids[where]
    parts = [
        reading.logits(covered[at : at + POSITIONS]).log_softmax(-1).gather(-1, wanted[:, None])[:, 0]
        for at, wanted in zip(range(0, len(tokens), POSITIONS), tokens.split(POSITIONS), strict=True)
    ]
    logs[where] = torch.cat(parts)
    return [float(value) for value in logs.sum(1)]


def _greedy(reading: _Reading, limits: Limits) -> list[list[int]]:
    """Rows that have ended leave the batch, so that one long answer does not hold up the others."""
    import torch

    answers: list[list[int]] = [[] for _ in reading.mask]
    if limits.most < 1:
        return answers
    alive = torch.arange(len(answers), device=reading.mask.device)
    ends = torch.tensor(limits.ends, device=reading.mask.device)
    for said in range(limits.most):
        token = reading.logits(reading.state).argmax(-1)
        going = ~torch.isin(token, ends)
        for row, value in zip(alive[going].tolist(), token[going].tolist(), strict=True):
            answers[row].append(value)
        if not bool(going.any()) or said + 1 == limits.most:
            break
        if not bool(going.all()):
            rows = going.nonzero().squeeze(-1)
            reading.keep(rows)
            alive, token = alive[rows], token[rows]
        reading.step(token)
    return answers


def stream(
    model: Any, prompt: Sequence[int], ends: Sequence[int], most: int, choose: Callable[[Any], int]
) -> Iterator[int]:
    """One answer token by token, without the end mark; the same as `generate`'s when `choose`, which gets
    the logits of the next token, takes the greatest."""
    import torch
    from transformers import DynamicCache

    ids = torch.tensor([list(prompt)], device=model.device)
    cache = DynamicCache()
    for _ in range(most):
        with _scoring(model), torch.inference_mode():
            output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = choose(output.logits[0, -1].float())
        if token in ends:
            return
        yield token
        ids = ids.new_tensor([[token]])


def ends(model: Any, known: Sequence[int]) -> tuple[int, ...]:
    """The ids at which an answer ends: those known from tokenizer and chat template, and those of the model's
    own generation_config (Llama-3's has three)."""
    own = getattr(model.generation_config, "eos_token_id", None)
    listed = own if isinstance(own, list) else [] if own is None else [own]
    return tuple(dict.fromkeys([*known, *listed]))


def decoder(model: Any) -> Any:
    """The model without its output layer, below a LoRA wrapper if there is one."""
    causal = model.get_base_model() if hasattr(model, "peft_config") else model
    return causal.get_decoder()


@contextmanager
def _scoring(model: Any) -> Iterator[None]:
    """Evaluation mode, then back as it was. GPUs answer in bfloat16, and CPUs that train an LLM in it.

    SmolLM2-135M on one thread with AMX: 337 tokens/s read in float32, 1,068 in bfloat16; a step of 64 rows
    0.25 s and 0.16 s. Tiny models gain nothing, and in float32 every machine gives the same answers.
    """
    import torch

    was_training, size = model.training, model.num_parameters()
    pays = model.device.type == "cuda" or (size >= BFLOAT16_FROM and computes_in_bfloat16(size))
    model.eval()
    try:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=pays):
            yield
    finally:
        model.train(was_training)


def _batches(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Rows of similar size together, the largest first, so that memory runs out early or not at all."""
    order = sorted(range(len(sizes)), key=lambda i: -sizes[i])
    while order:
        count = max(1, min(ROWS_PER_BATCH, TOKENS_PER_BATCH // max(1, sizes[order[0]])))
        yield order[:count]
        order = order[count:]


def _padded(rows: Sequence[Sequence[int]], pad: int, device: Any, left: bool) -> tuple[Any, Any]:
    import torch

    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        part = slice(width - len(row), width) if left else slice(0, len(row))
        ids[place, part] = torch.tensor(row)
        mask[place, part] = 1
    return ids.to(device), mask.to(device)
