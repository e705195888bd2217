"""Search further: offered on a finished study, watched while it goes on, judged when it has ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine import figures_lr_range, store
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.records import RunKind, RunResult, RunStatus, Study
from engine.search import Objective, Search, SearchMethod
from engine.searchspace import space_of
from jobs import collector, lr_range, search
from tests import studies
from tests.pages.conftest import _scored, finished_study, opened, texts

BEGAN = 1_770_000_000.0


@pytest.fixture
def ready(served: Artifacts) -> tuple[Study, Dataset]:
    """A study that is over: default and one shortlist run, the latter right on 90 % of the rows."""
    study, data = finished_study(served)
    store.collect_study(collector.store(), served, study.study)
    return study, data


def seen(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def page(app: AppTest, study: Study) -> AppTest:
    return opened(app, "studies", study=study.study, study_section="Search")


def searched(
    files: Artifacts, study: Study, data: Dataset, *rights: float, ended: bool = True,
    method: SearchMethod = SearchMethod.TPE,
) -> Search:  # fmt: skip
    """A search whose runs are right on these shares of the rows, each at another learning rate."""
    one = Search(
        "01", study.study, method, Objective.METRIC, max(8, len(rights)), space_of(study.model, study.method),
        BEGAN, study.runs, ended=BEGAN + 90 if ended else None, why="All runs ended." if ended else None,
    )  # fmt: skip
    files.write_search(one)
    runs = list(study.runs)
    for number, right in enumerate(rights, start=1):
        run = f"{study.study}-{len(runs) + 1:02d}"
        spec = studies.spec(run, RunKind.SEARCH, f"TPE {number}")
        config = replace(studies.CONFIG, learning_rate=1e-2 / number)
        files.write_spec(replace(spec, config=config, search="01", why="TPE learned it."))
        result = _scored(files, data, run, right)
        files.write_result(replace(result, facts={"dev_loss": 1 - right / 2}))
        events = [("started", {"worker": "0"}, 10.0 * number), ("ended", {}, 10.0 * number + 9)]
        (files.attempt_folder(run, 1) / "events.jsonl").write_text(
            "".join(
                json.dumps({"seq": seq, "time": BEGAN + at, "kind": kind, "data": values}) + "\n"
                for seq, (kind, values, at) in enumerate(events)
            )
        )
        runs.append(run)
    files.write_study(replace(study, runs=tuple(runs)))
    return one


def figures(app: AppTest) -> list[str]:
    return [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in app.get("plotly_chart")]


def test_a_study_without_a_search_offers_one_and_says_what_it_costs(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    page(app, ready[0])

    assert "No search of this study has run yet" in seen(app)
    label = app.button(key="search_start").label.replace("\\", "")
    assert label.startswith("Search 8 more configs with random, about ")
    assert not app.exception


def test_the_button_starts_the_search_that_was_chosen(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    page(app, ready[0])
    app.get("button_group")[1].set_value("random").run()
    app.number_input(key="search_runs").set_value(3).run()
    app.toggle(key="search_cold").set_value(True).run()
    app.selectbox(key="search_objective").set_value(Objective.LOSS).run()
    app.button(key="search_start").click().run()

    (one,) = search.of_study(ready[0].study)
    assert (one.method, one.runs, one.cold, one.objective) == (
        SearchMethod.RANDOM, 3, True, Objective.LOSS,
    )  # fmt: skip
    assert "0 of 3 runs ended" in str(app.get("progress")[-1].proto.text)
    assert app.button(key="search_stop").label == "Stop the search"
    assert not app.exception


def test_the_protocol_shows_its_plan_before_the_start(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    page(app, ready[0])
    app.get("button_group")[1].set_value("protocol").run()

    assert "1. Learning rate" in seen(app)
    assert "5. Full training" in seen(app)
    label = app.button(key="search_start").label.replace("\\", "")
    assert label.startswith("Run the protocol: up to 5 runs, about ")
    assert not app.exception


def test_a_search_that_goes_on_shows_what_it_tries_and_can_be_stopped(
    queued: None, served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    searched(served, study, data, 0.5, 0.7, ended=False)

    page(app, study)

    assert "2 of 8 runs ended" in str(app.get("progress")[-1].proto.text)
    assert "TPE learned it." in set(app.dataframe[-1].value["why"])
    app.button(key="search_stop").click().run()
    assert search.of_study(study.study)[0].why == "Stopped by hand."
    assert not app.exception


def test_a_search_that_has_ended_says_first_what_it_gained(
    served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    searched(served, study, data, 0.5, 1.0)

    page(app, study)

    assert "2 more runs gained" in seen(app)
    assert "over the shortlist's best on" in seen(app)
    assert "2 runs of the search took the best dev accuracy" in "\n".join(figures(app))
    assert "One worker was busy 95 %" in "\n".join(figures(app))
    assert not app.exception


def test_few_trainings_do_not_say_what_matters_and_eight_do(
    served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    searched(served, study, data, 0.5, 0.6)
    page(app, study)
    assert "4 trainings are measured, fewer than the 8" in seen(app)

    searched(served, study, data, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    page(app, study)
    assert "of the differences between 9 trainings come from learning rate" in "\n".join(figures(app))
    assert not app.exception


def test_a_search_that_cannot_improve_proposes_to_stop(
    served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    searched(served, study, data, *[0.4] * 6)

    page(app, study)

    assert "The last 6 runs did not improve the best dev accuracy" in seen(app)
    assert "6 more runs gained nothing" in seen(app)


def test_the_edge_of_a_range_can_be_widened_and_searched_on(
    queued: None, served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    searched(served, study, data, 1.0, 0.4)

    page(app, study)

    assert "has learning_rate 1e-2, the largest tried (wider, it would reach 3e-2)" in seen(app)
    button = app.button(key="search_widen_learning_rate")
    assert "Widen learning_rate and go on: 8 more configs with TPE" in button.label.replace("\\", "")
    button.click().run()
    assert search.of_study(study.study)[1].space.axis("learning_rate").high == 0.03
    assert not app.exception


def test_a_space_of_ones_own_can_be_given_back(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, _ = ready
    space = space_of(study.model, study.method)
    app.session_state[f"space_of_{study.study}"] = space.centred(5e-3)

    page(app, study)
    app.button(key="search_usual").click().run()

    assert app.session_state[f"space_of_{study.study}"] == space
    assert "search_usual" not in [button.key for button in app.button]
    assert not app.exception


def test_the_shortlist_with_early_stopping_says_what_it_saved(
    served: Artifacts, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, data = ready
    one = searched(served, study, data, method=SearchMethod.SHORTLIST)
    run = study.runs[2]
    spec, result = served.read_spec(run), served.read_result(run)
    assert result is not None
    served.write_spec(replace(spec, search=one.search, pause_at=0.25))
    paused = {"at": 0.25, "loss": 0.9, "row_losses": [0.9, 0.9]}
    stopped = RunResult(run, 1, RunStatus.STOPPED, seconds=result.seconds, facts={"paused": paused})
    served.write_result(stopped)

    page(app, study)

    assert "Early stopping saved about 75 % of the training" in seen(app)
    assert not app.exception


def test_hours_are_split_before_anything_starts_and_become_the_limit(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    page(app, ready[0])
    app.number_input(key="search_hours").set_value(2.0).run()

    assert list(app.dataframe[-1].value["for"])[:2] == ["Learning-rate test", "Rank"]
    assert "Of 2 hours, 48 min are for the final training" in seen(app)
    app.button(key="search_take_hours").click().run()
    assert app.number_input(key="search_minutes").value == 120
    assert app.button(key="search_start").label.startswith("Run the protocol")
    assert not app.exception


def test_the_space_is_centred_on_a_test_that_a_worker_makes(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, _ = ready
    page(app, study)

    app.button(key="search_centre").click().run()
    request = app.session_state[f"lr_range_{study.study}"]
    assert "Learning-rate test: waiting for a free worker" in str(app.get("progress")[-1].proto.text)
    lr_range.climb(request)
    app.run()

    found = lr_range.result(request)
    assert found is not None and found.centre is not None
    assert figures_lr_range.lr_range_info(found).title in " ".join(figures(app)).replace("<br>", " ")
    axis = app.session_state[f"space_of_{study.study}"].axis("learning_rate")
    assert axis.low < found.centre < axis.high
    assert app.button(key="search_centre_forget").label == "Forget this test"
    assert not app.exception


def test_the_best_configs_are_offered_to_larger_models(
    queued: None, ready: tuple[Study, Dataset], app: AppTest
) -> None:
    study, _ = ready
    app.session_state.search_carry = True

    page(app, study)

    assert app.selectbox(key="search_carry_model").value == "shortlist-tiny-4m"
    assert "Transferred from shortlist-tiny-1m: learning rate times 1, rank doubled." in seen(app)
    label = app.button(key="search_carry_start").label.replace("\\", "")
    assert label.startswith("Train 1 config on shortlist-tiny-4m as a new study, about ")
    assert not app.exception
