"""The figures of a search: titles say what was found, colours who chose the config."""

from __future__ import annotations

from dataclasses import replace

from engine import (
    figures,
    figures_search,
    figures_search_space,
    figures_tradeoff,
    figures_workers,
    worker_times,
)
from engine.figures_search import Against
from engine.records import Event, Method, RunKind
from engine.run_importance import Share
from engine.searched import Measure, history
from engine.searchspace import Axis, Scale
from tests import studies
from tests.engine.test_searched import ACCURACY, FOUND, LISTED, tried

TRIED = tried((RunKind.DEFAULT, 0.5), (LISTED, 0.6), (LISTED, 0.7), (FOUND, None), (FOUND, 0.8))


def test_the_title_says_what_the_search_added_and_a_line_where_the_shortlist_ends() -> None:
    trials, specs = TRIED

    info = figures_search.best_info(history(trials, specs, ACCURACY), specs, "01", ACCURACY, Against.RUNS)
    figure = figures_search.best_figure(info, Method.LORA)

    assert info.title == "1 run of the search took the best dev accuracy from 70.0 points to 80.0 points"
    assert (info.shortlist_ends, info.size) == (3, 2)
    assert figure.layout.shapes[0].x0 == 3
    assert figure.layout.xaxis.title.text == "Trainings of the study (number)"
    assert {trace.name for trace in figure.data} == {
        "best so far", "shortlist", "default config", "this search",
    }  # fmt: skip


def test_against_minutes_the_shortlist_ends_when_its_last_training_did() -> None:
    trials, specs = TRIED

    info = figures_search.best_info(history(trials, specs, ACCURACY), specs, "01", ACCURACY, Against.MINUTES)

    assert info.shortlist_ends == 3.0
    assert info.axis.endswith("(min)")


def test_a_search_that_found_nothing_better_says_so() -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, 0.6), (FOUND, 0.7))

    info = figures_search.best_info(history(trials, specs, ACCURACY), specs, "01", ACCURACY, Against.RUNS)

    assert info.title == (
        "2 runs of the search found nothing better on dev than 70.0 points, reached before it"
    )


def test_without_a_measured_run_the_figure_is_empty_but_titled() -> None:
    info = figures_search.best_info((), {}, "01", ACCURACY, Against.RUNS)

    assert not figures_search.best_figure(info, Method.LORA).data
    assert "no run is measured yet" in info.title


def test_names_from_people_stay_text() -> None:
    trials, specs = tried((LISTED, 0.7))
    named = {run: replace(spec, name="<b>own</b>") for run, spec in specs.items()}

    info = figures_search.best_info(history(trials, named, ACCURACY), named, "01", ACCURACY, Against.RUNS)

    assert "&lt;b&gt;" in figures_search.best_figure(info, Method.LORA).data[1].text[0]


def test_importance_names_the_largest_in_its_title() -> None:
    info = figures_search_space.shares_info([Share("learning_rate", 0.8), Share("lora_alpha/lora_r", 0.2)], 9)

    assert info.title == "80 % of the differences between 9 trainings come from learning rate"
    assert info.names == ("Learning rate", "Alpha / r")


def test_lines_show_only_what_varies_and_are_darkest_where_best() -> None:
    trials, specs = tried((LISTED, 0.6), (FOUND, 0.8), (FOUND, None))
    axes = (
        Axis("learning_rate", Scale.LOG, 1e-4, 1e-2),
        Axis("num_train_epochs", Scale.STEPS, values=(1, 3)),
    )

    info = figures_search_space.lines_info(trials, specs, axes, ACCURACY)
    figure = figures_search_space.lines_figure(info, Method.LORA)
    losses = figures_search_space.lines_figure(info._replace(lower_is_better=True), Method.LORA)

    assert [axis.name for axis in info.axes] == ["learning_rate"]
    assert info.title.startswith("The best of 2 on dev is search 2")
    assert [d.label for d in figure.data[0].dimensions] == ["Learning rate", "Dev accuracy (points)"]
    assert figure.data[0].line.colorscale[1][1] == figures.method_colour(Method.LORA)
    assert losses.data[0].line.colorscale[0][1] == figures.method_colour(Method.LORA)


def test_lines_of_a_loss_name_their_unit() -> None:
    info = figures_search_space.lines_info((), {}, (), Measure("loss"))

    assert info.value_axis == "Dev loss (nats)"
    assert not figures_search_space.lines_figure(info, Method.LORA).data


def event(kind: str, time: float, attempt: int = 1, worker: str = "0") -> Event:
    return Event("run", attempt, 0, time, kind, {"worker": worker} if kind == "started" else {})


def test_workers_are_busy_for_the_share_of_time_that_they_train() -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, 0.6))
    first, second = specs
    events = {
        first: [event("started", 0), event("ended", 60)],
        second: [event("started", 60, worker="1"), event("ended", 120)],
    }

    spans = worker_times.spans(events, now=500)
    info = figures_workers.workers_info(spans, specs, "01")

    assert info.title == "2 workers were busy 50 % of 2.0 min"
    assert [(bar.worker, bar.start, bar.minutes) for bar in info.bars] == [
        ("worker 0", 0, 1), ("worker 1", 1, 1),
    ]  # fmt: skip
    assert {trace.name for trace in figures_workers.workers_figure(info, Method.LORA).data} == {
        "shortlist", "this search",
    }  # fmt: skip


def test_a_run_that_goes_on_lasts_until_now_and_a_lost_attempt_is_left_out() -> None:
    events = [event("started", 0), event("started", 100, attempt=2)]

    (span,) = worker_times.spans({studies.RUN: events}, now=160)

    assert (span.attempt, span.started, span.ended) == (2, 100, 160)


def test_no_event_gives_an_empty_titled_figure() -> None:
    info = figures_workers.workers_info((), {}, "01")

    assert info.title == "Workers: no run has begun yet"
    assert not figures_workers.workers_figure(info, Method.LORA).data


def test_loss_and_score_together_name_the_unbeaten_and_what_the_search_added() -> None:
    trials, specs = tried((LISTED, 0.5), (LISTED, 0.6), (FOUND, 0.7))
    losses = [replace(t, loss=loss) for t, loss in zip(trials, (0.9, 1.0, 0.8), strict=True)]

    info = figures_tradeoff.tradeoff_info(losses, specs, "01", "accuracy")

    assert info.title.startswith("1 of 3 trainings is unbeaten in dev loss and accuracy")
    assert [point.run[-2:] for point in info.points if point.unbeaten] == ["03"]
    assert len(figures_tradeoff.tradeoff_figure(info, Method.LORA).data) == 3


def test_a_search_that_is_beaten_has_none_of_the_unbeaten_trainings() -> None:
    trials, specs = tried((LISTED, 0.5), (LISTED, 0.6), (FOUND, 0.4))
    losses = [replace(t, loss=loss) for t, loss in zip(trials, (0.7, 0.8, 1.0), strict=True)]

    info = figures_tradeoff.tradeoff_info(losses, specs, "01", "accuracy")

    assert info.title == ("2 of 3 trainings are unbeaten in dev loss and accuracy, none of them the search's")


def test_without_losses_there_is_no_trade() -> None:
    trials, specs = tried((LISTED, 0.5))

    info = figures_tradeoff.tradeoff_info(trials, specs, "01", "accuracy")

    assert not figures_tradeoff.tradeoff_figure(info, Method.LORA).data
