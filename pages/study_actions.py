"""What can be done with a whole study: stop, retry, rename, note, add to, duplicate, delete with undo."""

from __future__ import annotations

import streamlit as st

from engine.records import RunStatus, Study
from jobs import studies
from jobs.views import StudyView
from pages import live, problems, study_add, tune_again, words

DUPLICATE = "Opens Tune with the rows, model, configs and options of this study, to change what you like."


def bar(view: StudyView) -> None:
    """The buttons beside the title."""
    study = view.study.study
    with st.container(horizontal=True, horizontal_alignment="right", key="study_actions"):
        if not view.is_over:
            with st.popover("Stop", key="stop_menu"):
                st.button("Stop and keep the best so far", key="keep", on_click=_stop, args=(study, True))
                st.button("Stop and discard what runs", key="discard", on_click=_stop, args=(study, False))
        if any(run.status in (RunStatus.FAILED, RunStatus.STOPPED) for run in view.runs):
            st.button("Retry what did not finish", key="retry", on_click=studies.retry, args=(study,))
        with st.popover("Edit", key="name_menu"):
            _name_and_note(view.study)
        if live.problem() is None and st.button("Add a config", key="add_config_to_study"):
            study_add.form(view)
        if st.button("Duplicate", key="duplicate", help=DUPLICATE):
            tune_again.fill(view)
            st.switch_page("tune.py")
        st.button("Delete", key="delete", on_click=_delete, args=(view.study,))


def _stop(study: str, keep_best: bool) -> None:
    studies.stop(study, keep_best=keep_best)


def _name_and_note(study: Study) -> None:
    with st.form("name_form", border=False):
        name = st.text_input("Name", study.name, key=f"name_{study.study}", max_chars=studies.LONGEST_NAME)
        note = st.text_area("Note", study.note, key=f"note_{study.study}")
        if st.form_submit_button("Save", key="save_name"):
            with problems.shown():
                studies.rename(study.study, name)
                studies.note(study.study, note)
                st.rerun()


def _delete(study: Study) -> None:
    studies.delete(study.study)
    st.session_state.deleted = (study.study, study.name)
    st.query_params.clear()


def undo() -> None:
    """Offer to bring back what was just deleted."""
    if "deleted" not in st.session_state:
        return
    study, name = st.session_state.deleted
    with st.container(horizontal=True, vertical_alignment="center", key="undo_bar"):
        st.text(f"Deleted: {name}")
        st.button("Undo", key="undo", on_click=_undelete, args=(study,))


def _undelete(study: str) -> None:
    studies.undelete(study)
    del st.session_state.deleted
    st.query_params.study = study


def launch_waiting(view: StudyView) -> None:
    """A study of which nothing was queued, or whose queue was lost, can be launched."""
    waits = all(run.status == RunStatus.QUEUED and run.queue_position is None for run in view.runs)
    if waits and live.problem() is None:
        st.info("This study is not launched yet.")
        st.button(
            "Launch it", type="primary", key="launch_waiting", on_click=studies.launch,
            args=(view.study.study,),
        )  # fmt: skip


def headline(view: StudyView) -> str:
    """What the browser's tab says."""
    done = sum(run.status.is_final for run in view.runs)
    state = "Done" if view.is_over else f"{done} of {len(view.runs)}"
    return f"{state}: {view.study.name}"


def facts(view: StudyView) -> str:
    """One line on what the study is."""
    study = view.study
    method = words.method(study.method)
    folds = view.runs[0].spec.folds
    selects = "" if folds is None else f", selected in {folds} folds"
    return words.plain(f"{study.dataset_name}, {study.model}, {method}{selects}, {words.age(study.created)}")
