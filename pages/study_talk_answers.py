"""What base and tuned model write to one text, side by side, as a worker makes it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from engine.talk import Side
from jobs import talk
from jobs.talk import Answer, State, Talk
from pages import problems, words

POLL_SECONDS = 0.4
FREELY = "Both write freely here, also where the base was scored by the label that it finds most likely."
CUT = "The text is longer than this study's models read, so it was shortened as their rows are."
ONE_LINE = "Scores read only the first line of an answer: no answer of the training rows has a second one."


def show(request: str, sides: Mapping[Side, str]) -> None:
    """The question as it stands, redrawn while it is answered; `sides`: who speaks, by name."""
    over = talk.read(request).state.is_final
    st.fragment(_answers, run_every=None if over else POLL_SECONDS)(request, sides, over)


def _answers(request: str, sides: Mapping[Side, str], was_over: bool) -> None:
    """Redrawn every POLL_SECONDS until the last token is there, then the whole page once."""
    with problems.shown():
        found = talk.read(request)
        if found.state.is_final and not was_over:
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center", key="talk_state"):
            st.text(_sentence(found, len(sides)))
            if not found.state.is_final:
                st.button("Stop", key="talk_stop", on_click=talk.stop, args=(request,))
        if found.state is State.FAILED:
            st.error(words.plain(found.error or ""))
        for place, (side, title) in zip(st.columns(len(sides)), sides.items(), strict=True):
            with place.container(border=True, key=f"talk_{side}"):
                st.markdown(f"**{words.plain(title)}**")
                _answer(found, found.answers.get(side), len(sides))
        _prompt(found)


def _sentence(found: Talk, speakers: int) -> str:
    """Where the question stands."""
    if found.state is State.WAITING:
        return f"Waiting for a free worker: place {found.place}. Trainings that run are not interrupted."
    loading = "Loading the models" if speakers == 2 else "Learning from the training rows"
    running = loading if not found.answers else "Writing"
    return {
        State.RUNNING: running,
        State.DONE: "Both have answered." if speakers == 2 else "Answered.",
        State.STOPPED: "Stopped.",
        State.FAILED: "Not answered.",
    }[found.state]


def _answer(found: Talk, answer: Answer | None, speakers: int) -> None:
    """What one side has said so far."""
    if answer is None:
        st.caption("no answer" if found.state.is_final else "not begun yet")
        return
    st.text(answer.text.strip() or " ")
    if speakers == 1 and answer.seconds is not None:
        st.caption(f"{answer.seconds:.2f} s, learning from the training rows included")
    elif answer.tokens_per_second is not None:
        st.caption(
            f"{answer.tokens:,} tokens in {answer.seconds:.2f} s, {answer.tokens_per_second:,.0f} tokens/s"
        )
    elif answer.seconds is not None:
        st.caption("It ended at once: the answer is empty.")


def _prompt(found: Talk) -> None:
    if found.prompt is None:
        return
    who = f"with {found.examples}, which the base reads without" if found.examples else "the same for both"
    with st.expander(words.plain(f"Exact prompt, {who} ({found.prompt_tokens:,} tokens)"), key="talk_prompt"):
        st.html(f'<pre class="prompt">{escape(found.prompt)}</pre>')
    notes = [CUT if found.cut else "", FREELY, ONE_LINE if found.one_line else ""]
    st.caption(" ".join(note for note in notes if note))
