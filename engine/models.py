"""The base models that may be tuned: an allow-list, so that no typed path or hub id ever reaches a loader."""

from __future__ import annotations

import hashlib
import json
import struct
from functools import cache
from math import prod
from pathlib import Path

from engine import grids
from engine.catalogue import HUB_MODELS, BaseModel, Provenance
from engine.checkpoints import Shape
from engine.errors import ModelError

__all__ = ["HUB_MODELS", "BaseModel", "Provenance", "Shape", "get", "path", "registry", "relatives", "sha256"]

FOLDER = Path(__file__).resolve().parents[1] / "models"
WEIGHTS = "model.safetensors"
LONGEST_HEADER = 100_000_000
EMBEDDED = ("shortlist-tiny-1m", "shortlist-tiny-4m")
ALIKE = (
    2.0  # models differ at most so many times in size when one's configs are transferred to the other [ours]
)


def registry() -> list[BaseModel]:
    """Every model that Shortlist knows, embedded ones first; one whose weights are missing is left out."""
    present = [name for name in EMBEDDED if (FOLDER / name / WEIGHTS).is_file()]
    return [*(_embedded(name) for name in present), *HUB_MODELS]


def get(model_id: str) -> BaseModel:
    """The model with this id; raises ModelError for any other text."""
    known = {model.id: model for model in registry()}
    if model_id in known:
        return known[model_id]
    if model_id in EMBEDDED:
        raise ModelError(f"The weights of {model_id} are missing: restore models/{model_id}/{WEIGHTS}.")
    raise ModelError(f"There is no model {model_id!r}. Choose one of {', '.join(known)}.")


def relatives(model: BaseModel) -> list[BaseModel]:
    """Other models of about its size whose shortlist rests on results, the closest in size first."""
    shown = (Provenance.MEASURED, Provenance.PUBLISHED)
    factors = [
        (max(other.parameters, model.parameters) / min(other.parameters, model.parameters), other)
        for other in registry()
        if other.shortlist in shown and other.id != model.id
    ]
    near = [pair for pair in factors if pair[0] <= ALIKE]
    return [other for _, other in sorted(near, key=lambda pair: pair[0])]


def path(model: BaseModel) -> Path:
    """The folder of an embedded model; raises ModelError for one that cannot be loaded here."""
    if model.folder is None:
        raise ModelError(f"{model.id} cannot be trained here yet: its revision is not pinned.")
    return FOLDER / model.folder


def sha256(model: BaseModel) -> str:
    """The digest of the weights: what a grid names its model by."""
    weights = path(model) / WEIGHTS
    return _digest(weights, weights.stat().st_mtime_ns)


@cache
def _digest(weights: Path, changed: int) -> str:
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _embedded(name: str) -> BaseModel:
    config = json.loads((FOLDER / name / "config.json").read_text(encoding="utf-8"))
    head = config["hidden_size"] // config["num_attention_heads"]
    return BaseModel(
        id=name,
        folder=name,
        parameters=_parameters(FOLDER / name / WEIGHTS),
        context_length=config["max_position_embeddings"],
        licence="Apache-2.0",
        shape=Shape(
            layers=config["num_hidden_layers"],
            width=config["hidden_size"],
            inner=config["intermediate_size"],
            key_value_width=head * config.get("num_key_value_heads", config["num_attention_heads"]),
        ),
        shortlist=_provenance(name),
    )


def _parameters(weights: Path) -> int:
    """The number of weights, from the header of a safetensors file alone."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > LONGEST_HEADER:
            raise ModelError(f"{weights.name} of {weights.parent.name} is not a safetensors file.")
        header = json.loads(file.read(length))
    return sum(prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def _provenance(name: str) -> Provenance:
    """Measured when the current grid trained it, transferred when it trained a sister."""
    version = grids.current()
    if grids.has_results(version, name):
        return Provenance.MEASURED
    sisters = any(grids.has_results(version, other) for other in EMBEDDED)
    return Provenance.TRANSFERRED if sisters else Provenance.NONE
