"""The section Export of a study: what is offered, how it goes, how the files compare."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.artifacts import Artifacts
from engine.export_parts import What
from engine.parity import Parity
from engine.records import Score
from jobs import exports
from jobs.exports import State
from tests.pages.conftest import PAGES, opened, texts

SAMPLE = "s-20261121-5pnsyk"
WINNER = f"{SAMPLE}-04"


@pytest.fixture
def sample(served: Artifacts) -> Artifacts:
    """The finished sample study, whose winner kept its adapter."""
    shutil.copytree(PAGES.parent / "samples" / "study", served.datasets_root, dirs_exist_ok=True)
    return served


def section(app: AppTest, run: str = "shortlist 3 (first on dev)") -> AppTest:
    return opened(app, "studies", study=SAMPLE, study_section="Export", export_run=run)


def test_a_baseline_that_no_model_beat_comes_first_and_can_be_exported(
    sample: Artifacts, app: AppTest
) -> None:
    opened(app, "studies", study=SAMPLE, study_section="Export")

    options = app.selectbox(key="export_run").options
    assert options[:2] == ["TF-IDF + logistic regression (recommended)", "shortlist 3 (first on dev)"]
    assert len(options) == 7
    assert app.selectbox(key=f"export_what_{SAMPLE}-08").options == [
        "Everything",
        "Baseline (its model and a script)",
        "Model card",
    ]
    assert "take baseline" not in texts(app)
    assert not app.exception


def test_everything_of_the_winner_is_offered(sample: Artifacts, app: AppTest) -> None:
    section(app)

    assert app.selectbox(key=f"export_what_{WINNER}").options == [
        "Everything",
        "Adapter (LoRA, PEFT format)",
        "Whole model (safetensors)",
        "GGUF F16 (llama.cpp, Ollama)",
        "GGUF Q8_0 (half the size)",
        "Training script (TRL alone)",
        "Model card",
    ]
    assert not app.exception


def test_a_run_without_weights_says_why_they_are_not_offered(sample: Artifacts, app: AppTest) -> None:
    section(app)

    app.selectbox(key="export_run").select(f"{SAMPLE}-02").run()

    assert app.selectbox(key=f"export_what_{SAMPLE}-02").options == [
        "Everything",
        "Training script (TRL alone)",
        "Model card",
    ]
    assert "shortlist 1 kept no weights here" in texts(app).replace("\\", "")
    assert not app.exception


def test_an_export_is_queued_followed_and_cancelled(sample: Artifacts, queued: None, app: AppTest) -> None:
    section(app)

    app.button(key="export").click().run()
    assert "Waiting for a free worker: place 1" in texts(app)
    assert exports.view(WINNER).state is State.QUEUED
    app.button(key="export_cancel").click().run()

    assert exports.view(WINNER).state is State.NONE
    assert "Waiting" not in texts(app)
    assert not app.exception


def test_same_and_different_files_are_marked_apart(sample: Artifacts, app: AppTest, tmp_path: Path) -> None:
    scores = {"study": Score(0.5, 0.4, 0.6, 103), "export": Score(0.48, 0.38, 0.58, 103)}
    same = Parity("merged", 103, (), "accuracy", scores["study"], scores["study"])
    other = Parity("adapter", 103, (4, 17), "accuracy", **scores)
    _keep(sample, tmp_path, parity=[same.to_dict(), other.to_dict()])

    section(app)

    badges = [text for text in (str(m.value) for m in app.markdown) if "badge" in text]
    assert "Same answers on 103 of 103 test rows" in badges[0] and "green" in badges[0]
    assert "Differs on 2 of 103 test rows" in badges[1] and "orange" in badges[1]
    seen = texts(app).replace("\\", "")
    assert "accuracy 50.0 in the study, 48.0 as exported" in seen
    assert "4, 17" in seen
    assert not app.exception


@pytest.mark.parametrize(
    ("token", "parts", "offered"),
    [("hf_x", ["adapter", "card"], True), ("hf_x", ["adapter", "script"], False), ("", ["adapter"], False)],
)
def test_the_hub_is_offered_with_a_token_and_without_rows(
    sample: Artifacts, app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    token: str, parts: list[str], offered: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", token)
    _keep(sample, tmp_path, parity=[], parts=parts)

    section(app)

    assert bool([button for button in app.button if button.label == "Upload to the hub"]) == offered
    assert not app.exception


def test_a_failed_export_shows_its_sentence(sample: Artifacts, app: AppTest) -> None:
    facts = {"attempt": 1, "error": "The disk is full: [x](http://evil)"}
    sample.write_export(WINNER, exports.FACTS, json.dumps(facts).encode())

    section(app)

    assert [error.value for error in app.error] == [r"The disk is full\: \[x\]\(http\://evil\)"]


def _keep(files: Artifacts, tmp_path: Path, **changes: object) -> None:
    """A finished export of the winner as a worker leaves it."""
    (tmp_path / exports.ZIP).write_bytes(b"zip")
    files.keep_export(WINNER, tmp_path / exports.ZIP)
    facts = {
        "what": What.ALL,
        "attempt": 1,
        "created": 1_770_000_000.0,
        "bytes": 3,
        "parts": ["adapter", "merged", "script", "card"],
        "left_out": {},
        **changes,
    }
    files.write_export(WINNER, exports.FACTS, json.dumps(facts).encode())
