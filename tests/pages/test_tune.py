"""Tune: what a person sees between choosing a file and the start of a study."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import footprint, machine
from engine.artifacts import Artifacts
from engine.machine import Memory
from engine.records import RunKind
from tests.engine.test_cases import workbook
from tests.pages.conftest import choose, finished_study, texts

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def tickets(app: AppTest) -> AppTest:
    """The sample of support tickets, full fine-tuning."""
    app.segmented_control(key="origin").set_value("A sample").run()
    app.segmented_control(key="method").set_value("full")
    return app.pills(key="sample").set_value("support_tickets.csv").run()


def test_an_empty_page_names_the_first_step(app: AppTest) -> None:
    button = app.button(key="launch")

    assert button.label == "Choose a file or a sample"
    assert button.disabled
    assert not app.exception


def test_a_sample_is_understood_and_ready_after_two_clicks(tickets: AppTest) -> None:
    assert tickets.selectbox(key="task").value == "classification"
    assert "labels for 'message'" in texts(tickets).replace("\\", "")
    assert tickets.button(key="launch").label.startswith("Train 3 configs and the default, about ")
    assert not tickets.button(key="launch").disabled
    assert not tickets.exception


def test_k_changes_what_the_button_says_and_the_plan_names_the_difference(tickets: AppTest) -> None:
    tickets.slider(key="k").set_value(1).run()

    assert tickets.button(key="launch").label.startswith("Train 1 config and the default")
    assert "k = 1" in texts(tickets)


def test_folds_say_what_they_cost_as_soon_as_they_are_chosen(tickets: AppTest) -> None:
    before = tickets.button(key="launch").label

    tickets.toggle(key="folds").set_value(True).run()

    assert "5 folds" in texts(tickets)
    assert seconds(tickets.button(key="launch").label) > 2 * seconds(before)
    assert not tickets.exception


def seconds(label: str) -> float:
    """The most that a launch button says: 'Train 3 configs and the default, about 2 to 3 min'."""
    number, unit = label.replace("\\", "").rpartition("about ")[2].split()[-2:]
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def test_a_wrong_column_is_refused_in_a_sentence_and_nothing_can_be_launched(tickets: AppTest) -> None:
    tickets.selectbox(key="role_classification_target").set_value("message").run()

    assert len(tickets.error) == 1
    assert tickets.button(key="launch").disabled
    assert not tickets.exception


def test_a_template_without_the_text_is_refused(tickets: AppTest) -> None:
    area = next(area for area in tickets.text_area if str(area.key).startswith("template_"))
    area.set_value("Label:").run()

    assert "{message}" in tickets.error[0].value.replace("\\", "")
    assert tickets.button(key="launch").label == "Correct what is marked"


def test_the_learned_part_of_the_prompt_is_marked_and_rows_are_never_markup(app: AppTest) -> None:
    rows = "".join(f"<b>tall</b> one {i},<i>up</i>\nsmall one {i},down\n" for i in range(30))
    app.file_uploader(key="file").upload("rows.csv", f"text,label\n{rows}".encode(), "text/csv").run()

    shown = next(str(html.value) for html in app.get("html") if 'class="prompt"' in str(html.value))
    assert "<mark> &lt;i&gt;up&lt;/i&gt;</mark>" in shown
    assert "<b>tall</b>" not in shown
    assert not app.exception


def test_the_columns_of_the_input_are_chips_and_rows_and_prompts_have_their_names(app: AppTest) -> None:
    rows = "".join(
        f"claim {i} of all,proof number {i} is here,{'yes' if i % 2 else 'no'}\n" for i in range(40)
    )
    app.file_uploader(key="file").upload("pairs.csv", f"claim,proof,label\n{rows}".encode(), "text/csv").run()
    chips = app.multiselect(key="role_classification_source")

    assert chips.value == ["claim", "proof"]
    assert shown_columns(app) == ["claim", "proof", "label"]
    area = next(area for area in app.text_area if str(area.key).startswith("template_"))
    assert area.value.endswith("{claim+proof}\nLabel:")
    chips.set_value(["proof"]).run()
    assert shown_columns(app) == ["proof", "label"]
    assert not app.exception


def shown_columns(app: AppTest) -> list[str]:
    """The names over the first rows."""
    return list(next(t for t in app.dataframe if t.value.columns[-1] == "label").value.columns)


def test_an_unusable_file_is_refused_in_a_sentence(app: AppTest) -> None:
    app.file_uploader(key="file").upload("rows.csv", b"text,label\n", "text/csv").run()

    assert "has a header but no rows" in app.error[0].value.replace("\\", "")
    assert app.button(key="launch").disabled
    assert not app.exception


def test_launch_leaves_no_second_copy_of_the_rows(app: AppTest, home: Path, queued: None) -> None:
    rows = (SAMPLES / "support_tickets.csv").read_bytes()
    app.file_uploader(key="file").upload("tickets.csv", rows, "text/csv").run()
    assert list((home / "uploads").rglob("tickets.csv"))

    app.button(key="launch").click().run()

    assert not list((home / "uploads").rglob("*.csv"))
    app.switch_page("tune.py").run()
    assert app.segmented_control(key="origin").value == "A kept dataset"
    assert not app.button(key="launch").disabled
    assert not app.exception


def test_a_kept_dataset_is_deleted_with_its_study_gone(app: AppTest, served: Artifacts) -> None:
    study, data = finished_study(served)
    app.segmented_control(key="origin").set_value("A kept dataset").run()
    app.selectbox(key="kept").set_value(data.id).run()

    app.button(key="delete_dataset").click().run()
    assert "uses this dataset" in texts(app)
    served.delete_study(study.study)
    app.button(key="delete_dataset").click().run()

    assert not (served.datasets_root / "datasets" / data.id).exists()
    assert "No dataset is kept yet" in texts(app)
    assert not app.exception


def test_launch_keeps_the_dataset_queues_every_run_and_opens_the_study(
    tickets: AppTest, served: Artifacts, queued: None
) -> None:
    tickets.slider(key="k").set_value(1).run()
    tickets.button(key="launch").click().run()

    (study,) = served.studies()
    specs = [served.read_spec(run) for run in served.read_study(study).runs]
    assert [spec.kind for spec in specs].count(RunKind.SHORTLIST) == 1
    assert (served.datasets_root / "datasets" / specs[0].dataset).is_dir()
    assert tickets.title[0].value == "support\\_tickets"
    assert "Waiting" in str(tickets.dataframe(key="runs").value)
    assert not tickets.exception


def test_models_of_the_hub_say_their_size_whether_they_fit_and_what_is_downloaded(
    tickets: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: Memory(24 * 10**9, of_gpu=True))
    choose(tickets, "Qwen3-8B")

    said = texts(tickets).replace("\\", "")
    assert "LoRA fits the GPU's 24.0 GB, full fine-tuning needs about" in said
    assert "Qwen/Qwen3-8B: 16.4 GB to download." in said
    assert "about 16.4 GB from huggingface.co" in said
    assert tickets.button(key="launch").disabled
    assert "Full fine-tuning of Qwen3-8B needs about" in said
    assert not tickets.exception


def test_a_config_that_does_not_fit_gets_a_smaller_batch_and_the_plan_says_so(
    tickets: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_WORKERS", "1")
    monkeypatch.setattr(footprint, "BESIDE", 50.0)
    monkeypatch.setattr(machine, "memory", lambda: Memory(2 * 10**9, of_gpu=False))
    tickets.run()

    assert not tickets.button(key="launch").disabled
    assert "Fewer rows at a time, learned from as many as before: " in texts(tickets)
    assert not tickets.exception


def test_a_plan_that_fits_in_no_way_is_not_ready_and_says_what_it_would_take(
    tickets: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: Memory(footprint.PROCESS_BYTES, of_gpu=False))
    tickets.run()

    assert tickets.button(key="launch").disabled
    assert "Too large for this machine, even one row at a time and cut to 128 tokens: " in texts(tickets)
    assert not tickets.exception


def test_a_model_that_does_not_fit_here_can_be_looked_at_and_not_launched(
    tickets: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: Memory(2 * 10**9, of_gpu=False))
    tickets.segmented_control(key="method").set_value("lora")

    choose(tickets, "Qwen3-8B")

    assert "Does not fit: it needs about" in texts(tickets).replace("\\", "")
    on_gpus = next(table.value for table in tickets.dataframe if "GPU" in table.value)
    assert [text.split()[0] for text in on_gpus["GPU"]] == ["24", "48", "80"]
    configs = next(table.value for table in tickets.data_editor if "From" in table.value)
    assert set(configs["From"][1:]) == {"a guess"}
    assert tickets.button(key="launch").label == "Choose a smaller model"
    assert tickets.button(key="launch").disabled
    assert not tickets.exception


def test_a_gated_model_without_a_token_is_not_ready_and_says_what_to_do(
    tickets: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(machine, "memory", lambda: Memory(80 * 10**9, of_gpu=True))
    tickets.segmented_control(key="method").set_value("lora")
    choose(tickets, "Llama-3.2-1B")
    refused = tickets.button(key="launch").label

    monkeypatch.setenv("HF_TOKEN", "hf_test")
    tickets.run()

    assert refused == "Get access to the model first"
    assert tickets.button(key="launch").label.startswith("Train ")
    assert not tickets.exception


def test_each_model_says_where_its_configs_come_from(tickets: AppTest) -> None:
    listed = tickets.dataframe(key="model_table").value.set_index("Model")["Its configs"]

    assert listed["Meta-Llama-3-8B"] == "1 published, 3 a guess"
    assert listed["shortlist-tiny-1m"] == "none yet"
    assert listed["Qwen3-8B"] == "a guess"


def test_an_uncertain_encoding_is_asked_with_both_readings_and_can_be_chosen(app: AppTest) -> None:
    words = ["sign", "order", "parcel", "note", "refund", "letter"]
    told = [f"{words[i % 6]} con {words[i % 5]} numero {i} ya llega hoy" for i in range(40)]
    rows = "".join(f"{text};{'up' if i % 2 else 'down'}\n" for i, text in enumerate(told))
    data = f"text;label\nè con nota numero 99 ya llega hoy;up\n{rows}".encode("cp1252")
    app.file_uploader(key="file").upload("rows.csv", data, "text/csv").run()

    assert "encoding is not certain" in app.error[0].value
    assert app.button(key="launch").disabled
    options = app.selectbox(key="read_encoding").options
    assert "cp1252: 'è'" in options
    assert "cp1250: 'č'" in options

    app.selectbox(key="read_encoding").set_value("cp1250").run()

    assert not app.error
    assert any("č con nota" in table.value.to_string() for table in app.dataframe)
    assert not app.exception


def test_another_sheet_of_a_workbook_can_be_chosen(app: AppTest, tmp_path: Path) -> None:
    rows = [(f"note {i} about {'rain' if i % 2 else 'sun'} and {i * 7}", "ab"[i % 2]) for i in range(40)]
    path = workbook(
        tmp_path / "a.xlsx", First=[("text", "label"), *rows[:20]], More=[("text", "label"), *rows]
    )
    app.file_uploader(key="file").upload("a.xlsx", path.read_bytes(), "application/octet-stream").run()
    assert "20 rows" in texts(app)

    app.selectbox(key="read_sheet").set_value("More").run()

    assert "40 rows" in texts(app)
    assert "sheet 'More'" in texts(app).replace("\\", "")
    assert not app.exception


def test_a_quotation_that_runs_on_is_refused_and_can_be_read_without_quoting(app: AppTest) -> None:
    rows = "".join(f'"note {i}, and {i * 7}",{"up" if i % 2 else "down"}\n' for i in range(40))
    data = f'text,label\n"open, x,up\n{rows}'.encode()
    app.file_uploader(key="file").upload("rows.csv", data, "text/csv").run()
    assert "never closed" in app.error[0].value

    app.selectbox(key="read_quoting").set_value("none").run()

    assert "never closed" not in texts(app)
    assert not app.exception
