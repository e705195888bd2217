"""What a model answers: batched greedy generation, label likelihood, and the loss of the right answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.encode import Encoded
from engine.loading import computes_in_bfloat16

TOKENS_PER_BATCH = 16_384  # prompt and answer tokens held at once
ROWS_PER_BATCH = 128


def generate(model: Any, prompts: Sequence[Sequence[int]], eos: int, pad: int, most: int) -> list[list[int]]:
    """Greedy answers of at most `most` tokens, without the end mark, in the order of the prompts."""
    import torch

    answers: list[list[int]] = [[] for _ in prompts]
    with _scoring(model), torch.inference_mode():
        for batch in _batches([len(p) + most for p in prompts]):
            found = _greedy(model, [prompts[i] for i in batch], eos, pad, most)
            for i, answer in zip(batch, found, strict=True):
                answers[i] = answer
    return answers


def _greedy(model: Any, prompts: Sequence[Sequence[int]], eos: int, pad: int, most: int) -> list[list[int]]:
    """One batch; rows that have ended leave it, so that one long answer does not hold up the others."""
    import torch
    from transformers import DynamicCache

    ids, mask = _padded(prompts, pad, model.device, left=True)
    cache = DynamicCache(config=model.config)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    answers: list[list[int]] = [[] for _ in prompts]
    alive = torch.arange(len(prompts), device=ids.device)
    for _ in range(most):
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        token = output.logits[:, -1].argmax(-1)
        going = token != eos
        for row, value in zip(alive[going].tolist(), token[going].tolist(), strict=True):
            answers[row].append(value)
        if not bool(going.any()):
            break
        if not bool(going.all()):
            keep = going.nonzero().squeeze(-1)
            cache.batch_select_indices(keep)
            alive, token, mask, positions = alive[keep], token[keep], mask[keep], positions[keep]
        ids = token[:, None]
        mask = torch.cat((mask, mask.new_ones(len(mask), 1)), dim=1)
        positions = positions[:, -1:] + 1
    return answers


def stream(
    model: Any, prompt: Sequence[int], eos: int, most: int, choose: Callable[[Any], int]
) -> Iterator[int]:
    """One answer token by token, without the end mark; the same as `generate`'s when `choose`, which gets
    the logits of the next token, takes the greatest."""
    import torch
    from transformers import DynamicCache

    ids = torch.tensor([list(prompt)], device=model.device)
    cache = DynamicCache(config=model.config)
    for _ in range(most):
        with _scoring(model), torch.inference_mode():
            output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = choose(output.logits[0, -1].float())
        if token == eos:
            return
        yield token
        ids = ids.new_tensor([[token]])


def label_log_likelihoods(
    model: Any, prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]], pad: int
) -> list[list[float]]:
    """For each prompt the log-probability of each label, all its tokens; the prompt is read only once."""
    import torch

    longest = max(len(label) for label in labels)
    size = [len(p) + len(labels) * (longest + len(p) // 8) for p in prompts]
    scores: list[list[float]] = [[] for _ in prompts]
    with _scoring(model), torch.inference_mode():
        for batch in _batches(size):
            found = _likelihoods(model, [prompts[i] for i in batch], labels, pad)
            for i, row in zip(batch, found.tolist(), strict=True):
                scores[i] = row
    return scores


def _likelihoods(
    model: Any, prompts: Sequence[Sequence[int]], labels: Sequence[Sequence[int]], pad: int
) -> Any:
    import torch
    from transformers import DynamicCache

    ids, mask = _padded(prompts, pad, model.device, left=True)
    cache = DynamicCache(config=model.config)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    first = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1
    ).logits[:, -1:]
    rows, count = len(prompts), len(labels)
    answer, real = _padded(labels, pad, model.device, left=False)
    first = first.repeat_interleave(count, dim=0)
    if answer.shape[1] > 1:
        cache.batch_repeat_interleave(count)
        start = positions[:, -1:].repeat_interleave(count, dim=0) + 1
        later = model(
            input_ids=answer[:, :-1].repeat(rows, 1),
            attention_mask=torch.cat((mask.repeat_interleave(count, 0), real[:, :-1].repeat(rows, 1)), 1),
            position_ids=start + torch.arange(answer.shape[1] - 1, device=ids.device),
            past_key_values=cache,
        ).logits
        first = torch.cat((first, later), dim=1)
    logs = first.float().log_softmax(-1).gather(-1, answer.repeat(rows, 1)[..., None])[..., 0]
    return (logs * real.repeat(rows, 1)).sum(1).view(rows, count)


def completion_losses(model: Any, rows: Sequence[Encoded], pad: int) -> list[float]:
    """For each row the mean loss in nats per token of the right answer."""
    import torch
    from torch.nn import functional

    losses = [0.0] * len(rows)
    backbone = decoder(model)
    precision = torch.autocast(model.device.type, torch.bfloat16, enabled=computes_in_bfloat16())
    with _scoring(model), torch.inference_mode(), precision:
        for batch in _batches([len(r.prompt) + len(r.completion) for r in rows]):
            ids, _ = _padded([rows[i].prompt + rows[i].completion for i in batch], pad, model.device, False)
            covered = torch.zeros_like(ids, dtype=torch.bool)
            for place, i in enumerate(batch):
                start = len(rows[i].prompt)
                covered[place, start : start + len(rows[i].completion)] = True
            states = backbone(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
            where = covered[:, 1:]
            logits = model.get_output_embeddings()(states[where]).float()
            loss = functional.cross_entropy(logits, ids[:, 1:][where], reduction="none")
            sums = loss.new_zeros(len(batch)).index_add(0, where.nonzero()[:, 0], loss)
            for i, value in zip(batch, (sums / where.sum(1).clamp(min=1)).tolist(), strict=True):
                losses[i] = value
    return losses


def decoder(model: Any) -> Any:
    """The model without its output layer, below a LoRA wrapper if there is one.

    Padding is on the right wherever this is called, so that a causal model needs no attention mask.
    """
    causal = model.get_base_model() if hasattr(model, "peft_config") else model
    return causal.get_decoder()


@contextmanager
def _scoring(model: Any) -> Iterator[None]:
    """Evaluation mode, then back as it was. GPUs answer in bfloat16; CPUs in float32, where steps of one
    token gain nothing from it (measured) and every machine then gives the same answers."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
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
