"""The options of the command line that say how a file is to be read, where it is not read as it should be."""

from __future__ import annotations

from typing import Annotated

import typer

from engine import errors
from engine.sheets import Layout, Quoting

DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}

EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="Of a text file, such as cp1250; else found out.")
]
DelimiterOption = Annotated[
    str | None, typer.Option("--delimiter", help="tab, comma, semicolon, pipe or another sign.")
]
QuotingOption = Annotated[
    Quoting | None, typer.Option("--quoting", help="none: quotation marks are part of the texts.")
]
HeaderOption = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether the first row names the columns.")
]
SheetOption = Annotated[str | None, typer.Option("--sheet", help="Of a workbook; else the first with rows.")]
ListsOption = Annotated[
    bool | None,
    typer.Option(
        "--lists/--lists-as-text", help="Whether CSV cells such as ['a', 'b'] hold several answers."
    ),
]
MissingOption = Annotated[
    list[str] | None,
    typer.Option("--missing", metavar="WORD", help="A label that means: no label; repeatable."),
]
NoAnswerOption = Annotated[
    str | None,
    typer.Option("--no-answer", metavar="TEXT", help="Learn this for questions without an answer."),
]


def layout_of(
    encoding: str | None,
    delimiter: str | None,
    quoting: Quoting | None,
    header: bool | None,
    sheet: str | None,
    lists: bool | None,
    missing: list[str] | None,
    no_answer: str | None,
) -> Layout:
    """How to read a file, from the options; ConfigError when the delimiter is more than a sign."""
    sign = DELIMITERS.get(delimiter or "", delimiter)
    if sign is not None and (len(sign) != 1 or sign in '"\r\n'):
        known = ", ".join(DELIMITERS)
        raise errors.ConfigError(f"--delimiter needs one sign, or one of {known}, but is {delimiter!r}.")
    words = None if missing is None else tuple(missing)
    return Layout(encoding, sign, quoting, header, sheet, lists, words, no_answer)
