"""What others recommend for real LLMs: the paper's configs with their neighbours, and a table of losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

from engine import grids
from engine.catalogue import BaseModel
from engine.coverage import Ranking, rank_configs
from engine.records import Config, Method

# What Halfon et al., arXiv 2407.18990, recommend, as the sft.md of nwind/llm-finetune passes it on. The
# schedule is not stated there: linear is TRL's default.
PAPER: Mapping[tuple[str, Method], Config] = {
    ("Meta-Llama-3-8B", Method.LORA): Config(
        5e-5, 5, 8, lr_scheduler_type="linear", lora_r=128, lora_alpha=32
    ),
    ("Meta-Llama-3-8B", Method.FULL): Config(1e-5, 5, 8, lr_scheduler_type="linear"),
    ("Mistral-7B-v0.3", Method.LORA): Config(
        5e-5, 5, 32, lr_scheduler_type="linear", lora_r=128, lora_alpha=128
    ),
    ("Mistral-7B-v0.3", Method.FULL): Config(5e-6, 5, 8, lr_scheduler_type="linear"),
}

# The search space of real LLMs [ours], as far as neighbours are taken from it.
RATES: Mapping[Method, tuple[float, ...]] = {
    Method.FULL: (5e-6, 1e-5, 2e-5, 5e-5),
    Method.LORA: (2e-5, 5e-5, 1e-4, 2e-4, 5e-4),
}
BATCHES = (8, 16, 32)
OTHER_EPOCHS = (3, 10)
NEIGHBOUR_RULE = (
    "its neighbours in the search space, learning rate one step down and up, then the same with 3 and with "
    "10 epochs, then with the next batch size"
)

LOSSES = "tinker-sft"
LOSS_TOLERANCE = 0.01  # 3 % of a loss is a wide net

# What the table of losses does not say of a config, or says of 780 steps of 128 rows: epochs and batch are
# TRL's defaults, the schedule is the default of the source's recipe, alpha is 32 at every rank in the same
# laboratory's LoRA Without Regret (Schulman et al. 2025).
UNSTATED = Config(1e-4, 3, 8, lr_scheduler_type="linear", lora_r=1, lora_alpha=32, lora_dropout=0.0)


def neighbours(config: Config) -> Iterator[Config]:
    """Configs near a recommended one, the nearest first (NEIGHBOUR_RULE)."""
    rates = RATES[config.method]
    place = rates.index(config.learning_rate)
    near = [config.learning_rate, *rates[max(0, place - 1) : place], *rates[place + 1 : place + 2]]
    place = BATCHES.index(config.per_device_train_batch_size)
    batches = [BATCHES[place], *(BATCHES[place + 1 : place + 2] or BATCHES[place - 1 : place])]
    points = product(batches, (config.num_train_epochs, *OTHER_EPOCHS), near)
    for batch, epochs, rate in list(points)[1:]:
        yield replace(config, learning_rate=rate, num_train_epochs=epochs, per_device_train_batch_size=batch)


def loss_ranking(model: BaseModel, method: Method) -> Ranking | None:
    """CBS over the model's own losses in the published table; None: it is not in there.

    Its one cell makes this the order of its losses. Configs are complete (see UNSTATED); runs that diverged
    are left out.
    """
    known = LOSSES in [grid.version for grid in grids.versions()]
    if model.hub_id is None or not known or not grids.has_results(LOSSES, model.hub_id, method):
        return None
    results = grids.load(LOSSES)
    own = results[(results["model"] == model.hub_id) & (results["method"] == str(method))]
    ranking = rank_configs(own, ["learning_rate", "lora_r"], LOSS_TOLERANCE, lower_is_better=True)
    entries = [replace(e, config=_complete(e.config)) for e in ranking.entries if e.mean_normalized]
    shown = slice(len(entries))  # failed runs come last
    return replace(
        ranking,
        entries=tuple(entries),
        normalized=ranking.normalized[:, shown],
        covered=ranking.covered[:, shown],
    )


def _complete(config: Mapping[str, float]) -> dict[str, object]:
    rank = int(config["lora_r"])
    return replace(UNSTATED, learning_rate=config["learning_rate"], lora_r=rank).to_dict()
