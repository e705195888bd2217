"""Words findings about rows: one per row up to a limit, then one for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.records import Issue, Severity

ROWS_SHOWN = 20
NUMBERS_SHOWN = 10


def listed(items: Iterable[object], shown: int = NUMBERS_SHOWN) -> str:
    """Items as a person would read them out: 'a, b and 3 more'."""
    texts = [str(item) for item in items]
    if len(texts) <= shown:
        return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + "".join(texts[-1:])
    return f"{', '.join(texts[:shown])} and {len(texts) - shown:,} more"


def counted(number: int, noun: str) -> str:
    """'1 row', '1,234 rows'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def by_row(
    severity: Severity, code: str, numbers: Sequence[int], sentence: Callable[[int], str]
) -> list[Issue]:
    """One finding per row up to ROWS_SHOWN, then one for all the rest."""
    issues = [Issue(severity, code, number, sentence(number)) for number in numbers[:ROWS_SHOWN]]
    rest = numbers[ROWS_SHOWN:]
    if rest:
        text = f"{counted(len(numbers), 'row')} in all; beside those named: {listed(rest)}."
        issues.append(Issue(severity, code, None, text))
    return issues
