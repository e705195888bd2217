"""Whether more rows would help a study: its best config trained on fewer of them, and what that shows."""

from __future__ import annotations

from dataclasses import replace

from engine import more_rows, verdict
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.evaluate import paired_difference
from engine.more_rows import Point, RowCurve
from engine.records import RunKind, RunResult, RunSpec
from jobs import studies, tasks, views
from jobs.studies import NewRun

TOO_FEW = "A quarter of the training rows must be {least} rows or more, but this study trains on {rows}."


def wanted(study: str) -> list[RunSpec]:
    """The runs that the study lacks for its curve, as specs for an estimate; none: nothing is missing.

    Raises ConfigError where there are too few rows, or no trained config has a score.
    """
    best = _best(study)
    rows = _rows(_result(best))
    if not (sizes := more_rows.sizes(rows)):
        raise ConfigError(TOO_FEW.format(least=more_rows.FEWEST, rows=rows))
    have = {spec.train_size for spec, _ in _fewer(study, best)}
    return [
        replace(best, kind=RunKind.FEWER_ROWS, name=f"{best.name}, {size:,} rows", rank=None, train_size=size)
        for size in sizes
        if size not in have
    ]


def start(study: str) -> tuple[str, ...]:
    """Add these runs to the study and queue them; their ids."""
    runs = [
        NewRun(
            spec.name, spec.config, RunKind.FEWER_ROWS, seed=spec.seed, train_size=spec.train_size,
            early_stopping=spec.early_stopping_patience is not None,
        )
        for spec in wanted(study)
        if spec.config is not None
    ]  # fmt: skip
    return studies.extend(study, runs) if runs else ()


def curve(study: str) -> RowCurve | None:
    """What the runs on fewer rows show; None until both have a score. Raises ConfigError as `wanted` does."""
    best = _best(study)
    runs = [(spec, result) for spec, result in _fewer(study, best) if result is not None and result.test]
    if len(runs) < len(more_rows.SHARES):
        return None
    runs = [*sorted(runs, key=lambda found: _rows(found[1])), (best, _result(best))]
    points = tuple(Point(_rows(result), result.test) for _, result in runs if result.test is not None)
    first, half, whole = (views.predictions(spec.run, result.attempt) for spec, result in runs)
    last = paired_difference(whole, half, best.metric, "test")
    over_all = paired_difference(whole, first, best.metric, "test")
    if last is None or over_all is None:
        return None
    return RowCurve(best.metric, points, last, over_all)


def _best(study: str) -> RunSpec:
    """The tuned run that the verdict names, or else the best on dev."""
    files = _files()
    of = files.read_study(study)
    specs = [files.read_spec(run) for run in of.runs]
    results = {run: result for run in of.runs if (result := files.read_result(run)) is not None}
    order = verdict.ranked(of, specs, results)
    if not order:
        raise ConfigError("No trained config of this study has a score yet. Wait until one has.")
    use = views.summary(study).use
    chosen = use if use in order else order[0]
    return next(spec for spec in specs if spec.run == chosen)


def _fewer(study: str, best: RunSpec) -> list[tuple[RunSpec, RunResult | None]]:
    """The runs of the best config on fewer rows."""
    files = _files()
    specs = [files.read_spec(run) for run in files.read_study(study).runs]
    found = [s for s in specs if s.kind is RunKind.FEWER_ROWS and s.config == best.config]
    return [(spec, files.read_result(spec.run)) for spec in found]


def _result(best: RunSpec) -> RunResult:
    result = _files().read_result(best.run)
    assert result is not None
    return result


def _rows(result: RunResult) -> int:
    if "train_rows" not in result.facts:
        raise ConfigError(
            "This study does not say on how many rows it was trained, so fewer cannot be tried."
        )
    return int(result.facts["train_rows"])


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())
