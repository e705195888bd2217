"""What the losses of each training show, with the numbers, and the next config to try, one click away."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine import advice, diagnose, figures, figures_diagnosis, models, remedy
from engine import dataset as datasets
from engine.dataset import Dataset
from engine.diagnose import MEANINGS, Diagnosis, Label
from engine.records import RunKind
from engine.verdict import Summary
from jobs import studies
from jobs.studies import NewRun
from jobs.views import RunView, StudyView
from pages import live, problems, tune_cost, words

NOTHING = (
    "No training of this study can be judged: none has ended with the loss of its dev rows measured from "
    "before its first step to its last epoch."
)
ALL_TRIED = "Every fix known for this was tried in this study. More rows, or cleaner ones, are what is left."


def show(view: StudyView, found: Summary) -> None:
    """One run at a time; first the one to use, else the first with a finding."""
    st.subheader("What the losses show", anchor=False)
    judged = {run.spec.run: (run, said) for run in view.runs if (said := diagnosis(run)) is not None}
    if not judged:
        st.caption(NOTHING)
        return
    ill = [name for name, (_, said) in judged.items() if Label.HEALTHY not in said.labels]
    names = {name: f"{figures.run_title(run.spec)}: {said.short}" for name, (run, said) in judged.items()}
    first = next((run for run in (found.use, found.winner) if run in names), (ill or list(names))[0])
    chosen = st.selectbox(
        "Training", names, list(names).index(first), key="diagnosis_run",
        format_func=names.__getitem__, bind="query-params", width=420,
    )  # fmt: skip
    run, said = judged[chosen]
    _findings(run, said)
    base = next((other.result for other in view.runs if other.spec.kind is RunKind.BASE), None)
    if (weak := diagnose.unconvincing(run.spec, run.result, base)) is not None:
        st.warning(words.plain(weak))
    with problems.shown():
        _next(view, run, said)
    kept = run.result.facts.get("kept_epoch") if run.result else None
    figure = figures_diagnosis.loss_figure(figures_diagnosis.loss_info(run.spec, said, kept))
    st.plotly_chart(figure, key="diagnosis_losses", config={"displayModeBar": False})


def diagnosis(run: RunView) -> Diagnosis | None:
    """What a run's losses show; None: it has not ended, or they were not measured."""
    return diagnose.diagnose(run.spec, run.result)


def _findings(run: RunView, said: Diagnosis) -> None:
    for finding in said.findings:
        drawn = st.success if finding.label is Label.HEALTHY else st.warning
        drawn(words.plain(finding.sentence))
        st.caption(words.plain(MEANINGS[finding.label]))
    if run.result is not None and "note" in run.result.facts:
        st.text(run.result.facts["note"])


def _next(view: StudyView, run: RunView, said: Diagnosis) -> None:
    """The config that the worst finding asks for, and the button that trains it."""
    rates = advice.rates(models.get(run.spec.model), run.spec.method)
    taken = [other.spec.config for other in view.runs if other.spec.config is not None]
    proposal = remedy.propose(run.spec, said, rates, taken)
    if proposal is None:
        st.text("The losses ask for no other config." if Label.HEALTHY in said.labels else ALL_TRIED)
        return
    cost = tune_cost.of_runs([replace(run.spec, config=proposal.config)], _dataset(view.study.dataset))
    st.text(f"Try next: {proposal.reason}")
    label = f"Add and train: {proposal.label} (about {words.duration(cost.seconds)})"
    if st.button(words.plain(label), key="train_next", type="primary", disabled=live.problem() is not None):
        names = {other.spec.name for other in view.runs}
        name = next(name for number in range(1, len(names) + 2) if (name := f"own {number}") not in names)
        studies.extend(view.study.study, [NewRun(name, proposal.config, early_stopping=True)])
        st.rerun()


@st.cache_resource(max_entries=8, show_spinner="Reading the study's rows")
def _dataset(name: str) -> Dataset:
    files = live.files()
    files.pull_dataset(name)
    return datasets.load(name, files.datasets_root)
