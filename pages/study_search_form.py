"""What to search for, how, and for how long; the button says what it will do."""

from __future__ import annotations

import time

import streamlit as st

from engine import protocol
from engine.metrics import TITLES
from engine.records import RunSpec
from engine.search import Objective, Search, SearchMethod
from jobs import plans, search
from jobs.search import SearchRequest
from jobs.views import StudyView
from pages import live, study_search_budget, study_search_cost, study_search_plan, study_search_space, words

METHODS = {
    SearchMethod.RANDOM: "Draws configs at random. Below about 15 runs the methods that learn do no better.",
    SearchMethod.TPE: "Learns which settings the better runs share and tries more like them. For that it "
    "needs about 15 runs.",
    SearchMethod.MADS: "Steps around the best config on a mesh that gets finer (NOMAD).",
    SearchMethod.HALVING: "Draws configs at random, trains all for 20 % of their schedule, the best third of "
    "them to 60 %, and the best of those to the end.",
    SearchMethod.PROTOCOL: "A guided plan of few runs: the learning rate first, then the rank, then the "
    "warm-up. Each decision is explained as it falls.",
}
HALF_WAY = (SearchMethod.HALVING, SearchMethod.PROTOCOL)  # a training in folds cannot stand there
NAMES = {method: search.TITLES[method][0].upper() + search.TITLES[method][1:] for method in METHODS}
USUAL_RUNS = 8
COLD_HELP = "A cold search proposes as if the study had no runs yet; it still repeats none of their configs."


def show(view: StudyView, last: Search | None) -> None:
    """From the method to the start."""
    left = plans.MOST_RUNS - len(view.runs)
    specs = {run.spec.run: run.spec for run in view.runs if run.spec.config is not None}
    if left < 1 or not specs:
        st.caption(f"A study has at most {plans.MOST_RUNS} runs, and this one has {len(view.runs)}.")
        return
    folds = next(iter(specs.values())).folds
    offered = [method for method in METHODS if folds is None or method not in HALF_WAY]
    method = st.segmented_control(
        "Method", offered, default=offered[0], key="search_method", format_func=NAMES.__getitem__,
        required=True,
    ) or offered[0]  # fmt: skip
    st.caption(METHODS[method])
    request = _request(view, method, left, last)
    if method is SearchMethod.PROTOCOL:
        study_search_plan.steps(_preview(view, request), ())
    _start(view, specs, request)
    if SearchMethod.PROTOCOL in offered:
        study_search_budget.offer(view.study, specs)


def _request(view: StudyView, method: SearchMethod, left: int, last: Search | None) -> SearchRequest:
    """The fields; the protocol has its own number of runs and its own measure."""
    columns = st.columns([1, 1, 2, 2], vertical_alignment="bottom")
    minutes = columns[1].number_input(
        "Minutes", 1, None, None, key="search_minutes", placeholder="no limit",
        help="Of training, summed over the runs and divided by the workers; what trains then ends first.",
    )  # fmt: skip
    if method is SearchMethod.PROTOCOL:
        runs, objective, cold = protocol.runs_needed(view.study.method), Objective.LOSS, False
        columns[0].number_input("Runs", runs, runs, runs, key="search_runs_protocol", disabled=True)
    else:
        runs = int(columns[0].number_input("Runs", 1, left, min(USUAL_RUNS, left), key="search_runs"))
        objective = _objective(columns[2], view.study.metric, method)
        cold = columns[3].toggle("Start cold", key="search_cold", help=COLD_HELP)
    space = study_search_space.choose(view.study, last, method)
    return SearchRequest(method, runs, objective, minutes, cold, space, view.study.seed)


def _objective(place: st.delta_generator.DeltaGenerator, metric: str, method: SearchMethod) -> Objective:
    names = {
        Objective.METRIC: f"Dev {TITLES[metric]}, which selects",
        Objective.LOSS: "Dev loss",
        **({} if method is SearchMethod.MADS else {Objective.BOTH: "Both, the best trade-offs"}),
    }
    offered = [Objective.METRIC] if metric == "loss" else list(names)
    return place.selectbox("Improve", offered, key="search_objective", format_func=names.__getitem__)


def _preview(view: StudyView, request: SearchRequest) -> Search:
    """The search as it would be, to show its plan before the start."""
    assert request.space is not None
    return Search(
        "00",
        view.study.study,
        request.method,
        request.objective,
        request.runs,
        request.space,
        time.time(),
        (),
    )


def _start(view: StudyView, specs: dict[str, RunSpec], request: SearchRequest) -> None:
    problem = live.problem()
    what = study_search_cost.label(view.study, specs, request)
    verb = "Run the protocol:" if request.method is SearchMethod.PROTOCOL else "Search"
    label = words.plain(problem or f"{verb} {what}")
    if st.button(label, type="primary", key="search_start", disabled=problem is not None):
        search.start(view.study.study, request)
        st.rerun(scope="app")
