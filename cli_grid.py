"""The `grid` commands: run the offline grid on any folder of datasets, steer it, publish its versions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import NotFoundError
from terminal import Json, err, out, print_json, print_table

if TYPE_CHECKING:
    from engine.griddiff import MethodDiff, Side
    from engine.gridspec import GridSpec

POLL_SECONDS = 2.0

app = typer.Typer(help=__doc__, no_args_is_help=True)

Spec = Annotated[Path, typer.Argument(help="YAML: version, datasets, models, methods, train_sizes, ...")]
Version = Annotated[str | None, typer.Argument(help="A grid's version; else the one that runs.")]
Published = Annotated[str, typer.Argument(help="A published version; `grid versions` lists them.")]
Source = Annotated[Path | None, typer.Option(help="Folder with a folder for each dataset.")]


@app.command()
def run(
    spec: Spec,
    source: Source = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Worker processes; else one per core.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the runs, start nothing.")] = False,
    json: Json = False,
) -> None:
    """Run what a grid declares and has no result yet; Ctrl-C stops it, the same command goes on."""
    from engine import gridspec, settings
    from jobs import grid, stack

    parsed = gridspec.read_spec(spec)
    if dry_run:
        _print_size(_size(parsed, workers), json)
        return
    current = settings.current()
    folder = source or current.grid_source
    count = stack.grid_worker_count(current) if workers is None else workers
    with stack.start(user="grid", workers=0, grid_workers=count):
        version = grid.start(spec.read_text(encoding="utf-8"), folder, count)
        try:
            _follow(version)
        except KeyboardInterrupt:
            grid.stop(version)
            raise
        _print_status(_facts(version), json)


@app.command()
def status(version: Version = None, json: Json = False) -> None:
    """Say how far a grid is, what failed and why, and how long it will take."""
    _print_status(_facts(_named(version)), json)


@app.command()
def pause(version: Version = None) -> None:
    """Let the grid's runs stand still at their next step."""
    from jobs import grid

    grid.pause(name := _named(version))
    err.print(f"Grid {name} is paused; `grid resume` lets it go on.", markup=False)


@app.command()
def resume(version: Version = None) -> None:
    """Go on after a pause or a stop; the workers are those of `serve` or of this Redis."""
    from jobs import grid

    grid.resume(name := _named(version))
    err.print(f"Grid {name} goes on.", markup=False)


@app.command()
def stop(version: Version = None) -> None:
    """Break off what runs and take back what waits; results are kept, and `grid resume` goes on."""
    from jobs import grid

    grid.stop(name := _named(version))
    err.print(f"Grid {name} is stopped; what has ended is kept.", markup=False)


@app.command()
def retry(version: Version = None) -> None:
    """Run again what failed."""
    from jobs import grid

    count = grid.retry_failed(name := _named(version))
    err.print(f"{count} failed runs of grid {name} run again.", markup=False)


@app.command()
def publish(
    version: Version = None,
    target: Annotated[Path | None, typer.Option(help="Write it into this folder, not the home's.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Renew a version in --target.")] = False,
    json: Json = False,
) -> None:
    """Publish what a grid has as a version that never changes; shortlists come from it after `grid use`."""
    from jobs import gridversions

    found = gridversions.facts(gridversions.publish(_named(version), target, replace=replace))
    if json:
        print_json(asdict(found))
    else:
        out.print(
            f"Published {found.version}: {found.results} results of {found.trainings} trainings, "
            f"{found.complete_cells} of {found.cells} cells complete ({found.file}).",
            markup=False,
        )


@app.command()
def use(version: Published) -> None:
    """Let shortlists come from this version: forward to a new one, or back to an old one."""
    from engine import grids

    grids.set_current(version)
    err.print(f"Shortlists now come from grid version {version}.", markup=False)


@app.command()
def export(
    version: Published,
    to: Annotated[Path, typer.Option("--out", help="A .zip; with --results a .parquet.")],
    results: Annotated[bool, typer.Option("--results", help="What an unfinished grid has found.")] = False,
) -> None:
    """Write a published version, or what a grid has found so far, into a file for another machine."""
    from engine import exchange
    from jobs import grid

    if results:
        err.print(f"{grid.export_results(version, to)} results written to {to}.", markup=False)
        return
    to.write_bytes(exchange.export_version(version))
    err.print(f"Version {version} written to {to}.", markup=False)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `grid export` wrote.")],
    into: Annotated[str | None, typer.Option(help="Take results over into this stopped grid.")] = None,
) -> None:
    """Read an exported version, or with --into an unfinished grid's results, once every row is checked."""
    from engine import exchange, grids
    from jobs import grid, stack

    if into is None:
        found = exchange.import_version(file, grids.local())
        err.print(f"Version {found.version} imported; `grid use` lets shortlists come from it.", markup=False)
        return
    with stack.start(user="terminal", workers=0):
        err.print(f"{grid.import_results(into, file)} results taken over into grid {into}.", markup=False)


@app.command()
def diff(
    old: Published,
    new: Annotated[str, typer.Argument(help="A version, or a grid that has not published yet.")],
    json: Json = False,
) -> None:
    """Say what the recommendation gains and loses from one version to another."""
    from jobs import gridversions

    found = gridversions.compare(old, new)
    if json:
        print_json([_diff_facts(entry) for entry in found])
        return
    for entry in found:
        out.print(f"\n{entry.model}, {entry.method}", markup=False)
        rows = [(str(k), *(_at(side, k) for side in (entry.before, entry.after))) for k in (1, 2, 4, 8)]
        print_table(("k", f"{old}: coverage, share of best", f"{new}: coverage, share of best"), rows)


@app.command()
def versions(json: Json = False) -> None:
    """List the published versions and what they hold; * marks the one that shortlists come from."""
    from engine import grids
    from jobs import gridversions

    found = [gridversions.facts(version) for version in grids.versions()]
    if json:
        print_json([asdict(entry) for entry in found])
        return
    rows = [
        (
            f"{'*' if entry.current else ' '} {entry.version}",
            entry.provenance,
            f"{entry.results:,}",
            f"{entry.trainings:,}",
            "-" if entry.hours is None else f"{entry.hours:.1f}",
            f"{entry.complete_cells} of {entry.cells}",
            entry.file,
        )
        for entry in found
    ]
    print_table(("version", "provenance", "results", "trainings", "hours", "complete cells", "file"), rows)


def _diff_facts(entry: MethodDiff) -> dict[str, Any]:
    sides = {"before": entry.before, "after": entry.after}
    return {
        "model": entry.model,
        "method": str(entry.method),
        **{name: None if side is None else side._asdict() for name, side in sides.items()},
        "ranks": [change._asdict() for change in entry.ranks],
    }


def _at(side: Side | None, k: int) -> str:
    """Coverage and share with k configs."""
    if side is None or k > len(side.coverage):
        return "-"
    share = f", {100 * side.shares[k - 1]:.1f} %" if k <= len(side.shares) else ""
    return f"{100 * side.coverage[k - 1]:.0f} %{share}"


def _named(version: str | None) -> str:
    """The version given, else the active grid's, else that of the grid started last."""
    if version is not None:
        return version
    from jobs import gridstatus

    if not (found := gridstatus.all_grids()):
        raise NotFoundError("No grid was started here yet. `python cli.py grid run SPEC` starts one.")
    return found[0].version


def _follow(version: str) -> None:
    """Report on stderr until the grid is no longer active."""
    from jobs import gridstatus

    said, began = (-1, False), time.monotonic()
    while True:
        found = gridstatus.status(version)
        if found.held and not said[1]:
            err.print("It stands still while studies run or wait: they come first.")
        if (found.ended, found.held) != said:
            said = found.ended, found.held
            left = "" if not found.eta_seconds else f", about {found.eta_seconds / 60:.1f} min left"
            spent = f"{(time.monotonic() - began) / 60:.1f} min"
            failed = f", {found.failed} failed" if found.failed else ""
            err.print(f"{found.ended} of {found.runs} runs{failed}, {spent}{left}", markup=False)
        if not found.state.is_active:
            return
        time.sleep(POLL_SECONDS)


def _size(spec: GridSpec, workers: int | None) -> dict[str, Any]:
    """How much the grid is, and how long it would take at the pace of the current version."""
    from engine import grid, gridcost, settings
    from jobs import stack

    counted = grid.count(spec)
    count = stack.grid_worker_count(settings.current()) if workers is None else workers
    return {
        "version": spec.version,
        **asdict(counted),
        "workers": count,
        "hours": gridcost.estimate_hours(spec, count),
    }


def _print_size(size: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(size)
        return
    hours = "unknown time" if size["hours"] is None else f"about {size['hours']:.1f} h"
    again = f", at most {size['repeats']} more with second seeds" if size["repeats"] else ""
    out.print(
        f"Grid {size['version']}: {size['trainings']} trainings give {size['results']} results in "
        f"{size['cells']} cells{again}; {hours} with {size['workers']} workers.",
        markup=False,
    )


def _facts(version: str) -> dict[str, Any]:
    """The status as one JSON document."""
    from jobs import gridstatus

    found = gridstatus.status(version)
    return {**asdict(found), "results": gridstatus.results(version)}


def _print_status(facts: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(facts)
        return
    left = "" if not facts["eta_seconds"] else f", about {facts['eta_seconds'] / 60:.0f} min left"
    out.print(
        f"Grid {facts['version']} is {facts['state']}: {facts['finished']} of {facts['runs']} runs finished, "
        f"{facts['failed']} failed, {facts['running']} running{left}; {facts['results']} results.",
        markup=False,
    )
    rows = [
        (c["dataset"], c["model"], str(c["method"]), str(c["train_size"]), f"{c['ended']} of {c['runs']}")
        for c in facts["cells"]
    ]
    print_table(("dataset", "model", "method", "rows", "trainings"), rows)
    for failure in facts["failures"]:
        out.print(f"{failure['run']} ({failure['name']}): {failure['error']}", markup=False)
