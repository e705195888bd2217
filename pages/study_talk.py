"""Try it: one text, and what the untuned base and a tuned model of the study write to it, side by side."""

from __future__ import annotations

from html import escape

import streamlit as st

from engine import dataset as datasets
from engine import outputs
from engine.records import Role
from engine.talk import MOST_NEW_TOKENS, Sampling, Side
from engine.verdict import Summary
from jobs import talk
from jobs.talk import Answer, State, Talk
from jobs.views import StudyView
from pages import live, problems, words

POLL_SECONDS = 0.4
LONGEST_EXAMPLE = 2_000  # characters; a longer row is a burden in a field to type in
FIELDS = {
    Role.SOURCE: "Text",
    Role.CONTEXT: "Passage",
    Role.QUESTION: "Question",
    Role.PROMPT: "Instruction",
    Role.MESSAGES: "Message",
}
FREELY = "Both write freely here, also where the base was scored by the label that it finds most likely."
CUT = "The text is longer than this study's models read, so it was shortened as their rows are."
ONE_LINE = "Scores read only the first line of an answer: no answer of the training rows has a second one."


def show(view: StudyView, found: Summary) -> None:
    """The question, then its answers as they come."""
    trained = [r.spec for r in view.runs if r.spec.kind.trains and r.result and r.result.test]
    if not trained:
        st.caption("No training of this study has finished, so there is no tuned model to try.")
        return
    names = outputs.unique_titles(sorted(trained, key=lambda spec: spec.run != found.winner))
    run = st.selectbox(
        "Tuned model, beside its untuned base", names, key="talk_run", bind="query-params", width=320,
        format_func=lambda run: f"{names[run]} (winner)" if run == found.winner else names[run],
    )  # fmt: skip
    with problems.shown():
        _question(view, run, names[run])
    asked = st.session_state.get("talks", {}).get(view.study.study)
    if asked is None:
        st.caption("The answers appear below, word by word, as a worker makes them.")
        return
    with problems.shown():
        request, name = asked
        over = talk.read(request).state.is_final
        st.fragment(_answers, run_every=None if over else POLL_SECONDS)(request, name, over)


def _question(view: StudyView, run: str, name: str) -> None:
    """The fields of a row and the settings; sending them replaces the question before."""
    study = view.study.study
    with st.form("talk_form"):
        texts = {
            str(role): st.text_area(FIELDS[role], text, key=f"talk_{role}_{study}", height=110)
            for role, text in _example(view.study.dataset).items()
        }
        sampling = _sampling()
        sent = st.form_submit_button(f"Ask the base and {words.plain(name)}", type="primary", key="talk_ask")
    if sent:
        talks = st.session_state.setdefault("talks", {})
        if study in talks:
            talk.stop(talks.pop(study)[0])
        talks[study] = talk.ask(run, texts, sampling), name


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


def _answers(request: str, name: str, was_over: bool) -> None:
    """Redrawn every POLL_SECONDS until the last token is there, then the whole page once."""
    with problems.shown():
        found = talk.read(request)
        if found.state.is_final and not was_over:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center", key="talk_state"):
            st.text(_sentence(found))
            if not found.state.is_final:
                st.button("Stop", key="talk_stop", on_click=talk.stop, args=(request,))
        if found.state is State.FAILED:
            st.error(words.plain(found.error or ""))
        for place, (side, title) in zip(
            st.columns(2), {Side.BASE: "untuned base", Side.TUNED: name}.items(), strict=True
        ):
            with place.container(border=True, key=f"talk_{side}"):
                st.markdown(f"**{words.plain(title)}**")
                _answer(found, found.answers.get(side))
        _prompt(found)


def _sentence(found: Talk) -> str:
    """Where the question stands."""
    if found.state is State.WAITING:
        return f"Waiting for a free worker: place {found.place}. Trainings that run are not interrupted."
    running = "Loading the models" if not found.answers else "Writing"
    return {
        State.RUNNING: running,
        State.DONE: "Both have answered.",
        State.STOPPED: "Stopped.",
        State.FAILED: "Not answered.",
    }[found.state]


def _answer(found: Talk, answer: Answer | None) -> None:
    """What one side has said so far."""
    if answer is None:
        st.caption("no answer" if found.state.is_final else "not begun yet")
        return
    st.text(answer.text.strip() or " ")
    if answer.tokens_per_second is not None:
        st.caption(
            f"{answer.tokens:,} tokens in {answer.seconds:.2f} s, {answer.tokens_per_second:,.0f} tokens/s"
        )
    elif answer.seconds is not None:
        st.caption("It ended at once: the answer is empty.")


def _prompt(found: Talk) -> None:
    if found.prompt is None:
        return
    with st.expander(f"Exact prompt, the same for both ({found.prompt_tokens:,} tokens)", key="talk_prompt"):
        st.html(f'<pre class="prompt">{escape(found.prompt)}</pre>')
    notes = [CUT if found.cut else "", FREELY, ONE_LINE if found.one_line else ""]
    st.caption(" ".join(note for note in notes if note))
