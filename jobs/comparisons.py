"""Gathers runs of any studies, from their run folders, to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from engine import comparing
from engine import dataset as datasets
from engine import settings as settings_module
from engine.artifacts import Artifacts, study_of
from engine.comparing import Pairing, Side
from engine.errors import ConfigError, NotFoundError
from jobs import tasks, views


def run_ids(text: str) -> tuple[str, ...]:
    """The runs that an address names, 'RUN,RUN'; raises ConfigError above comparing.MOST."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(found) > comparing.MOST:
        raise ConfigError(f"At most {comparing.MOST} runs are compared, but these are {len(found)}.")
    return found


def gather(runs: Sequence[str]) -> tuple[Side, ...]:
    """The runs with all that they left; raises NotFoundError for one that does not exist."""
    files = tasks.artifacts(settings_module.current())
    several = len({files.read_spec(run).dataset for run in runs}) > 1
    return tuple(_side(files, run, several) for run in runs)


def with_earlier(study: str) -> Pairing | None:
    """The winner of a study on a newer version of a dataset against the winner on the earlier version.

    None: the study continues no other, or one of the two has no winner (yet); the earlier one may be gone.
    """
    files = tasks.artifacts(settings_module.current())
    earlier = files.read_study(study).continues
    if earlier is None or (ours := winner(study)) is None or (theirs := winner(earlier)) is None:
        return None
    now, before = gather((ours, theirs))
    titles = "The winner here", f"that of the earlier study '{before.study.name}'"
    return comparing.pairing(now, before, titles)


def winner(study: str) -> str | None:
    """The run that a study's verdict names; None: none (yet), or the study is gone."""
    try:
        return views.summary(study).winner
    except NotFoundError:
        return None


def _side(files: Artifacts, run: str, keyed: bool) -> Side:
    spec, result = files.read_spec(run), files.read_result(run)
    attempts = files.attempts(run)
    attempt = result.attempt if result is not None else max(attempts, default=0)
    return Side(
        study=files.read_study(study_of(run)),
        spec=spec,
        result=result,
        predictions=views.predictions(run, attempt) if result is not None and result.test else None,
        events=tuple(files.events(run, attempt)) if attempt in attempts else (),
        rows=_keys(files, spec.dataset) if keyed else None,
    )


def _keys(files: Artifacts, dataset: str) -> dict[int, str]:
    """Empty where the dataset was deleted: its runs then share no row with others."""
    try:
        files.pull_dataset(dataset)
        return comparing.test_keys(datasets.load(dataset, files.datasets_root))
    except (NotFoundError, FileNotFoundError):
        return {}
