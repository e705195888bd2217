"""Try it: one text, and what base and tuned model, or a baseline of the study, answer to it."""

from __future__ import annotations

import streamlit as st

from engine import dataset as datasets
from engine import outputs
from engine.records import Role, RunKind
from engine.talk import MOST_NEW_TOKENS, Sampling, Side
from engine.verdict import Summary
from jobs import talk
from jobs.views import StudyView
from pages import live, problems, study_talk_answers, words

LONGEST_EXAMPLE = 2_000  # characters; a longer row is a burden in a field to type in
FIELDS = {
    Role.SOURCE: "Text",
    Role.CONTEXT: "Passage",
    Role.QUESTION: "Question",
    Role.PROMPT: "Instruction",
    Role.MESSAGES: "Message",
}


def show(view: StudyView, found: Summary) -> None:
    """The question, then its answers as they come."""
    kinds = {
        r.spec.run: r.spec.kind for r in view.runs if r.result and r.result.test and _speaks(r.spec.kind)
    }
    if not kinds:
        st.caption("No training of this study has finished, so there is no tuned model to try.")
        return
    specs = [r.spec for r in view.runs if r.spec.run in kinds]
    names = outputs.unique_titles(sorted(specs, key=lambda spec: words.by_use(spec.run, found)))
    run = st.selectbox(
        "A tuned model or few-shot beside the untuned base, or a baseline", names, key="talk_run",
        bind="query-params", width=420, format_func=lambda run: words.run_option(names[run], run, found),
    )  # fmt: skip
    with problems.shown():
        _question(view, run, names[run], kinds[run] is not RunKind.BASELINE)
    asked = st.session_state.get("talks", {}).get(view.study.study)
    if asked is None:
        several = "The answers appear below, word by word, as a worker makes them."
        st.caption(several if kinds[run].trains else "The answer appears below, as a worker makes it.")
        return
    with problems.shown():
        study_talk_answers.show(*asked)


def _speaks(kind: RunKind) -> bool:
    """Whether a run of this kind answers otherwise than the untuned base alone."""
    return kind is not RunKind.BASE


def _question(view: StudyView, run: str, name: str, beside_base: bool) -> None:
    """The fields of a row and the settings; sending them replaces the question before."""
    study = view.study.study
    with st.form("talk_form"):
        texts = {
            str(role): st.text_area(FIELDS[role], text, key=f"talk_{role}_{study}", height=110)
            for role, text in _example(view.study.dataset).items()
        }
        sampling = _sampling() if beside_base else Sampling()
        asked = f"Ask {'the base and ' if beside_base else ''}{words.plain(name)}"
        sent = st.form_submit_button(asked, type="primary", key="talk_ask")
    if sent:
        talks = st.session_state.setdefault("talks", {})
        if study in talks:
            talk.stop(talks.pop(study)[0])
        sides = {Side.BASE: "untuned base", Side.TUNED: name} if beside_base else {Side.TUNED: name}
        talks[study] = talk.ask(run, texts, sampling), sides


@st.cache_data(max_entries=8, show_spinner=False)
def _example(dataset: str) -> dict[Role, str]:
    """The fields of this dataset, filled with its first test row unless that is long or a conversation."""
    files = live.files()
    files.pull_dataset(dataset)
    inputs = datasets.load(dataset, files.datasets_root).split("test")[0].inputs
    fits = Role.MESSAGES not in inputs and sum(map(len, inputs.values())) <= LONGEST_EXAMPLE
    return {role: text if fits else "" for role, text in inputs.items()}


def _sampling() -> Sampling:
    """The settings, by their names in transformers."""
    places = st.columns(4)
    return Sampling(
        places[0].number_input(
            "max_new_tokens", 1, MOST_NEW_TOKENS, 64, key="talk_tokens", help="The longest answer."
        ),
        places[1].number_input(
            "temperature", 0.0, 5.0, 0.0, 0.1, key="talk_temperature",
            help="0 takes the likeliest token each time, as scoring does; above 0 it is drawn.",
        ),
        places[2].number_input(
            "top_p", 0.05, 1.0, 1.0, 0.05, key="talk_top_p",
            help="Draw only from the likeliest tokens that make up this share. Unused at temperature 0.",
        ),
        places[3].number_input(
            "seed", 0, 2**31, 0, key="talk_seed", help="The same seed draws the same answer."
        ),
    )  # fmt: skip
