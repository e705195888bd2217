"""Classes: how well each class is found, what is taken for what, and where the rows are too few to say."""

from __future__ import annotations

import streamlit as st

from engine import classes, figures, figures_classes
from engine.classes import Classes, Confusion
from engine.records import RunKind
from engine.verdict import Summary
from jobs import views
from jobs.views import RunView, StudyView
from pages import explore_chart, words

COLUMNS = {
    "class": st.column_config.TextColumn("Class", pinned=True),
    "rows": st.column_config.NumberColumn("Rows"),
    "recall": st.column_config.TextColumn("Recall (% of its rows)"),
    "answers": st.column_config.NumberColumn("Answers"),
    "precision": st.column_config.TextColumn("Precision (% of its answers)"),
    "f1": st.column_config.NumberColumn("F1", format="%.1f"),
    "enough": st.column_config.CheckboxColumn("Enough rows"),
}


def show(view: StudyView, found: Summary) -> None:
    """One run class by class, the untuned base beside it."""
    scored = {run.spec.run: run for run in view.runs if run.result and run.result.test}
    if not scored:
        st.caption("No run has a score, so there is nothing to say about classes.")
        return
    with st.container(key="classes"):
        run = scored[_chosen(scored, found.winner)]
        result, mistakes = _of(view, run)
        st.markdown(f"#### {words.plain(classes.finding(result))}")
        if (few := classes.warning(result)) is not None:
            st.warning(words.plain(few))
        base = next((r for r in scored.values() if r.spec.kind is RunKind.BASE and r is not run), None)
        meaning = figures.meaning(run.spec.kind, run.spec.method)
        recall = figures_classes.recall_info(result, meaning, _of(view, base)[0] if base else None)
        numbers = classes.table(result)
        explore_chart.show(recall, figures_classes.recall_figure, "recall", numbers=numbers)
        _table(result)
        if result.sets:
            st.caption("Rows have several labels, so none is taken for another: there is no confusion table.")
            return
        confusion = figures_classes.confusion_info(mistakes, meaning)
        explore_chart.show(confusion, figures_classes.confusion_figure, "confusion")


def _chosen(scored: dict[str, RunView], winner: str | None) -> str:
    names = sorted(scored, key=lambda run: run != winner)
    run = st.selectbox(
        "Run", names, key="classes_run", bind="query-params", width=260,
        format_func=lambda run: figures.run_title(scored[run].spec) + (" (winner)" if run == winner else ""),
    )  # fmt: skip
    return run or names[0]


def _table(result: Classes) -> None:
    lines = [
        {
            "class": score.label,
            "rows": score.n,
            "recall": words.points(score.recall) if score.recall else "no row",
            "answers": score.said,
            "precision": words.points(score.precision) if score.precision else "never answered",
            "f1": None if score.f1 is None else 100 * score.f1,
            "enough": score.is_enough,
        }
        for score in result.scores
    ]
    st.dataframe(lines, hide_index=True, column_config=COLUMNS, key="classes_table")


def _of(view: StudyView, run: RunView) -> tuple[Classes, Confusion]:
    assert run.result is not None
    return _computed(run.spec.run, run.result.attempt, view.study.dataset)


@st.cache_resource(max_entries=32, show_spinner=False)
def _computed(run: str, attempt: int, dataset: str) -> tuple[Classes, Confusion]:
    table = views.predictions(run, attempt)
    found = classes.classes(table, views.labels(dataset))
    assert found is not None
    return found, classes.confusion(table)
