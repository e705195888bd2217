"""Ship result tables that others measured: python grids/publish_others.py --source ../shared/published

Writes grids/<version>/ for each table whose licence allows it (Apache-2.0): names and figures only, under our
column names. They are read-only versions with provenance "published": Explore shows them, and shortlists of
the models in them rest on them, but they are never the current grid.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).resolve().parent
TAKEN = 1_787_097_600.0  # 2026-08-19, the day of the youngest commit
KEYS = ("dataset", "model", "method")
ENDED = ("finished", "finished_but_some_repeats_diverged")


@dataclass(frozen=True, slots=True)
class Published:
    """One table: where it comes from, what it is, and how its columns are named here."""

    version: str
    file: str
    source: str
    commit: str
    holder: str
    about: str
    metric: str
    lower_is_better: bool
    rankable: bool
    read: Callable[[pd.DataFrame], pd.DataFrame]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def manifest(self, table: pd.DataFrame) -> dict[str, Any]:
        """What the version is, in the keys that measured ones have where they mean the same."""
        return {
            "version": self.version,
            "created": TAKEN,
            "provenance": "published",
            "rankable": self.rankable,
            "about": self.about,
            "metric": self.metric,
            "lower_is_better": self.lower_is_better,
            "source": self.source,
            "commit": self.commit,
            "licence": "Apache-2.0",
            "attribution": f"{self.holder}, {self.source} at commit {self.commit}, Apache License 2.0. "
            "Changed: columns renamed, units converted, rows without an outcome left out.",
            "models": _names(table["model"]),
            "methods": _names(table["method"]),
            "datasets": [{"name": name} for name in _names(table["dataset"])],
            "present": len(table),
            "failed": int(table["score"].isna().sum()),
            "left_out": dict(self.left_out),
        }


def tinker(raw: pd.DataFrame) -> pd.DataFrame:
    """Learning rate x rank for 35 models; a run that diverged has no score."""
    known = raw[raw["status"] != "unknown"]
    return pd.DataFrame(
        {
            **_plain(known, *KEYS, "learning_rate", "lora_r", "per_device_train_batch_size", "max_steps"),
            "metric": known["score_name"],
            "score": known["score"],
            "seconds": 60 * known["wall_minutes"],
            "finished_repeats": known["n_finished"],
            "diverged_repeats": known["n_diverged"],
            "error": _errors(known, {"diverged": "The training diverged."}),
        }
    )


def litgpt(raw: pd.DataFrame) -> pd.DataFrame:
    """One setting for each model and method, made by hand."""
    return pd.DataFrame(
        {
            **_plain(raw, *KEYS, "config", "num_train_epochs", "per_device_train_batch_size"),
            "max_length": raw["max_seq_length"],
            "machine": raw["machine"],
            "metric": raw["score_name"],
            "score": raw["score"],
            "seconds": 60 * raw["minutes"],
            "peak_memory_mb": 1000 * raw["peak_memory_gb"],
            "cost_usd": raw["cost_usd"],
            "mmlu_percent": raw["mmlu_percent"],
            "error": _errors(raw, {"out_of_memory": "The machine ran out of memory."}),
        }
    )


def peft(raw: pd.DataFrame) -> pd.DataFrame:
    """Adapters of one language model; the rows of an image model are of no use here."""
    text = raw[raw["dataset"] != "image-gen"]
    settings = ("learning_rate", "weight_decay", "lora_r", "lora_alpha", "use_dora", "use_rslora")
    return pd.DataFrame(
        {
            **_plain(text, *KEYS, "experiment", *settings, "max_steps", "seed"),
            "method": text["method"].str.lower(),
            "per_device_train_batch_size": text["batch_size"],
            "lr_scheduler_type": text["lr_scheduler"],
            "machine": text["accelerator"],
            "metric": text["score_name"],
            "score": text["score"],
            "seconds": text["seconds_train"],
            "peak_memory_mb": text["memory_max_bytes"] / 1e6,
            "trainable_parameters": text["num_trainable_params"],
            "error": _errors(text, {}),
        }
    )


TABLES = (
    Published(
        version="tinker-sft",
        file="tinker_sft_sweep.csv",
        source="thinking-machines-lab/tinker-cookbook, tinker_cookbook/recipes/chat_sl/results/sft_sweep.md",
        commit="9dfcc3a2",
        holder="Thinking Machines Lab",
        about="35 LLMs of 1 to 550 billion parameters, LoRA, learning rate x rank on one dataset (tulu3, "
        "780 steps of 128 rows). The score is the test loss per token, not a task score; losses compare "
        "within a model only.",
        metric="test_nll",
        lower_is_better=True,
        rankable=True,
        read=tinker,
        left_out={"the source does not state how the run ended": 4},
    ),
    Published(
        version="litgpt-hub",
        file="litgpt_config_hub.csv",
        source="Lightning-AI/litgpt, config_hub/finetune/README.md",
        commit="26857050",
        holder="Lightning AI",
        about="15 LLMs tuned in full, with LoRA and with QLoRA on 2,000 rows of Alpaca: validation loss, "
        "time, memory and cost. Settings differ from model to model: for method, memory and cost only.",
        metric="validation_loss",
        lower_is_better=True,
        rankable=False,
        read=litgpt,
    ),
    Published(
        version="peft-comparison",
        file="peft_method_comparison.csv",
        source="huggingface/peft, method_comparison",
        commit="5d602fdb",
        holder="Hugging Face",
        about="63 adapter settings for Llama-3.2-3B, trained on MetaMathQA and tested on GSM8K: accuracy, "
        "time, memory. One model and one dataset: for method, memory and cost only.",
        metric="test accuracy",
        lower_is_better=False,
        rankable=False,
        read=peft,
        left_out={"an image model": 31},
    ),
)


def publish(published: Published, source: Path, folder: Path = FOLDER) -> Path:
    """Write one version's folder, the manifest last."""
    table = published.read(pd.read_csv(source / published.file)).reset_index(drop=True)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    target = folder / published.version
    target.mkdir(parents=True, exist_ok=True)
    (target / "results.parquet").write_bytes(buffer.getvalue())
    (target / "manifest.json").write_text(json.dumps(published.manifest(table), indent=1) + "\n")
    return target


def _plain(table: pd.DataFrame, *names: str) -> dict[str, pd.Series]:
    return {name: table[name] for name in names}


def _names(column: pd.Series) -> Sequence[str]:
    return sorted(str(name) for name in column.unique())


def _errors(table: pd.DataFrame, sentences: Mapping[str, str]) -> pd.Series:
    """A sentence for each run without a score."""
    unknown = set(table["status"]) - set(ENDED) - set(sentences)
    if unknown:
        raise ValueError(f"Unknown status in the table: {', '.join(sorted(unknown))}.")
    return table["status"].map(lambda status: sentences.get(status)).astype("object")


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    source = parser.parse_args().source
    for published in TABLES:
        print(publish(published, source))  # noqa: T201


if __name__ == "__main__":
    main()
