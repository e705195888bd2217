"""The report says what the study's files say; text from data is text in it, and it needs no network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine import dataset as datasets
from engine import decision, report
from engine.records import RunKind, Score
from engine.report import Facts
from engine.verdict import Summary
from jobs import reports
from pages import live
from tests import studies

EVIL = "</script><script>alert(1)</script> **bold** [x](javascript:y) | `z` <img src=x>"


@pytest.fixture
def facts(home: Path) -> Facts:
    """Of the sample study, which really ran."""
    files = live.files()
    live.ensure_sample_study(files)
    (study,) = files.studies()
    return reports.facts(study)


def test_the_sections_follow_the_way_of_a_study(facts: Facts) -> None:
    titles = [section.title for section in report.sections(facts)]

    assert titles == [
        "What was asked", "Data checks", "Plan", "Results", "The winner class by class", "Limits",
        "How to repeat it",
    ]  # fmt: skip


def test_the_verdict_is_the_studys_own(facts: Facts) -> None:
    assert " ".join(report.verdict(facts)) == facts.summary.verdict
    for page in (report.to_html(facts), report.to_markdown(facts)):
        assert report.verdict(facts)[0] in page.replace("\\", "")


def test_the_plan_says_what_the_default_is_and_which_examples_few_shot_had(facts: Facts) -> None:
    spec = replace(facts.specs[-1], run=f"{facts.study.study}-99", kind=RunKind.FEW_SHOT, name="few-shot")
    examples = {"rows": [7, 3], "tokens": 52, "labels": {"billing": 2}}
    result = replace(studies.result(spec.run), facts={"examples": examples})
    asked = replace(facts, specs=(*facts.specs, spec), results={**facts.results, spec.run: result})

    page = report.to_markdown(asked)

    assert "the same with examples in its prompt (few-shot)" in page
    assert "Few-shot: 2 examples in the prompt (2 billing), 52 tokens: the training rows 7, 3." in page
    assert re.search("Default: lr .*; TRL's and PEFT's defaults, but for a learning rate that suits", page)


def test_a_study_from_before_few_shot_is_told_as_it_was(facts: Facts) -> None:
    assert all(spec.kind is not RunKind.FEW_SHOT for spec in facts.specs)
    assert facts.summary.winner is not None
    for text in (facts.summary.verdict, report.to_markdown(facts)):
        assert "few-shot" not in text.lower()


def test_every_run_is_in_the_table_with_its_intervals_and_the_one_to_use_marked(facts: Facts) -> None:
    (results,) = [s for s in report.sections(facts) if s.title == "Results"]

    assert results.table is not None and results.table.marked is not None
    assert len(results.table.rows) == len(facts.specs)
    use = facts.results[facts.summary.use or ""]
    marked = results.table.rows[results.table.marked]
    assert use.test is not None
    assert marked[2].startswith(f"{100 * use.test.value:.1f} (")
    assert marked[3].startswith("-20.") and marked[3].endswith("), recommended")
    assert "first on dev" in [row[3] for row in results.table.rows]


def test_each_class_of_the_winner_has_its_rows_and_recall(facts: Facts) -> None:
    (section,) = [s for s in report.sections(facts) if s.title == "The winner class by class"]

    assert section.table is not None and facts.dataset is not None
    assert {row[0] for row in section.table.rows} == set(facts.dataset.labels)
    assert sum(int(row[1]) for row in section.table.rows) == len(facts.dataset.splits["test"])


def test_html_is_one_file_that_needs_no_network(facts: Facts) -> None:
    page = report.to_html(facts)

    own = page.replace(report.figures_report.library(), "")
    assert "default-src 'none'" in own
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", own)
    assert page.count(report.figures_report.library()) == 1
    assert own.count('class="plotly-graph-div"') == 2


def test_markdown_has_tables_and_no_html(facts: Facts) -> None:
    page = report.to_markdown(facts)

    assert page.startswith("# Sample: support tickets\n")
    assert "| --- | --- |" in page
    assert "\n\n\n" not in page
    assert "<div" not in page


def test_text_from_people_and_files_is_never_markup(facts: Facts) -> None:
    assert facts.dataset is not None
    study = replace(facts.study, name=EVIL, note=EVIL, dataset_name=EVIL)
    evil = replace(facts, study=study, dataset=replace(facts.dataset, file_name=EVIL, labels=(EVIL, "b")))

    page, text = report.to_html(evil), report.to_markdown(evil)

    assert "<script>alert" not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)(\*\*bold|\[x\]|<img|<script)", prose)


def test_code_cannot_end_its_block(facts: Facts) -> None:
    assert facts.dataset is not None
    evil = replace(facts, dataset=replace(facts.dataset, file_name="a```\n# b.csv"))

    assert "\n````\npython cli.py tune" in report.to_markdown(evil)


def test_the_command_repeats_the_dataset(facts: Facts, tmp_path: Path) -> None:
    """Its file, task and columns give the same dataset again."""
    (section,) = [s for s in report.sections(facts) if s.title == "How to repeat it"]
    words = section.code.splitlines()[0].split()
    roles = dict(word.split("=") for word in words if "=" in word)
    original = next((live.files().datasets_root / "datasets" / facts.study.dataset / "original").iterdir())

    again = datasets.build(original, task=facts.study.task, roles=roles, seed=facts.study.seed)  # type: ignore[arg-type]

    assert words[:4] == ["python", "cli.py", "tune", original.name]
    assert again.id == facts.study.dataset


def test_a_link_leads_back_where_the_pages_are_known(facts: Facts) -> None:
    link = "https://pages.example/studies?study=s"

    assert f'<a href="{link}">Open the study</a>' in report.to_html(replace(facts, link=link))
    assert "Open the study" not in report.to_html(facts)


def test_a_study_that_has_not_ended_says_what_is_missing(home: Path) -> None:
    files = live.files()
    study = studies.write(files)

    found = reports.facts(study.study)

    text = report.to_markdown(found)
    assert "Unfinished: 2 runs have no score." in text
    assert "have not ended yet" in text
    assert "deleted since" in text
    assert report.to_html(found)


def test_limits_name_what_was_cut_and_who_was_trained_once(facts: Facts) -> None:
    run = next(spec.run for spec in facts.specs if spec.kind.trains)
    cut = {**facts.results[run].facts, "truncated_rows": 12}
    results = {**facts.results, run: replace(facts.results[run], facts=cut)}

    (limits,) = [s for s in report.sections(replace(facts, results=results)) if s.title == "Limits"]

    assert "12 of 208 training rows were longer than the 512 tokens that the model reads" in limits.points[-2]
    assert any("5 of 5 configs were trained with one seed" in point for point in limits.points)


def test_a_report_is_not_made_of_a_summary_without_a_winner_as_if_there_were_one(facts: Facts) -> None:
    nothing = Summary(
        None, decision.decide([], lambda first, second: Score(0.0, 0.0, 0.0, 0)), "Nothing ran.", {}
    )

    (results,) = [s for s in report.sections(replace(facts, summary=nothing)) if s.title == "Results"]

    assert results.table is not None and results.table.marked is None
    assert {"winner", "first on dev"}.isdisjoint(cell for row in results.table.rows for cell in row)
