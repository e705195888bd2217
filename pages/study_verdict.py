"""The decision on a study: a headline, three numbers, one button; how sure it is stays folded."""

from __future__ import annotations

from functools import partial

import streamlit as st

from engine import figures
from engine.decision import Action, Decision, Outcome
from engine.export_parts import NOT_ALONE
from engine.metrics import lower_is_better
from engine.records import RunKind, Score
from engine.verdict import Summary
from jobs import studies
from jobs.views import StudyView
from pages import live, study_seeds, words

SECTIONS = {
    Action.EXPORT: "Export",
    Action.USE: "Export",
    Action.MORE_ROWS: "Continue",
    Action.LARGER_MODEL: "Search",
    Action.SEARCH: "Search",
}
NEEDS_A_REASON = (Outcome.UNFINISHED, Outcome.FEW_ROWS, Outcome.NOTHING)


def show(view: StudyView, found: Summary) -> None:
    """What to do, and the button that does it or goes there."""
    decision = found.decision
    with st.container(border=True, key="verdict"):
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"### {words.plain(decision.headline)}")
        with right:
            _button(view, decision)
        told = decision.outcome in NEEDS_A_REASON
        if told:
            st.markdown(words.plain(found.reason))
        _tiles(view, decision)
        with st.expander("How sure is this?", key="how_sure"):
            sentences = found.details if told else (found.reason, *found.details)
            st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in sentences))
            study_seeds.offer(view)


def _tiles(view: StudyView, decision: Decision) -> None:
    """The score on new rows, and how far it is from the untuned model and the best alternative."""
    if decision.score is None:
        return
    metric = view.study.metric
    loss = lower_is_better(metric)
    tiles = [
        (
            f"{figures.metric_name(metric)} on new rows, {decision.leader_name}",
            words.number(decision.score.value, loss),
            f"{words.interval(decision.score, loss)}, from {decision.score.n:,} test rows",
        )
    ]
    base = next((run.spec.run for run in view.runs if run.spec.kind is RunKind.BASE), None)
    if decision.against_untuned is not None and decision.alternative != base:
        tiles.append(_against("the untuned model", decision.against_untuned, loss))
    if decision.against_alternative is not None:
        tiles.append(_against(decision.alternative_name, decision.against_alternative, loss))
    for place, (label, value, below) in zip(st.columns(len(tiles)), tiles, strict=True):
        with place.container(border=True, height="stretch", gap="xxsmall"):
            st.caption(words.plain(label))
            st.markdown(f"## {words.plain(value)}")
            st.caption(words.plain(below))


def _against(name: str, gap: Score, loss: bool) -> tuple[str, str, str]:
    """Label, difference and what it shows."""
    shows = "clearly better" if gap.low > 0 else "clearly worse" if gap.high < 0 else "may be chance"
    value = f"{'+' if gap.value > 0 else ''}{words.number(gap.value, loss)}"
    unit = " nats" if loss else " points"
    return f"Against {name}", f"{value}{unit}", f"{words.interval(gap, loss)}: {shows}"


def _button(view: StudyView, decision: Decision) -> None:
    """The one next step."""
    if decision.action is Action.FINISH:
        problem = live.problem()
        st.button(
            decision.step, type="primary", key="next_step", width="stretch", disabled=problem is not None,
            help=problem, on_click=studies.retry, args=(view.study.study,),
        )  # fmt: skip
        return
    st.button(
        words.plain(decision.step[:1].upper() + decision.step[1:]), type="primary", key="next_step",
        width="stretch", on_click=partial(_go, *_place(view, decision)),
    )  # fmt: skip


def _place(view: StudyView, decision: Decision) -> tuple[str, str | None]:
    """The section of the next step, and the run to choose there."""
    spec = next((run.spec for run in view.runs if run.spec.run == decision.run), None)
    section = SECTIONS[decision.action]
    if decision.action is Action.USE and spec is not None:
        has_files = spec.kind is RunKind.BASELINE and spec.name not in NOT_ALONE
        section = "Export" if has_files else "Predict"
    return section, decision.run if section in ("Export", "Predict") else None


def _go(section: str, run: str | None) -> None:
    st.session_state.study_section = section
    if run is not None:
        st.session_state[f"{section.lower()}_run"] = run
