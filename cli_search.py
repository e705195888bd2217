"""Commands that go beyond the shortlist: search on from a study, find a learning rate."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import ConfigError, TrainingError
from engine.metrics import lower_is_better, number
from engine.records import Method
from engine.search import Objective, SearchMethod
from terminal import Json, err, out, print_json, print_table, seconds

if TYPE_CHECKING:
    from engine.lr_range import LrRange
    from engine.search import Search
    from jobs.searched import Tried

POLL_SECONDS = 0.5
PROPOSING = tuple(method for method in SearchMethod if method is not SearchMethod.SHORTLIST)


def search(
    study: Annotated[str, typer.Argument(metavar="STUDY")],
    method: Annotated[str | None, typer.Option(help=f"One of {', '.join(PROPOSING)}.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=63, help="New configs to train.")] = 8,
    minutes: Annotated[
        float | None, typer.Option(help="Start nothing more once the workers have trained so long.")
    ] = None,
    objective: Annotated[Objective, typer.Option(help="What to improve on dev.")] = Objective.METRIC,
    cold: Annotated[bool, typer.Option("--cold", help="Learn nothing from its earlier runs.")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search that was left unfinished.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train more configs than the shortlist, where a search expects better ones, and say what that gained."""
    from jobs import search as searches
    from jobs import searched, stack

    began = time.monotonic()
    with stack.start(user="terminal"):
        if resume:
            going_on = searches.unfinished(study)
            if going_on is None:
                raise ConfigError(f"No search of {study} is unfinished. Start one with --method.")
        else:
            request = searches.SearchRequest(_method(method), runs, objective, minutes, cold, seed=seed)
            going_on = searches.start(study, request)
        _follow(going_on)
    tried = searched.gather(searches.get(study, going_on.search))
    facts = {**_facts(tried), "wall_seconds": round(time.monotonic() - began, 1)}
    if as_json:
        print_json(facts)
    else:
        _print(tried, facts)
    if not any(trial["status"] == "finished" for trial in facts["trials"]):
        raise typer.Exit(1)


def lr_range(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON, JSONL, XLSX or Parquet with labelled rows.")],
    model: Annotated[str, typer.Option(help="Base model; `models` lists them.")],
    method: Annotated[Method, typer.Option(help="LoRA or full fine-tuning.")],
    train_size: Annotated[int | None, typer.Option(min=1, help="Climb on this many rows only.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Let the learning rate climb for 100 steps and say at which one the loss falls best."""
    from engine import dataset, models
    from engine.lr_range import Question
    from jobs import lr_range as climbs
    from jobs import stack, studies

    models.get(model)
    data = dataset.build(file, seed=seed)
    with stack.start(user="terminal"):
        studies.save_dataset(data, file)
        request = climbs.start(data.id, Question(model, method, train_size=train_size, seed=seed))
        try:
            _follow_climb(request)
            found = climbs.result(request)
        finally:
            climbs.delete(request)
    if found is None:
        raise typer.Exit(1)
    if as_json:
        print_json(found.to_dict())
    elif found.centre is not None:
        out.print(_rates(found), markup=False, soft_wrap=True)
    if found.problem is not None:
        err.print(found.problem, markup=False, soft_wrap=True)
        raise typer.Exit(1)


def _rates(found: LrRange) -> str:
    rates = {
        "a tenth of the steepest fall": found.corrected,
        "the same without correcting its lag": found.suggestion,
        "least loss": found.least,
    }
    told = ", ".join(f"{name} {rate:.1e}" for name, rate in rates.items() if rate is not None)
    return (
        f"Search around {found.centre:.1e} for {found.model}, {found.method} ({told}; "
        f"{found.steps} steps in {seconds(found.seconds)})."
    )


def _follow_climb(request: str) -> None:
    """Tell of the steps on stderr until the test is over; raises TrainingError when it failed."""
    from jobs import lr_range as climbs

    said = ""
    try:
        while not (climb := climbs.read(request)).state.is_final:
            step = len(climb.losses)
            doing = f"step {step} of {climb.steps}, loss {climb.losses[-1]:.3f}" if step else climb.doing
            if doing and doing != said:
                err.print(doing, markup=False)
                said = doing
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        climbs.cancel(request)
        raise
    if climb.error is not None:
        raise TrainingError(climb.error)


def _method(name: str | None) -> SearchMethod:
    if name not in PROPOSING:
        raise ConfigError(f"--method must be one of {', '.join(PROPOSING)}, but is {name!r}.")
    return SearchMethod(name)


def _follow(search: Search) -> None:
    """Drive the search and tell of each of its runs, until it is over."""
    from jobs import search as searches
    from jobs import views

    said: dict[str, str] = {}
    while True:
        goes_on = searches.advance(search.study)
        for run in views.study(search.study).runs:
            if run.spec.search == search.search and said.get(run.spec.run) != run.status:
                if run.spec.run not in said:
                    label = "" if run.spec.config is None else run.spec.config.label
                    err.print(f"{run.spec.name} ({label}): {run.spec.why}", markup=False, soft_wrap=True)
                said[run.spec.run] = run.status
                err.print(f"{run.spec.name}: {run.status}", markup=False)
        if not goes_on:
            return
        time.sleep(POLL_SECONDS)


def _facts(tried: Tried) -> dict[str, Any]:
    """The search as the JSON contract of `search` has it; scores in the metric's own unit."""
    from engine import searched as found
    from engine import searched_table
    from jobs import searched

    gain = searched.gain(tried)
    table = searched_table.table(tried.ours, tried.specs, tried.study.metric)
    return {
        "study": tried.study.study,
        "search": {k: v for k, v in tried.search.to_dict().items() if k != "earlier"},
        "trials": json.loads(table.to_json(orient="records")),
        "gain": None if gain is None or gain.difference is None else gain.difference.to_dict(),
        "sentence": None if gain is None else found.gain_sentence(gain),
        "advice": found.stop_advice(tried.search, tried.trials, tried.specs, tried.measure),
    }


def _print(tried: Tried, facts: Mapping[str, Any]) -> None:
    rows = [
        (
            tried.specs[trial.run].name,
            trial.config.label,
            str(trial.status),
            "-" if trial.loss is None else f"{trial.loss:.3f}",
            "-" if trial.score is None else _score(trial.score, tried.study.metric),
            seconds(trial.seconds),
        )
        for trial in tried.ours
    ]
    print_table(("run", "config", "status", "dev loss", f"dev {tried.study.metric}", "time"), rows)
    for sentence in (tried.search.why, facts["sentence"], facts["advice"]):
        if sentence is not None:
            out.print(sentence, markup=False, soft_wrap=True)


def _score(value: float, metric: str) -> str:
    """Trials have scores turned so that higher is better."""
    loss = lower_is_better(metric)
    return number(-value if loss else value, loss)
