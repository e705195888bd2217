"""The learning-rate test behind a search space: a worker climbs the ramp, then the space is centred on it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine import figures_lr_range
from engine.lr_range import Question
from engine.records import Study
from engine.searchspace import Space
from jobs import lr_range
from pages import live, problems, words

POLL_SECONDS = 1.0
HELP = (
    "A worker trains for 100 steps while the learning rate climbs. The search space becomes one decade of "
    "learning rates around what that suggests. The model is thrown away."
)


def offer(study: Study, before: Space, centred: Callable[[Space], None]) -> None:
    """The button; while the test goes on how far it is; then its curve. `centred` takes the new space."""
    request = st.session_state.get(_key(study))
    if request is None:
        if st.button("Centre on a learning-rate test", key="search_centre", help=HELP, disabled=_unready()):
            question = Question(
                study.model, study.method, before.fixed, train_size=study.train_size, seed=study.seed
            )
            st.session_state[_key(study)] = lr_range.start(study.dataset, question)
            st.rerun(scope="app")
    elif lr_range.read(request).state.is_final:
        _centre_once(study, request, before, centred)
        _ended(study, request)
    else:
        st.fragment(_climbing, run_every=POLL_SECONDS)(request)


def _unready() -> bool:
    return live.problem() is not None


def _key(study: Study) -> str:
    return f"lr_range_{study.study}"


def _centre_once(study: Study, request: str, before: Space, centred: Callable[[Space], None]) -> None:
    """What a person changes afterwards stays."""
    found = lr_range.result(request)
    if st.session_state.get(f"centred_{study.study}") == request or found is None or found.centre is None:
        return
    st.session_state[f"centred_{study.study}"] = request
    centred(before.centred(found.centre))
    st.rerun(scope="app")


def _climbing(request: str) -> None:
    """Redrawn at each look; at its end the page draws itself anew."""
    with problems.shown():
        climb = lr_range.read(request)
        if climb.state.is_final:
            st.rerun(scope="app")
        where = "waiting for a free worker" if climb.place is not None else climb.doing or "starting"
        share = len(climb.losses) / climb.steps
        bar, button = st.columns([4, 1], vertical_alignment="bottom")
        bar.progress(share, f"Learning-rate test: {words.plain(where)}, step {len(climb.losses)}")
        button.button("Stop the test", key="search_centre_stop", on_click=lr_range.cancel, args=(request,))


def _ended(study: Study, request: str) -> None:
    found = lr_range.result(request)
    if found is None:
        st.warning(words.plain(lr_range.read(request).error or "The learning-rate test was stopped."))
    else:
        figure = figures_lr_range.lr_range_figure(figures_lr_range.lr_range_info(found))
        st.plotly_chart(figure, key="search_lr_range", config={"displayModeBar": False})
        if found.problem is not None:
            st.warning(words.plain(found.problem))
    st.button("Forget this test", key="search_centre_forget", on_click=_forget, args=(study, request))


def _forget(study: Study, request: str) -> None:
    lr_range.delete(request)
    st.session_state.pop(_key(study), None)
