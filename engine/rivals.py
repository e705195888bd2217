"""What the trainings of a study are held against, in words: its default config, few-shot's examples."""

from __future__ import annotations

from collections.abc import Iterable

from engine import few_shot, space
from engine.records import RunKind, RunResult, RunSpec


def told(runs: Iterable[tuple[RunSpec, RunResult | None]]) -> list[str]:
    """A sentence on the default, its values and their source, and one on few-shot, where they were run."""
    return [sentence for spec, result in runs if (sentence := _told(spec, result)) is not None]


def _told(spec: RunSpec, result: RunResult | None) -> str | None:
    if spec.kind is RunKind.DEFAULT and spec.config is not None:
        origin = space.default_origin(spec.model, spec.config)
        return None if origin is None else f"Default: {spec.config.label}; {origin.sentence}."
    if spec.kind is RunKind.FEW_SHOT and result is not None and "examples" in result.facts:
        return f"Few-shot: {few_shot.sentence(result.facts)}"
    return None
