"""How pages write numbers (points, times, sizes, ages) and text that must not be read as Markdown."""

from __future__ import annotations

import re
import time

from engine import metrics
from engine.records import Method, RunStatus, Score, Task, short_rate
from engine.verdict import Summary

STATUS = {
    RunStatus.QUEUED: "Waiting",
    RunStatus.RUNNING: "Running",
    RunStatus.FINISHED: "Finished",
    RunStatus.FAILED: "Failed",
    RunStatus.STOPPED: "Stopped",
}
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=&])")


def plain(text: str) -> str:
    """Text from files and people for a widget that reads Markdown: every sign of it escaped."""
    return MARKDOWN.sub(r"\\\1", text)


def run_option(name: str, run: str, found: Summary) -> str:
    """A run in a list to choose from, marked where it is the winner or the one that is recommended."""
    mark = found.mark(run)
    return f"{name} ({mark})" if mark else name


def by_use(run: str, found: Summary) -> int:
    """The key to sort runs by: what answers for the study, then the winner, then the others."""
    return [run == found.use, run == found.winner, True].index(True)


def number(value: float, loss: bool) -> str:
    """A score or difference in points, a loss in nats: '71.2', '1.234'."""
    return metrics.number(value, loss)


def interval(score: Score, loss: bool) -> str:
    """The 95 % interval alone: '65.0 to 76.8'."""
    return f"{number(score.low, loss)} to {number(score.high, loss)}"


def points(score: Score | None, loss: bool = False) -> str:
    """A score with its interval: '71.2 (65.0 to 76.8)'; a loss in nats."""
    if score is None:
        return "not scored"
    return metrics.points(score, loss)


def duration(seconds: float | None) -> str:
    """Seconds in the unit that a person would choose: '8 s', '3 min', '1.5 h'."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def span(low: float, high: float) -> str:
    """Two times as one: '9 to 14 min'; one number where both would read alike."""
    first, second = duration(low), duration(high)
    if first == second:
        return first
    number, _, unit = first.partition(" ")
    return f"{number} to {second}" if second.endswith(f" {unit}") else f"{first} to {second}"


def size(count: float) -> str:
    """Bytes as kB, MB or GB."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def count(number: int) -> str:
    """Parameters or rows: '1.2 M', '8 B', '400'."""
    for unit, word in ((1e9, "B"), (1e6, "M")):
        if number >= unit:
            return f"{number / unit:.2g} {word}" if number < 100 * unit else f"{number / unit:.0f} {word}"
    return f"{number:,}"


def age(created: float, now: float | None = None) -> str:
    """How long ago a time was: 'just now', '5 min ago', '3 days ago'."""
    seconds = (time.time() if now is None else now) - created
    if seconds < 60:
        return "just now"
    for unit, word in ((86_400, "day"), (3_600, "hour"), (60, "min")):
        if seconds >= unit:
            number = int(seconds // unit)
            return f"{number} {word}{'s' if number > 1 and word != 'min' else ''} ago"
    return "just now"


def clock(created: float) -> str:
    """A time of day on this machine: '14:05:09'."""
    return time.strftime("%H:%M:%S", time.localtime(created))


def rate(value: float) -> str:
    """A learning rate as people write it: '3e-4'."""
    return short_rate(value)


def schedule(name: str) -> str:
    """How the learning rate goes, in a reader's words: 'constant with warm-up' is not 'constant'."""
    return name.replace("_", " ").replace("warmup", "warm-up")


def method(name: Method) -> str:
    """How the weights are adapted, in a reader's words."""
    return {Method.LORA: "LoRA", Method.FULL: "Full fine-tuning"}[name]


def task(name: Task) -> str:
    """What the rows ask for, in a reader's words."""
    titles = {Task.QA: "Question answering", Task.MULTILABEL: "Classification, several labels a row"}
    return titles.get(name, name.capitalize())
