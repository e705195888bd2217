"""How long a grid will take, from what trainings took in the grids that were measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine import grid, grids
from engine.gridspec import GridSpec, Part
from engine.records import Method


def estimate_hours(spec: GridSpec, workers: int) -> float | None:
    """Hours of `workers` processes of one thread; None while no grid has been measured.

    A training counts as the mean of those most like it: the same task, model, method and size, or as many
    of these as were measured, in this order of importance. A size that was not measured is scaled from
    the nearest, in proportion.
    """
    measured = [version.manifest for version in grids.versions() if version.provenance == "measured"]
    known = [entry for manifest in measured for entry in _seconds(manifest)]
    if not known or workers < 1:
        return None
    tasks = {
        entry["name"]: entry["task"]
        for manifest in measured
        for entry in manifest["datasets"]
        if "task" in entry
    }
    seconds = sum(_of_part(spec, part, tasks, known) for part in spec.parts)
    return seconds / workers / 3600


def _seconds(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The manifest's seconds by kind of training; the first grid has only their median."""
    if "seconds_by_cell" in manifest:
        return list(manifest["seconds_by_cell"])
    median = manifest.get("seconds_per_run", {}).get("median")
    return [] if median is None else [{"seconds": median, "train_size": 100}]


def _of_part(
    spec: GridSpec, part: Part, tasks: Mapping[str, str], known: Sequence[Mapping[str, Any]]
) -> float:
    total = 0.0
    for dataset, model, method, size in part.places:
        times = grid.trainings_per_cell(spec, part, model, Method(method)) * len(part.seeds)
        if spec.repeat is not None and not part.defaults:
            times += spec.repeat.top * len(spec.repeat.seeds)
        wanted = {"task": tasks.get(dataset), "model": model, "method": str(method), "train_size": size}
        total += times * _like(wanted, known)
    return total


def _like(wanted: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of one training."""
    found = list(known)
    for name in ("task", "model", "method"):
        found = [entry for entry in found if entry.get(name) == wanted[name]] or found
    nearest = min((entry["train_size"] for entry in found), key=lambda size: abs(size - wanted["train_size"]))
    alike = [entry["seconds"] for entry in found if entry["train_size"] == nearest]
    return float(sum(alike) / len(alike) * wanted["train_size"] / nearest)
