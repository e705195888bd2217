"""A k = 4 study through the product against four plain TRL scripts in turn: same rows, same configs.

`python benchmarks/study_vs_trl.py [FILE] [--method lora]` (nothing else should be running). The study trains
two more models' worth (the default, and the untuned base is scored) and four scripts do not; each script is a
fresh process that loads TRL, trains with SFTTrainer's defaults and answers dev and test with generate().
Then the training alone is compared in one process, in tokens per second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SAMPLE = ROOT / "samples" / "support_tickets.csv"
TRAIN_ROWS = 100
BATCH = 32


def main() -> None:
    options = arguments()
    if options.plain:
        plain(json.loads(Path(options.plain).read_text()))
        return
    study, wall = through_the_product(options)
    job = same_rows(options)
    configs = [run["config"] for run in study["runs"] if run["kind"] == "shortlist"]
    scripts = [as_script({**job, "config": config}) for config in configs]
    print(f"study of {len(configs)} configs, default, base and baselines: {wall:.1f} s")
    print(
        f"{len(configs)} plain TRL scripts: {sum(scripts):.1f} s ({', '.join(f'{s:.1f}' for s in scripts)})"
    )
    print(f"plain / study = {sum(scripts) / wall:.2f}")
    for config in (configs[0], {**configs[0], "num_train_epochs": 3}):
        training_speed({**job, "config": config})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--model", default="shortlist-tiny-4m")
    parser.add_argument("--method", default="full", choices=("full", "lora"))
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    return parser.parse_args()


def through_the_product(options: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """Everything from the file to the verdict, on a new home: starting Redis and workers is counted too."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "cli.py", "tune", str(options.file), "--model", options.model]
        command += ["--method", options.method, "--k", "4", "--train-size", str(TRAIN_ROWS), "--json"]
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "SHORTLIST_HOME": home}, stdout=subprocess.PIPE, check=True
        )
        return json.loads(done.stdout), time.monotonic() - began


def same_rows(options: argparse.Namespace) -> dict[str, Any]:
    """What the plain script needs: prompts and completions of the same rows, cut to the same length."""
    from engine import dataset, loading, models
    from engine.encode import encoder
    from engine.prompts import Form

    data = dataset.build(options.file)
    folder = models.path(models.get(options.model))
    rows = data.train_subset(TRAIN_ROWS, 0)
    text = encoder(Form(data.task, labels=data.labels), loading.load_tokenizer(folder), rows)
    decode = text.tokenizer.decode
    return {
        "model": str(folder),
        "answer_tokens": text.answer_tokens,
        "train": [
            {"prompt": decode(e.prompt), "completion": decode(e.completion, skip_special_tokens=True)}
            for e in map(text.encode, rows)
        ],
        "asked": [decode(text.encode_prompt(r)) for split in ("dev", "test") for r in data.split(split)],
    }


def as_script(job: dict[str, Any]) -> float:
    """Seconds of the plain script in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "job.json"
        spec.write_text(json.dumps(job))
        began = time.monotonic()
        subprocess.run(
            [sys.executable, __file__, "--plain", str(spec)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.monotonic() - began


def plain(job: dict[str, Any]) -> None:
    """What one would write from TRL's documentation: train with its defaults, then answer in batches."""
    import torch

    trainer = plain_trainer(job)
    trainer.train()
    model, tokenizer = trainer.model.eval(), trainer.processing_class
    tokenizer.padding_side = "left"
    for start in range(0, len(job["asked"]), BATCH):
        batch = tokenizer(job["asked"][start : start + BATCH], return_tensors="pt", padding=True)
        with torch.inference_mode():
            model.generate(**batch.to(model.device), max_new_tokens=job["answer_tokens"], do_sample=False)


def plain_trainer(job: dict[str, Any], **changes: Any) -> Any:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    values = {k: v for k, v in job["config"].items() if not k.startswith("lora_") and k != "warmup_ratio"}
    if "warmup_ratio" in job["config"]:
        values["warmup_steps"] = job["config"]["warmup_ratio"]
    cpu, adapter = not torch.cuda.is_available(), None
    if "lora_r" in job["config"]:
        names = {"lora_r": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout"}
        chosen = {names[k]: v for k, v in job["config"].items() if k in names}
        adapter = LoraConfig(**chosen, target_modules="all-linear", task_type="CAUSAL_LM")
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype="float32"),
        args=SFTConfig(
            output_dir="trained", save_strategy="no", report_to="none", use_cpu=cpu, **values, **changes
        ),
        train_dataset=Dataset.from_list(job["train"]),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=adapter,
    )


def training_speed(job: dict[str, Any]) -> None:
    """Tokens per second of trainer.train() alone, three ways, in this process."""
    from engine import finetune, loading, watch
    from engine.encode import Encoded
    from engine.records import Config

    folder = Path(job["model"])
    tokenizer = loading.load_tokenizer(folder)
    rows = [
        Encoded(
            tokenizer(r["prompt"])["input_ids"],
            [*tokenizer(r["completion"])["input_ids"], tokenizer.eos_token_id],
            False,
        )
        for r in job["train"]
    ]
    config = Config.from_dict(job["config"])
    tokens = sum(len(r.prompt) + len(r.completion) for r in rows) * config.num_train_epochs
    hooks = watch.Hooks(lambda kind, data: None, lambda: None, lambda model, epoch: None)
    ours = finetune.finetune(loading.load_model(folder), tokenizer, rows, config, 0, hooks).seconds
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        default = timed(plain_trainer(job, disable_tqdm=True))
        bare = timed(plain_trainer(job, disable_tqdm=True, gradient_checkpointing=False))
        os.chdir(ROOT)
    print(
        f"training, {config.label}: ours {tokens / ours:,.0f} tokens/s, plain TRL {tokens / default:,.0f}, "
        f"without checkpointing {tokens / bare:,.0f}; ratios {default / ours:.2f} and {bare / ours:.2f}"
    )


def timed(trainer: Any) -> float:
    began = time.monotonic()
    trainer.train()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
