"""One page about a study, to be sent to somebody who never saw it: HTML that needs no network, or Markdown.

`sections` turns the facts into words and tables, once for both; the templates only lay them out.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine import classes, figures, figures_report, processor, rivals
from engine.classes import Classes
from engine.comparing import points
from engine.dataset import Dataset
from engine.findings import counted, listed
from engine.metrics import METRICS, TITLES
from engine.models import BaseModel
from engine.records import Event, Method, Role, RunKind, RunResult, RunSpec, RunStatus, Severity, Study
from engine.verdict import Summary

FINDINGS_SHOWN = 40
FOLDER = Path(__file__).resolve().parent
ROLES = {
    Role.SOURCE: "text",
    Role.CONTEXT: "passage",
    Role.QUESTION: "question",
    Role.PROMPT: "prompt",
    Role.MESSAGES: "conversation",
    Role.TARGET: "answer to learn",
}
WHY = {
    RunKind.BASE: "what the model answers before any tuning",
    RunKind.FEW_SHOT: "the untuned model with examples in its prompt",
    RunKind.BASELINE: "what is reached without a language model",
    RunKind.DEFAULT: "the default settings",
    RunKind.SHORTLIST: "from the shortlist",
    RunKind.CUSTOM: "chosen by hand",
    RunKind.SEARCH: "found by a search",
    RunKind.FEWER_ROWS: "on fewer rows, to see what more rows bring",
}
METHODS = {Method.LORA: "LoRA", Method.FULL: "full fine-tuning"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report is made of. `dataset` and `model` are None where they were deleted since.

    `link`: the study's page; `earlier`: how its winner compares with that of the study it continues;
    `classes`: the winner class by class, for a classification.
    `made`: seconds since 1970.
    """

    study: Study
    specs: tuple[RunSpec, ...]
    results: Mapping[str, RunResult]
    summary: Summary
    events: Mapping[str, Sequence[Event]]
    dataset: Dataset | None
    model: BaseModel | None
    made: float
    link: str | None = None
    earlier: str | None = None
    classes: Classes | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of text; a row may be marked as the one to look at."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: sentences, named facts, a list, a table, figures (HTML alone), text to copy."""

    title: str
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    points: tuple[str, ...] = ()
    table: Table | None = None
    figures: tuple[str, ...] = ()
    code: str = ""


def to_html(facts: Facts) -> str:
    """The page with its figures and their library in it: one file, no network."""
    template = _environment().get_template("report.html.j2")
    drawn = {name: figures_report.embed(figure) for name, figure in _figures(facts).items()}
    return template.render(
        _context(facts), figures=drawn, library=figures_report.library(), script=figures_report.PRINTING
    )


def to_markdown(facts: Facts) -> str:
    """The same without figures."""
    text = _environment().get_template("report.md.j2").render(_context(facts))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def sections(facts: Facts) -> tuple[Section, ...]:
    """What the report says, in its order."""
    by_class = () if facts.classes is None else (_by_class(facts.classes),)
    start = (_asked(facts), _checks(facts), _plan(facts), _results(facts))
    return (*start, *by_class, _limits(facts), _repeat(facts))


def verdict(facts: Facts) -> tuple[str, ...]:
    """The decision first, then its numbers, then how sure it is; what the earlier version had comes last."""
    summary = facts.summary
    found = (summary.decision.headline, summary.reason, " ".join(summary.details), facts.earlier or "")
    return tuple(sentence for sentence in found if sentence)


def _context(facts: Facts) -> dict[str, Any]:
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(facts.made))
    return {
        "title": facts.study.name,
        "made": made,
        "link": facts.link,
        "verdict": verdict(facts),
        "sections": sections(facts),
    }


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["plain"] = _plain
    found.filters["fence"] = _fence
    return found


def _plain(text: str) -> str:
    """Text from files and people on one line of Markdown, every sign of it escaped."""
    return re.sub(r"([\\`*_\[\]<>|#~$&!])", r"\\\1", " ".join(text.split()))


def _fence(text: str) -> str:
    """A code block that its content cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}\n{text}\n{marks}"


def _figures(facts: Facts) -> dict[str, Any]:
    scored = [(spec, facts.results.get(spec.run)) for spec in facts.specs]
    info = figures.score_info(scored, facts.study.metric, facts.summary.use, facts.summary.ties_of_use)
    found = {"scores": figures.score_figure(info)} if info.points else {}
    trained = [(spec, facts.events.get(spec.run, ())) for spec in facts.specs if spec.kind.trains]
    curves = figures.curve_info(trained)
    if curves.curves:
        found["curves"] = figures.curve_figure(curves)
    return found


def _asked(facts: Facts) -> Section:
    study, model = facts.study, facts.model
    kinds = Counter(spec.kind for spec in facts.specs)
    parts = [
        "the untuned base model" if kinds[RunKind.BASE] else "",
        "the same with examples in its prompt (few-shot)" if kinds[RunKind.FEW_SHOT] else "",
        counted(kinds[RunKind.BASELINE], "baseline") + " without a language model",
        "the default settings" if kinds[RunKind.DEFAULT] else "",
        counted(kinds[RunKind.SHORTLIST], "config") + " of the shortlist" if kinds[RunKind.SHORTLIST] else "",
        counted(kinds[RunKind.CUSTOM], "config") + " of the user's own" if kinds[RunKind.CUSTOM] else "",
        counted(kinds[RunKind.SEARCH], "config") + " found by a search" if kinds[RunKind.SEARCH] else "",
    ]
    question = (
        f"Which model should answer rows like those of {study.dataset_name}? "
        f"Compared: {listed([part for part in parts if part])}."
    )
    named = [("Task", str(study.task)), *_data(facts)]
    named.append(("Base model", f"{study.model}{_model(model)}"))
    named.append(("Method", METHODS[study.method]))
    named.append(("Score", f"{TITLES[study.metric]}; dev rows select the winner, test rows report its score"))
    if study.note:
        named.append(("Note", study.note))
    return Section("What was asked", (question,), tuple(named))


def _data(facts: Facts) -> list[tuple[str, str]]:
    study, data = facts.study, facts.dataset
    if data is None:
        return [("Dataset", f"{study.dataset_name} ({study.dataset}), deleted since")]
    rows = ", ".join(f"{len(numbers):,} {name}" for name, numbers in data.splits.items())
    used = f"; trained on {study.train_size:,}" if study.train_size else ""
    columns = ", ".join(f"{ROLES[role]} = {column}" for role, column in data.roles.items())
    found = [
        ("Dataset", f"{data.file_name} ({data.id}), {counted(data.total_rows, 'row')}"),
        ("Columns", columns),
        ("Rows", f"{rows}{used}"),
    ]
    if data.labels:
        found.append(("Labels", f"{len(data.labels)}: {listed(data.labels, 20)}"))
    return found


def _model(model: BaseModel | None) -> str:
    if model is None:
        return ""
    return f", {model.parameters / 1e6:,.1f} M parameters, {model.licence}"


def _checks(facts: Facts) -> Section:
    if facts.dataset is None:
        return Section("Data checks", ("The dataset was deleted since, and with it what was found in it.",))
    issues = sorted(facts.dataset.issues, key=lambda issue: list(Severity).index(issue.severity))
    if not issues:
        return Section("Data checks", ("All checks passed.",))
    counts = Counter(issue.severity for issue in issues)
    told = listed(counted(counts[s], "note" if s is Severity.INFO else str(s)) for s in Severity if counts[s])
    shown = issues[:FINDINGS_SHOWN]
    more = f" The first {FINDINGS_SHOWN} are shown." if len(issues) > len(shown) else ""
    rows = tuple(
        (
            "note" if issue.severity is Severity.INFO else str(issue.severity),
            "" if issue.row is None else str(issue.row),
            issue.message,
        )
        for issue in shown
    )
    return Section("Data checks", (f"{told}.{more}",), table=Table(("kind", "row", "finding"), rows))


def _plan(facts: Facts) -> Section:
    evidence = str(facts.study.shortlist.get("evidence", ""))
    excluded = facts.study.shortlist.get("excluded") or ()
    sentences = [evidence] if evidence else []
    if excluded:
        sentences.append(f"These rows occur in {listed(excluded)}, so that was left out of the ranking.")
    sentences += rivals.told((spec, facts.results.get(spec.run)) for spec in facts.specs)
    trained = [spec for spec in facts.specs if spec.config is not None]
    names = list(dict.fromkeys(name for spec in trained if spec.config for name in spec.config.to_dict()))
    values = [spec.config.to_dict() for spec in trained if spec.config]
    varied = [name for name in names if len({str(config.get(name)) for config in values}) > 1]
    same = [f"{name} {figures.setting(values[0].get(name))}" for name in names if name not in varied]
    if len(values) > 1 and same:
        sentences.append(f"The same in all trainings: {', '.join(same)}.")
    shown = varied if len(values) > 1 else names
    rows = tuple(
        (figures.run_title(spec), WHY[spec.kind], *(figures.setting(config.get(name)) for name in shown))
        for spec, config in zip(trained, values, strict=True)
    )
    table = Table(("training", "why", *shown), rows) if rows else None
    return Section("Plan", tuple(sentences), table=table)


def _results(facts: Facts) -> Section:
    metric, summary = facts.study.metric, facts.summary
    order = sorted(facts.specs, key=lambda spec: _place(facts, spec))
    others = [name for name in METRICS[facts.study.task] if name != metric]
    header = ("model", "dev (selects)", "test (reports)", "first on dev is better by")
    rows = tuple(
        (
            figures.run_title(spec),
            *_scores(facts, spec),
            _gap(facts, spec),
            *(points(_metric(facts, spec, name), name) or "-" for name in others),
            _duration(facts.results.get(spec.run)),
        )
        for spec in order
    )
    names = tuple(f"{TITLES[name]}, test" for name in others)
    marked = next((i for i, spec in enumerate(order) if spec.run == summary.use), None)
    unit = "nats, less is better" if metric == "loss" else "points"
    sentences = (
        f"{figures.metric_name(metric)} in {unit}, with 95 % intervals. Differences are taken row by row on "
        "the test rows; a tie is a difference that may be zero.",
    )
    return Section(
        "Results",
        sentences,
        table=Table((*header, *names, "time"), rows, marked),
        figures=("scores", "curves"),
    )


def _place(facts: Facts, spec: RunSpec) -> float:
    """Best dev score first, as it selects; runs without one last."""
    result = facts.results.get(spec.run)
    if result is None or result.dev is None:
        return float("inf")
    return result.dev.value if facts.study.metric == "loss" else -result.dev.value


def _scores(facts: Facts, spec: RunSpec) -> tuple[str, str]:
    result = facts.results.get(spec.run)
    if result is None:
        return "not ended", "not ended"
    if result.test is None and result.dev is None:
        return str(result.status), str(result.status)
    return points(result.dev, facts.study.metric) or "-", points(result.test, facts.study.metric) or "-"


def _gap(facts: Facts, spec: RunSpec) -> str:
    mark = facts.summary.mark(spec.run)
    if spec.run == facts.summary.winner:
        return mark
    difference = points(facts.summary.differences.get(spec.run), facts.study.metric)
    tie = "tie" if spec.run in facts.summary.ties else ""
    return ", ".join(filter(None, (difference, tie, mark))) or "-"


def _metric(facts: Facts, spec: RunSpec, name: str) -> Any:
    result = facts.results.get(spec.run)
    return None if result is None else result.metrics.get(name, {}).get("test")


def _by_class(found: Classes) -> Section:
    sentences = (f"{classes.finding(found)}.", classes.warning(found) or "")
    rows = tuple(
        (
            score.label,
            f"{score.n:,}",
            points(score.recall, "accuracy") or "no row",
            points(score.precision, "accuracy") or "never answered",
            "no row" if score.f1 is None else f"{100 * score.f1:.1f}",
        )
        for score in found.scores
    )
    header = ("class", "rows", "recall: found of its rows", "precision: right of its answers", "F1")
    return Section("The winner class by class", tuple(filter(None, sentences)), table=Table(header, rows))


def _limits(facts: Facts) -> Section:
    summary, tests = facts.summary, [r.test for r in facts.results.values() if r.test]
    found = list(summary.warnings)
    if tests and summary.smallest_difference is not None:
        least = 100 * summary.smallest_difference
        found.append(
            f"{tests[0].n:,} test rows show a difference between two models of about {least:.0f} points or "
            "more; a smaller one looks like a tie."
        )
    seeds = Counter(spec.config for spec in facts.specs if spec.config is not None)
    once = sum(count == 1 for count in seeds.values())
    if once:
        found.append(
            f"{once} of {counted(len(seeds), 'config')} {'was' if once == 1 else 'were'} trained with one "
            "seed; the same config with another seed scores somewhat differently."
        )
    found += _truncated(facts)
    if facts.dataset is not None:
        found += [f"{note[0].upper()}{note[1:]}." for note in facts.dataset.notes]
    found.append(
        "The test rows are of the same kind as the training rows: on rows from elsewhere, or from a later "
        "time, the scores may be lower."
    )
    return Section("Limits", points=tuple(found))


def _truncated(facts: Facts) -> list[str]:
    cut = [r.facts for r in facts.results.values() if r.facts.get("truncated_rows")]
    if not cut:
        return []
    most = max(cut, key=lambda found: int(found["truncated_rows"]))
    rows = f"{most['truncated_rows']:,} of {most['train_rows']:,} training rows"
    return [f"{rows} were longer than the {most['max_length']} tokens that the model reads, and were cut."]


def _repeat(facts: Facts) -> Section:
    study = facts.study
    ran = [result.facts for result in facts.results.values()]
    seeds = sorted({spec.seed for spec in facts.specs})
    named = [
        ("Study", study.study),
        ("Dataset id", f"{study.dataset}: the same file, columns and seed give this id and these splits"),
        ("Shortlist from", f"grid {study.shortlist['version']}" if study.shortlist.get("version") else ""),
        ("Seeds", listed(seeds)),
        ("Model weights", _first(ran, "model_sha256", "sha256 {}")),
        ("Device", "; ".join(sorted({processor.described(f) for f in ran if f.get("device")}))),
        ("Versions", _versions(ran)),
        ("Tracked in", listed(sorted({name for f in ran for name in f.get("trackers", ())}))),
    ]
    sentences = ["The command trains the same shortlist on the same splits; below it, the configs in full."]
    if facts.link is None:
        sentences.append("To look at every row and answer, run python cli.py serve and open Studies.")
    if left := _left_out(facts):
        sentences.append(f"It leaves out what is not the usual plan here: {listed(left)}.")
    return Section(
        "How to repeat it",
        tuple(sentences),
        tuple((name, value) for name, value in named if value),
        code="\n\n".join((_command(facts), _configs(facts))).strip(),
    )


def _left_out(facts: Facts) -> list[str]:
    first, kinds = facts.specs[0], {spec.kind for spec in facts.specs}
    ranks = {spec.rank for spec in facts.specs}
    entries = facts.study.shortlist.get("entries") or ()
    told = {
        "own configs": RunKind.CUSTOM in kinds,
        "configs found by a search": RunKind.SEARCH in kinds,
        "a prompt template": first.template is not None,
        "a limit of tokens": first.max_length is not None,
        "a limit of time": facts.study.time_cap_minutes is not None,
        "configs of the shortlist that were not run": any(e["rank"] not in ranks for e in entries),
        "the test rows of an earlier version": facts.study.continues is not None,
    }
    return [text for text, holds in told.items() if holds]


def _command(facts: Facts) -> str:
    study, data = facts.study, facts.dataset
    words = ["python", "cli.py", "tune", data.file_name if data else "FILE", "--model", study.model]
    words += ["--method", str(study.method), "--k", str(max(1, study.k)), "--metric", study.metric]
    words += ["--seed", str(study.seed), "--task", str(study.task)]
    if study.train_size:
        words += ["--train-size", str(study.train_size)]
    for role, column in data.roles.items() if data else ():
        words += ["--map", f"{role}={column}"]
    return shlex.join(words)


def _configs(facts: Facts) -> str:
    lines = [
        json.dumps({"run": spec.name, "seed": spec.seed, **spec.config.to_dict()})
        for spec in facts.specs
        if spec.config is not None
    ]
    return "\n".join(lines)


def _first(ran: Sequence[Mapping[str, Any]], name: str, form: str) -> str:
    return next((form.format(facts[name]) for facts in ran if facts.get(name)), "")


def _versions(ran: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, set[str]] = {}
    for facts in ran:
        for name, version in facts.get("versions", {}).items():
            found.setdefault(name, set()).add(str(version))
    return ", ".join(f"{name} {' and '.join(sorted(versions))}" for name, versions in found.items())


def _duration(result: RunResult | None) -> str:
    if result is None or result.seconds is None:
        return "-"
    text = f"{result.seconds:.0f} s" if result.seconds < 90 else f"{result.seconds / 60:.0f} min"
    return f"{text}, stopped" if result.status is RunStatus.STOPPED else text
