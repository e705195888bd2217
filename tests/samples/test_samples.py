"""The sample files are what their generator writes, build without errors, and are no toys."""

from pathlib import Path

import pytest

from engine import dataset
from engine.records import Severity, Task
from samples import generate

SAMPLES = Path(generate.__file__).parent
TASKS = {
    "support_tickets.csv": Task.CLASSIFICATION,
    "meeting_notes.jsonl": Task.SUMMARIZATION,
    "product_faq.jsonl": Task.QA,
}


def test_the_files_are_what_the_generator_writes() -> None:
    written = generate.files()

    assert set(written) == set(TASKS)
    for name, content in written.items():
        assert (SAMPLES / name).read_text(encoding="utf-8") == content
    assert sum(len(content.encode()) for content in written.values()) < 300_000


@pytest.mark.parametrize("name", list(TASKS))
def test_each_file_builds_into_enough_rows(name: str) -> None:
    found = dataset.build(SAMPLES / name)

    assert found.task is TASKS[name]
    assert found.notes == ()
    assert len(found.rows) > 0.95 * found.total_rows
    assert len(found.split("train")) > 100
    assert not [issue for issue in found.issues if issue.severity is Severity.ERROR]
    assert f"`{name}`" in (SAMPLES / "README.md").read_text(encoding="utf-8")


def test_the_tickets_show_what_checks_find() -> None:
    found = {issue.code for issue in dataset.build(SAMPLES / "support_tickets.csv").issues}

    assert found >= {
        "conflicting_labels",
        "duplicate_rows",
        "empty_source",
        "missing_target",
        "near_duplicates",
        "personal_data",
        "unused_columns",
    }


def test_the_tickets_leave_room_above_and_below_for_words_alone() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    found = dataset.build(SAMPLES / "support_tickets.csv")
    texts = {name: [" ".join(row.inputs.values()) for row in found.split(name)] for name in found.splits}
    labels = {name: [row.targets[0] for row in found.split(name)] for name in found.splits}

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)).fit(
        texts["train"], labels["train"]
    )

    assert 0.6 < model.score(texts["test"], labels["test"]) < 0.92


def test_every_answer_is_in_its_passage() -> None:
    for row in dataset.build(SAMPLES / "product_faq.jsonl").rows:
        context = " ".join(row.inputs.values())
        assert row.targets[0] in context
