"""The base models that may be tuned: an allow-list, so that no typed path or hub id ever reaches a loader."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import prod
from pathlib import Path

from engine import grids
from engine.errors import ModelError
from engine.records import Method

FOLDER = Path(__file__).resolve().parents[1] / "models"
WEIGHTS = "model.safetensors"
LONGEST_HEADER = 100_000_000
EMBEDDED = ("shortlist-tiny-1m", "shortlist-tiny-4m")


class Provenance(StrEnum):
    """Where a model's shortlist comes from."""

    MEASURED = "measured"
    PUBLISHED = "published"
    TRANSFERRED = "transferred"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama-like decoder; `key_value_width` is the width of keys and of values."""

    layers: int
    width: int
    inner: int
    key_value_width: int

    def adapter_parameters(self, rank: int) -> int:
        """Weights that LoRA adds to q, k, v, o, gate, up and down: rank x (in + out) for each matrix."""
        square, narrow = 2 * self.width, self.width + self.key_value_width
        return rank * self.layers * (2 * square + 2 * narrow + 3 * (self.width + self.inner))


@dataclass(frozen=True, slots=True)
class BaseModel:
    """One allowed model: either embedded, with a folder, or on the hub, with an id."""

    id: str
    parameters: int
    context_length: int
    licence: str
    shape: Shape
    shortlist: Provenance
    folder: str | None = None
    hub_id: str | None = None
    prompt_style: str = "plain"
    methods: tuple[Method, ...] = (Method.LORA, Method.FULL)

    @property
    def embedded(self) -> bool:
        """Whether its weights come with the product."""
        return self.folder is not None

    @property
    def launchable(self) -> bool:
        """Whether it can be trained here; a hub model needs a pinned revision, and none is known yet."""
        return self.embedded


# Facts of the models' own pages and configs; the shortlist is the papers' published recommendation.
HUB_MODELS = (
    BaseModel(
        id="Meta-Llama-3-8B",
        hub_id="meta-llama/Meta-Llama-3-8B",
        parameters=8_030_261_248,
        context_length=8192,
        licence="Meta Llama 3 Community License",
        shape=Shape(layers=32, width=4096, inner=14336, key_value_width=1024),
        shortlist=Provenance.PUBLISHED,
    ),
    BaseModel(
        id="Mistral-7B-v0.3",
        hub_id="mistralai/Mistral-7B-v0.3",
        parameters=7_248_023_552,
        context_length=32768,
        licence="Apache-2.0",
        shape=Shape(layers=32, width=4096, inner=14336, key_value_width=1024),
        shortlist=Provenance.PUBLISHED,
    ),
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
