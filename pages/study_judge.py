"""Judge: a language model compares two runs' texts, once a person has agreed to what is sent where."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from engine import judge as arithmetic
from engine import outputs
from engine.judge import Endpoint, Found
from engine.records import RunStatus
from engine.verdict import Summary
from jobs import judge
from jobs.judge import Comparison
from jobs.views import StudyView
from pages import live, problems, study_judge_result, words

TASKS = frozenset(arithmetic.QUESTIONS)
POLL_SECONDS = 1.0
WHAT = (
    "A language model reads what two runs answered to the same row and says which is better. It is asked "
    "twice, with the answers swapped."
)
PENDING = {RunStatus.QUEUED: "Waiting for a free worker", RunStatus.RUNNING: "The judge is asked"}


def show(view: StudyView, found: Summary) -> None:
    """Who is compared, what is sent, how far it is, what came of it."""
    with problems.shown():
        endpoint = judge.endpoint()
        opponents = judge.opponents(view, found.winner)
        if endpoint is None:
            st.caption(words.plain(arithmetic.WAYS_TO_SET))
        elif opponents is None:
            st.caption("Fewer than two runs have a score, so there is nothing to compare.")
        else:
            names = outputs.unique_titles(judge.candidates(view))
            _chosen(view, found, endpoint, names, (opponents[0].run, opponents[1].run))


def _chosen(
    view: StudyView, found: Summary, endpoint: Endpoint, names: Mapping[str, str], default: tuple[str, str]
) -> None:
    st.caption(WHAT)
    left, middle, right = st.columns([2, 2, 1])
    runs = list(names)

    def title(run: str) -> str:
        return words.run_option(names[run], run, found)

    first = left.selectbox("Compare", runs, runs.index(default[0]), key="judge_first", format_func=title)
    others = [run for run in runs if run != first]
    usual = others.index(default[1]) if default[1] in others else 0
    second = middle.selectbox("with", others, usual, key="judge_second", format_func=title)
    comparison = _comparison(view.study.study, first, second, endpoint, _attempts(view, first, second))
    most = len(comparison.pairs)
    if not most:
        st.caption("The two runs have no test row in common.")
        return
    usual = min(judge.DEFAULT_ROWS, most)
    rows = int(right.number_input(f"Test rows, of {most:,}", 1, most, usual, key=f"judge_rows_{most}"))
    pending = judge.state(comparison).status is not None
    draw = st.fragment(_live, run_every=POLL_SECONDS if pending else None)
    draw(comparison, rows, (names[first], names[second]), pending)


def _attempts(view: StudyView, *runs: str) -> tuple[int | None, ...]:
    return tuple(run.attempt for run in view.runs if run.spec.run in runs)


@st.cache_resource(max_entries=8, show_spinner=False)
def _comparison(
    study: str, first: str, second: str, endpoint: Endpoint, attempts: tuple[int | None, ...]
) -> Comparison:
    return judge.compare(study, first, second, endpoint)


def _live(comparison: Comparison, rows: int, names: tuple[str, str], was_pending: bool) -> None:
    with problems.shown():
        _state(comparison, rows, names, was_pending)


def _state(comparison: Comparison, rows: int, names: tuple[str, str], was_pending: bool) -> None:
    """Redrawn while the judge is asked, then the whole page once."""
    state = judge.state(comparison)
    if was_pending and state.status is None:
        st.rerun()
    asked = comparison.pairs[:rows]
    found = arithmetic.summarize(asked, state.answers)
    if state.status is not None:
        _progress(comparison, state.status, found)
    if state.problem is not None:
        st.warning(words.plain(state.problem))
    if found.judged or found.failed:
        table = arithmetic.table(asked, state.answers, *names)
        study_judge_result.show(found, table, names, over=state.status is None)
    missing = arithmetic.unanswered(asked, state.answers)
    if missing and state.status is None:
        _ask(comparison, rows, arithmetic.consent(missing, comparison.endpoint), len(missing))


def _progress(comparison: Comparison, status: RunStatus, found: Found) -> None:
    bar, button = st.columns([4, 1], vertical_alignment="center")
    bar.progress(found.judged / found.rows, f"{PENDING[status]}: {study_judge_result.counts(found)}")
    button.button("Stop", key="judge_stop", on_click=judge.cancel, args=(comparison,))


def _ask(comparison: Comparison, rows: int, consent: str, missing: int) -> None:
    """The consent is asked for anew each time: its key changes with what is sent and after each sending."""
    if (problem := live.problem()) is not None:
        st.warning(words.plain(problem))
        return
    sent = st.session_state.get("judge_sent", 0)
    with st.container(border=True, key="judge_consent"):
        st.text(consent)
        agreed = st.checkbox(
            f"I agree to send these texts to {words.plain(comparison.endpoint.host)}",
            key=f"judge_agreed_{comparison.id}_{rows}_{sent}",
        )
        label = f"Ask the judge about {missing:,} row{'' if missing == 1 else 's'}"
        if st.button(label, key="judge_ask", type="primary", disabled=not agreed):
            st.session_state.judge_sent = sent + 1
            judge.ask(comparison, rows, comparison.endpoint)
            st.rerun()
        if not agreed:
            st.caption("Nothing is sent before you tick the box.")
