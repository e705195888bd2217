"""Would more rows help? One button trains the best config on fewer rows; a curve and a sentence answer."""

from __future__ import annotations

import streamlit as st

from engine import figures_rows
from engine.errors import ConfigError
from engine.more_rows import sentence
from jobs import more_rows
from jobs.views import StudyView
from pages import live, study_seeds, tune_cost, words

WHY = (
    "Trains the best tuned config once more on a half and on a quarter of the training rows, and scores each "
    "on the same test rows. These runs only show what rows bring: none of them can become the winner."
)
CHART = {"displayModeBar": False}


def show(view: StudyView) -> None:
    """The button, or what its runs showed."""
    st.subheader("Would more rows help?", anchor=False)
    try:
        runs, curve = more_rows.wanted(view.study.study), more_rows.curve(view.study.study)
    except ConfigError as error:
        st.caption(words.plain(str(error)))
        return
    if curve is not None:
        st.markdown(words.plain(sentence(curve)))
        st.plotly_chart(figures_rows.rows_figure(curve), key="more_rows", config=CHART)
    elif not runs:
        st.caption("A run on fewer rows has no score. Retry it above, then the answer stands here.")
    elif (problem := live.problem()) is not None:
        st.caption(words.plain(problem))
    else:
        st.caption(WHY)
        seconds = tune_cost.of_runs(runs, study_seeds.dataset(view.study.dataset)).seconds
        if st.button(f"Find out, about {words.duration(seconds)}", key="more_rows_start"):
            more_rows.start(view.study.study)
            st.rerun(scope="app")
