"""Which runs repeat a config, and which seeds the best configs still lack."""

from __future__ import annotations

from dataclasses import replace

from engine import repeats
from engine.records import RunKind, RunSpec
from tests import studies


def run(number: int, seed: int = 0, learning_rate: float = 1e-3, kind: RunKind = RunKind.CUSTOM) -> RunSpec:
    config = replace(studies.CONFIG, learning_rate=learning_rate) if kind.trains else None
    return replace(studies.spec(f"{studies.STUDY}-{number:02d}", kind), seed=seed, config=config)


def test_a_repeat_has_the_config_of_an_earlier_run_and_another_seed() -> None:
    first, other, base = run(1), run(2, learning_rate=2e-3), run(3, kind=RunKind.BASE)
    again, alike = run(4, seed=1), run(5)

    found = repeats.families([first, other, base, again, alike])

    assert found == {first.run: (first, again), other.run: (other,), base.run: (base,), alike.run: (alike,)}


def test_runs_that_train_nothing_repeat_nothing() -> None:
    bases = [run(1, kind=RunKind.BASE), run(2, seed=1, kind=RunKind.BASE)]

    assert len(repeats.families(bases)) == 2


def test_a_config_that_two_runs_have_is_repeated_once() -> None:
    default, alike, third = run(1), run(2), run(3, learning_rate=2e-3)
    again = [run(4, seed=1), run(5, seed=2)]
    ranked = [alike.run, default.run, third.run]

    before = repeats.missing(repeats.families([default, alike, third]), ranked)
    after = repeats.missing(repeats.families([default, alike, third, *again]), ranked)

    assert before == [(alike, 1), (alike, 2), (third, 1), (third, 2)]
    assert after == [(third, 1), (third, 2)]


def test_the_top_two_lack_the_seeds_that_they_were_not_run_with() -> None:
    runs = [run(n, seed=7, learning_rate=n * 1e-3) for n in (1, 2, 3)]
    again = run(4, seed=8, learning_rate=2e-3)
    families = repeats.families([*runs, again])

    found = repeats.missing(families, [runs[1].run, runs[2].run, runs[0].run])

    assert found == [(runs[1], 9), (runs[2], 8), (runs[2], 9)]
