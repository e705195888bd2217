"""The `export` command: the files of a run or a baseline in a folder or a zip, checked against the run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.export_parts import OF_MODELS, What
from terminal import Json, err, out, print_json

if TYPE_CHECKING:
    from jobs.exports import Done


def export(
    study_or_run: Annotated[
        str, typer.Argument(metavar="RUN|STUDY", help="A run, or a study: what answers for it.")
    ],
    to: Annotated[Path, typer.Option("--out", help="A new or empty folder, or a file that ends in .zip.")],
    what: Annotated[What, typer.Option("--what", help="What to write; the card is always there.")] = What.ALL,
    json: Json = False,
) -> None:
    """Write a run's adapter, merged model, TRL script and card, or a baseline; load it afresh and compare."""
    from engine import export as exporting
    from jobs import exports, predictions, stack

    as_zip = to.suffix.lower() == ".zip"
    exporting.check_target(to, as_file=as_zip)
    run = predictions.model_of(study_or_run) if what in OF_MODELS else predictions.run_of(study_or_run)
    exporting.chosen(what, exports.refusals(run))
    with stack.start(user="terminal"):
        exports.request(run, what)
        try:
            done = exports.wait(run, lambda text: err.print(text, markup=False))
        except KeyboardInterrupt:
            exports.cancel(run)
            raise
    archive = exports.packed(run)
    if as_zip:
        shutil.copyfile(archive, to)
    else:
        exporting.unpack(archive, to)
    if json:
        print_json(_facts(run, done))
        return
    if run != study_or_run:
        err.print(predictions.told(run), markup=False, soft_wrap=True)
    for part, why in done.left_out.items():
        err.print(f"Without {part}: {why}", markup=False, soft_wrap=True)
    for entry in done.parity:
        out.print(f"{entry.part}: {entry.sentence}; {entry.scores}.", markup=False, soft_wrap=True)
    out.print(f"Run {run} written to {to}.", markup=False, soft_wrap=True)


def _facts(run: str, done: Done) -> dict[str, Any]:
    """The export as one JSON document."""
    return {
        "run": run,
        "parts": [str(part) for part in done.parts],
        "left_out": {str(part): why for part, why in done.left_out.items()},
        "parity": [{**entry.to_dict(), "same": entry.same} for entry in done.parity],
    }
