"""Tune: from a file to running."""

import streamlit as st

from jobs.fitting import fitted
from jobs.plans import PlanRequest
from pages import problems, tune_configs, tune_cost, tune_data, tune_model, tune_options, tune_plan, tune_rows

st.title("Tune", anchor=False)
st.caption("Labelled rows in; the few configs worth training; an honest answer which model to use.")
left, right = st.columns([2, 1], gap="medium")
understood = fitting = options = model = None
missing = ""

with left:
    st.header("1 Data", anchor=False)
    with problems.shown():
        understood, missing = tune_data.choose(tune_options.seed())
    st.header("2 Model and method", anchor=False)
    with problems.shown():
        model, method = tune_model.choose(understood.dataset.task if understood else None)
    st.header("3 Shortlist", anchor=False)
    shortlist = st.container(key="shortlist")
    st.header("4 Launch", anchor=False)
    if understood is not None:
        with problems.shown():
            options = tune_options.choose(understood.dataset)
    with shortlist, problems.shown():
        if understood is None or options is None or model is None:
            st.caption("The configs to train appear here when the rows are understood.")
        else:
            request = PlanRequest(
                understood.dataset, model.id, method, name=options.name or understood.dataset.name,
                metric=options.metric, seed=options.seed, train_size=options.train_size,
                template=understood.template, assistant_only_loss=options.assistant_only_loss,
                time_cap_minutes=options.time_cap_minutes, folds=options.folds,
                early_shortlist=options.early_shortlist,
            )  # fmt: skip
            fitting = fitted(tune_configs.choose(request), understood.dataset)
            length = fitting.max_length
            tune_rows.unread(tune_cost.unread(understood.dataset, model, understood.template, length))

with right, st.container(key="plan"):
    tune_plan.card(understood, fitting, missing, options.differences if options else ())
