"""Runs of one config with several seeds: which belong together, and which are worth repeating.

A run repeats an earlier one of its study when it has that one's config and another seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.records import RunSpec

SEEDS = 3  # of each repeated config, its first one included
TOP = 2  # configs that are repeated, the best by dev


def families(specs: Sequence[RunSpec]) -> dict[str, tuple[RunSpec, ...]]:
    """By run that is no repeat: itself, then its repeats in the order of the study."""
    found: dict[str, list[RunSpec]] = {}
    for spec in specs:
        first = next((family for family in found.values() if _repeats(spec, family[0])), None)
        if first is None:
            found[spec.run] = [spec]
        else:
            first.append(spec)
    return {run: tuple(family) for run, family in found.items()}


def missing(
    families: Mapping[str, Sequence[RunSpec]], ranked: Sequence[str], seeds: int = SEEDS
) -> list[tuple[RunSpec, int]]:
    """The first run of each of the TOP configs, with those of so many seeds, from its own on, that it lacks.

    Two runs may have one config (a cloned one, say): it is repeated once.
    """
    runs = [spec for family in families.values() for spec in family]
    best = {families[run][0].config: families[run][0] for run in reversed(ranked)}
    configs = list(dict.fromkeys(families[run][0].config for run in ranked))[:TOP]
    wanted = []
    for first in (best[config] for config in configs):
        have = {spec.seed for spec in runs if spec.config == first.config}
        wanted += [(first, seed) for seed in range(first.seed, first.seed + seeds) if seed not in have]
    return wanted


def _repeats(spec: RunSpec, first: RunSpec) -> bool:
    return spec.config is not None and spec.config == first.config and spec.seed != first.seed
