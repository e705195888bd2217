"""What the runs of a study answered to each row, side by side: one table, and the rows worth reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from engine import metrics, prompts, words
from engine.figures import run_title
from engine.metrics import TITLES, lower_is_better, row_metric
from engine.records import Role, Row, RunKind, RunSpec, Task

RIGHT_BY = {Task.CLASSIFICATION: "accuracy", Task.MULTILABEL: "exact_set", Task.QA: "exact_match"}


class Filter(StrEnum):
    """Which rows of a run are shown."""

    ALL = "all"
    WRONG = "wrong"
    RIGHT = "right"
    CHANGED = "changed by tuning"
    INVALID = "invalid"
    WORST = "worst first"


@dataclass(frozen=True, slots=True)
class Outputs:
    """All frames have a line for each row of the split, by its number, and a column for each run.

    `inputs` has a column for each role instead; `words` counts the input's. `said`: None where a run has no
    answer; `values`: the study's metric of that row (row_metric), NaN where it was not measured;
    `right`: 1 or 0, without columns for a task whose answers are only more or less good. `tables` are the
    predictions that all of it comes from, of this split.
    """

    split: str
    metric: str
    specs: Mapping[str, RunSpec]
    tables: Mapping[str, pd.DataFrame]
    inputs: pd.DataFrame
    golds: Mapping[int, tuple[str, ...]]
    words: pd.Series[int]
    said: pd.DataFrame
    values: pd.DataFrame
    right: pd.DataFrame
    invalid: pd.DataFrame

    def base_of(self, run: str) -> str | None:
        """The untuned base to hold a tuned run against; None for a run that is not tuned."""
        if not self.specs[run].kind.trains:
            return None
        return next((name for name, spec in self.specs.items() if spec.kind is RunKind.BASE), None)


def join(
    rows: Sequence[Row], specs: Sequence[RunSpec], tables: Mapping[str, pd.DataFrame], split: str
) -> Outputs:
    """The rows of one split with what each run of `specs` (at least one) answered to them."""
    first = specs[0]
    numbers = pd.Index([row.number for row in rows], name="row")
    of_split = {spec.run: tables[spec.run][tables[spec.run]["split"] == split] for spec in specs}
    parts = {run: table.set_index("row").reindex(numbers) for run, table in of_split.items()}
    inputs = pd.DataFrame([_shown(row) for row in rows], index=numbers)
    said = _columns(parts, "prediction", numbers).astype(object)
    said = said.where(said.notna(), None)
    outside = pd.DataFrame({run: part["valid"].eq(False) for run, part in parts.items()}, index=numbers)
    column = row_metric(first.metric, first.task)
    return Outputs(
        split=split,
        metric=first.metric,
        specs={spec.run: spec for spec in specs},
        tables=of_split,
        inputs=inputs,
        golds={row.number: tuple(dict.fromkeys(row.targets)) for row in rows},
        words=inputs.map(words.count).sum(axis=1),
        said=said,
        values=_columns(parts, column, numbers).astype(float),
        right=_right(parts, first.task, numbers),
        invalid=outside | said.map(lambda answer: answer is not None and not answer.strip()),
    )


def _columns(parts: Mapping[str, pd.DataFrame], name: str, numbers: pd.Index[int]) -> pd.DataFrame:
    """One column of every run; not measured where a run has none."""
    missing = pd.Series(np.nan, index=numbers)
    return pd.DataFrame({run: part.get(name, missing) for run, part in parts.items()}, index=numbers)


def _right(parts: Mapping[str, pd.DataFrame], task: Task, numbers: pd.Index[int]) -> pd.DataFrame:
    if task not in RIGHT_BY:
        return pd.DataFrame(index=numbers)
    return _columns(parts, RIGHT_BY[task], numbers)


def _shown(row: Row) -> dict[str, str]:
    """The input by role; a conversation as a person reads it."""
    if Role.MESSAGES not in row.inputs:
        return {str(role): text for role, text in row.inputs.items()}
    turns = prompts.conversation(row)
    lines = [f"{prompts.SPEAKERS.get(turn['role'], turn['role'])}: {turn['content']}" for turn in turns]
    return {str(Role.MESSAGES): "\n".join(lines)}


def filters(outputs: Outputs, run: str) -> list[Filter]:
    """Those that mean something for this run: a summary is neither right nor wrong, the base not changed."""
    judged = (Filter.WRONG, Filter.RIGHT) if run in outputs.right else ()
    changed = (Filter.CHANGED,) if outputs.base_of(run) else ()
    return [Filter.ALL, *judged, *changed, Filter.INVALID, Filter.WORST]


def select(outputs: Outputs, run: str, wanted: Filter) -> list[int]:
    """Numbers of the rows that the filter keeps, in file order; WORST: those below a perfect score, the
    lowest first, of equals the one that all runs together find harder."""
    if wanted is Filter.ALL:
        return [int(number) for number in outputs.said.index]
    if wanted is Filter.WORST:
        return _worst(outputs, run)
    mask = _mask(outputs, run, wanted)
    return [int(number) for number in mask.index[mask]]


def _mask(outputs: Outputs, run: str, wanted: Filter) -> pd.Series[bool]:
    if wanted is Filter.INVALID:
        return outputs.invalid[run]
    if wanted is Filter.CHANGED:
        return _changed(outputs, run)
    return outputs.right[run].eq(1 if wanted is Filter.RIGHT else 0)


def _worst(outputs: Outputs, run: str) -> list[int]:
    sign = -1.0 if lower_is_better(outputs.metric) else 1.0
    order = pd.DataFrame({"own": sign * outputs.values[run], "all": sign * outputs.values.mean(axis=1)})
    below = order[order["own"] < 1.0].sort_values(["own", "all"], kind="stable")
    return [int(number) for number in below.index]


def _changed(outputs: Outputs, run: str) -> pd.Series[bool]:
    """Both answered, and differently."""
    base = outputs.said[outputs.base_of(run)]
    return base.notna() & outputs.said[run].notna() & (outputs.said[run] != base)


def result(outputs: Outputs, run: str, number: int) -> str:
    """How good an answer is, in words or points: 'right', 'wrong, 40.0', 'invalid', '31.2'; '': unknown."""
    if outputs.invalid.at[number, run]:
        return "invalid"
    value = outputs.values.at[number, run]
    if pd.isna(value):
        return ""
    points = metrics.number(value, lower_is_better(outputs.metric))
    if run not in outputs.right:
        return points
    if outputs.right.at[number, run]:
        return "right"
    return f"wrong, {points}" if value > 0 else "wrong"


def _result_title(outputs: Outputs, run: str) -> str:
    """What `result` tells: a word, or points of the metric."""
    return "result" if run in outputs.right else TITLES[outputs.metric]


def finding(outputs: Outputs, run: str) -> str:
    """What the table shows of one run: how many answers are right, and what tuning did to them."""
    title, total = titles(outputs, run)[run], int(outputs.said[run].notna().sum())
    parts = [f"{title} answers {total:,} {outputs.split} rows"]
    if run in outputs.right:
        right = int(outputs.right[run].eq(1).sum())
        parts = [f"{title} answers {right:,} of {total:,} {outputs.split} rows right"]
    if outputs.base_of(run) is not None:
        parts.append(_effect(outputs, run))
    return "; ".join(parts)


def _effect(outputs: Outputs, run: str) -> str:
    changed = _changed(outputs, run)
    gain = (outputs.values[run] - outputs.values[outputs.base_of(run)])[changed]
    gain = -gain if lower_is_better(outputs.metric) else gain
    start = f"tuning changed {int(changed.sum()):,} answers"
    if gain.isna().all():
        return start
    better, worse = int((gain > 0).sum()), int((gain < 0).sum())
    measure = "" if run in outputs.right else f" by {TITLES[outputs.metric]}"
    return f"{start}, {better:,} for the better and {worse:,} for the worse{measure}"


def titles(outputs: Outputs, run: str) -> dict[str, str]:
    """What each run is called, the base and `run` before all others."""
    first = [name for name in (outputs.base_of(run), run) if name is not None]
    return unique_titles([outputs.specs[name] for name in dict.fromkeys((*first, *outputs.specs))])


def unique_titles(specs: Sequence[RunSpec]) -> dict[str, str]:
    """What each run is called, by its id; titles that several share get the run's number."""
    often = Counter(map(run_title, specs))
    return {
        spec.run: f"{run_title(spec)} ({spec.run.rpartition('-')[2]})"
        if often[run_title(spec)] > 1
        else run_title(spec)
        for spec in specs
    }


def page(outputs: Outputs, run: str, numbers: Sequence[int], characters: int) -> pd.DataFrame:
    """These rows to read: texts cut to so many characters; behind the answer of `run` how good it is."""
    columns: dict[str, object] = {"row": list(numbers)}
    columns |= {
        role: [_cut(outputs.inputs.at[n, role], characters) for n in numbers] for role in outputs.inputs
    }
    columns["right answer"] = [_cut(" | ".join(outputs.golds[n]), characters) for n in numbers]
    for name, title in titles(outputs, run).items():
        columns[title] = [_cut(outputs.said.at[n, name], characters) for n in numbers]
        if name == run:
            columns[_result_title(outputs, run)] = [result(outputs, run, n) for n in numbers]
    return pd.DataFrame(columns)


def _cut(text: str | None, characters: int) -> str | None:
    return text if text is None or len(text) <= characters else f"{text[:characters]} ..."


def answers(outputs: Outputs, run: str, number: int) -> pd.DataFrame:
    """What each run answered to one row, whole, and how good that is."""
    found = titles(outputs, run)
    return pd.DataFrame(
        {
            "run": list(found.values()),
            "answer": [outputs.said.at[number, name] for name in found],
            _result_title(outputs, run): [result(outputs, name, number) for name in found],
        }
    )


def flat(outputs: Outputs, run: str, numbers: Sequence[int]) -> pd.DataFrame:
    """These rows to take away: number, input, right answers, then answer, metric and validity of each run."""
    rows = list(numbers)
    columns: dict[str, object] = {"row": rows}
    columns |= {role: outputs.inputs.loc[rows, role].to_numpy() for role in outputs.inputs}
    columns["gold"] = ["\n".join(outputs.golds[number]) for number in rows]
    measure = row_metric(outputs.metric, outputs.specs[run].task)
    for name, title in titles(outputs, run).items():
        columns[title] = outputs.said.loc[rows, name].to_numpy()
        columns[f"{title}: {measure}"] = outputs.values.loc[rows, name].to_numpy()
        columns[f"{title}: invalid"] = outputs.invalid.loc[rows, name].to_numpy()
    return pd.DataFrame(columns)
