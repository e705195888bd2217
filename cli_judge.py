"""The `judge` command: a language model compares two runs' texts, once a person has agreed to send them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import ConfigError
from terminal import Json, err, out, print_json

if TYPE_CHECKING:
    from engine.judge import Found
    from jobs.judge import Comparison

POLL_SECONDS = 0.5


def judge(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study of summaries or free answers.")],
    rows: Annotated[int, typer.Option(min=1, help="Test rows to judge.")] = 50,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to send what is described.")] = False,
    json: Json = False,
) -> None:
    """Let the configured judge compare the study's winner with its untuned base, in both orders."""
    from engine import judge as arithmetic
    from jobs import judge as judging
    from jobs import stack

    comparison, names = _comparison(study)
    asked = comparison.pairs[:rows]
    missing = arithmetic.unanswered(asked, judging.state(comparison).answers)
    if missing:
        err.print(arithmetic.consent(missing, comparison.endpoint), markup=False, soft_wrap=True)
        _agree(yes)
        with stack.start(user="terminal"):
            judging.ask(comparison, rows, comparison.endpoint)
            _follow(comparison, rows)
    state = judging.state(comparison)
    found = arithmetic.summarize(asked, state.answers)
    if state.problem is not None:
        err.print(state.problem, markup=False, soft_wrap=True)
    if json:
        print_json({"study": study, "first": comparison.first, "second": comparison.second, **_facts(found)})
    else:
        out.print(arithmetic.sentence(found, *names), markup=False, soft_wrap=True)
        out.print(_counts(found), markup=False, soft_wrap=True)
    if not found.judged:
        raise typer.Exit(1)


def _comparison(study: str) -> tuple[Comparison, tuple[str, str]]:
    from engine import judge as arithmetic
    from jobs import judge as judging
    from jobs import views

    endpoint = judging.endpoint()
    if endpoint is None:
        raise ConfigError(arithmetic.WAYS_TO_SET)
    opponents = judging.opponents(views.study(study), views.summary(study).winner)
    if opponents is None:
        raise ConfigError(
            f"Study {study} has fewer than two runs with a score. Wait until they have finished."
        )
    first, second = opponents
    return judging.compare(study, first.run, second.run, endpoint), (first.name, second.name)


def _agree(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("Nothing was sent: add --yes to agree to sending it.")
    typer.confirm("Send it?", abort=True, err=True)


def _follow(comparison: Comparison, rows: int) -> None:
    """Report on stderr until nothing goes on; Ctrl-C asks nothing more."""
    from engine import judge as arithmetic
    from jobs import judge as judging

    said = ""
    try:
        while True:
            state = judging.state(comparison)
            counts = _counts(arithmetic.summarize(comparison.pairs[:rows], state.answers))
            if counts != said:
                err.print(counts, markup=False)
                said = counts
            if state.status is None:
                return
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        judging.cancel(comparison)
        raise


def _counts(found: Found) -> str:
    failed = f", {found.failed} failed" if found.failed else ""
    agreed = "" if found.agreement is None else f"; both orders agree in {100 * found.agreement.value:.0f} %"
    return f"{found.judged} judged of {found.rows}{failed}{agreed}."


def _facts(found: Found) -> dict[str, Any]:
    """The counts and shares as one JSON document; a share that was not measured is null."""
    return {
        "rows": found.rows,
        "judged": found.judged,
        "failed": found.failed,
        "wins": found.wins,
        "losses": found.losses,
        "ties": found.ties,
        "inconsistent": found.inconsistent,
        "same": found.same,
        "preferred": None if found.preferred is None else found.preferred.to_dict(),
        "agreement": None if found.agreement is None else found.agreement.to_dict(),
    }
