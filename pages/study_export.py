"""Export: the files of a run or baseline, made by a worker, loaded afresh and compared with it; one zip."""

from __future__ import annotations

import streamlit as st

from engine import outputs
from engine.export_parts import What, left_out
from engine.parity import Parity
from engine.records import RunKind
from engine.verdict import Summary
from jobs import exports
from jobs.exports import Done, ExportView, State
from jobs.views import StudyView
from pages import problems, study_push, words

POLL_SECONDS = 0.5
LARGEST_DOWNLOAD = 1_000_000_000  # bytes; the page reads a file whole before a browser gets it
TITLES = {
    What.ALL: "Everything",
    What.ADAPTER: "Adapter (LoRA, PEFT format)",
    What.MERGED: "Whole model (safetensors)",
    What.GGUF_F16: "GGUF F16 (llama.cpp, Ollama)",
    What.GGUF_Q8_0: "GGUF Q8_0 (half the size)",
    What.SCRIPT: "Training script (TRL alone)",
    What.BASELINE: "Baseline (its model and a script)",
    What.CARD: "Model card",
}
UNDER_WAY = (State.QUEUED, State.RUNNING)


def show(view: StudyView, found: Summary) -> None:
    """Choose the run and the part, then follow its export."""
    scored = [r.spec for r in view.runs if r.result and r.result.test and _has_files(r.spec.kind)]
    if not scored:
        st.caption("No training and no baseline of this study has a score, so there is nothing to export.")
        return
    names = outputs.unique_titles(sorted(scored, key=lambda spec: words.by_use(spec.run, found)))
    with st.container(horizontal=True, vertical_alignment="bottom", key="export_choice"):
        run = st.selectbox(
            "Run", names, key="export_run", width=420, bind="query-params",
            format_func=lambda run: words.run_option(names[run], run, found),
        )  # fmt: skip
        refused = exports.refusals(run)
        offered = [what for what in TITLES if what not in refused]
        what = st.selectbox(
            "What", offered, key=f"export_what_{run}", format_func=TITLES.__getitem__, width=280
        )
        with problems.shown():
            if st.button(f"Export {_called(what)}", type="primary", key="export"):
                exports.request(run, what)
    if found.use not in names:
        st.caption("What this study recommends is no tuned model, so there is nothing of it to export.")
    spec = next(spec for spec in scored if spec.run == run)
    for why in dict.fromkeys(left_out(What.ALL, spec, refused).values()):
        st.caption(words.plain(why))
    state = exports.view(run).state
    st.fragment(_progress, run_every=POLL_SECONDS if state in UNDER_WAY else None)(run, state)


def _called(what: What) -> str:
    """A part within a sentence."""
    name = TITLES[what].split(" (")[0]
    return name if name.isupper() else name.lower()


def _has_files(kind: RunKind) -> bool:
    return kind.trains or kind is RunKind.BASELINE


def _progress(run: str, before: State) -> None:
    """Redrawn every POLL_SECONDS until the export has ended, then the whole page once."""
    with problems.shown():
        found = exports.view(run)
        if before in UNDER_WAY and found.state not in UNDER_WAY:
            st.rerun()
        if found.state in UNDER_WAY:
            with st.container(horizontal=True, vertical_alignment="center", key="export_state"):
                st.text(_sentence(found))
                st.button("Cancel", key="export_cancel", on_click=exports.cancel, args=(run,))
        elif found.error is not None:
            st.error(words.plain(found.error))
        elif found.done is not None:
            _finished(run, found.done)


def _sentence(found: ExportView) -> str:
    if found.state is State.QUEUED:
        place = "" if found.place is None else f": place {found.place}"
        return f"Waiting for a free worker{place}. Trainings that run are not interrupted."
    return found.stage or "Starting"


def _finished(run: str, done: Done) -> None:
    """How the files compare with the run, and the files."""
    with st.container(border=True, key="export_done"):
        for entry in done.parity:
            _badge(entry)
        if not done.parity:
            st.text(f"{TITLES[done.what]}: without weights there is nothing to compare.")
        for part, why in done.left_out.items():
            st.caption(words.plain(f"Without {TITLES[part]}: {why}"))
        with st.container(horizontal=True, vertical_alignment="center", key="export_files"):
            _download(run, done)
            st.button("Delete this export", key="export_discard", on_click=exports.discard, args=(run,))
            st.caption(f"{TITLES[done.what]}, {words.age(done.created)}. {_rows_inside(done)}")
        study_push.show(run, done)


def _badge(entry: Parity) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"parity_{entry.part}"):
        st.text(TITLES[What(entry.part)], width=250)
        icon = ":material/check:" if entry.same else ":material/difference:"
        st.badge(entry.sentence, icon=icon, color="green" if entry.same else "orange")
        st.caption(words.plain(f"{entry.scores}, loaded afresh in another process"))
    if not entry.same:
        st.caption(f"Rows of your file that differ: {', '.join(map(str, entry.differing[:50]))}")


def _download(run: str, done: Done) -> None:
    """A file too large for the page is fetched by the terminal."""
    if done.bytes > LARGEST_DOWNLOAD:
        st.code(f"python cli.py export {run} --what {done.what} --out FOLDER", language=None)
        return
    st.download_button(
        f"Download zip ({words.size(done.bytes)})",
        lambda: exports.packed(run).read_bytes(),
        f"shortlist-{run}.zip",
        mime="application/zip",
        key="export_download",
        on_click="ignore",
    )


def _rows_inside(done: Done) -> str:
    if What.BASELINE in done.parts:
        return "It holds words or answers of your file."
    return "It holds rows of your file." if What.SCRIPT in done.parts else ""
