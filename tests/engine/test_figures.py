"""What the plots say: arithmetic in info, drawing in figure, nothing lost when there is nothing."""

from __future__ import annotations

from engine import figures
from engine.records import Config, Event, Method, RunKind, RunResult, RunSpec, RunStatus, Score, Task

STUDY = "s-20260101-abcdef"
FAST = Config(learning_rate=3e-3, num_train_epochs=3, per_device_train_batch_size=8)


def run(number: int, kind: RunKind, name: str, value: float | None) -> tuple[RunSpec, RunResult | None]:
    config = FAST if kind.trains else None
    spec = RunSpec(
        f"{STUDY}-{number:02}", STUDY, kind, name, "d", Task.CLASSIFICATION, "m", Method.FULL, "accuracy",
        config=config,
    )  # fmt: skip
    if value is None:
        return spec, None
    score = Score(value, value - 0.1, value + 0.05, 200)
    result = RunResult(spec.run, 1, RunStatus.FINISHED, metrics={"accuracy": {"test": score}})
    return spec, result


def step(seq: int, epoch: float, loss: float, attempt: int = 1) -> Event:
    return Event(f"{STUDY}-03", attempt, seq, 0.0, "progress", {"epoch": epoch, "loss": loss, "step": seq})


def test_scores_are_in_points_best_first_and_runs_without_a_score_are_left_out() -> None:
    info = figures.score_info(
        [
            run(1, RunKind.BASE, "base", 0.3),
            run(2, RunKind.SHORTLIST, "1", 0.7),
            run(3, RunKind.SHORTLIST, "2", None),
        ],
        "accuracy",
    )

    assert [(p.label, p.value, p.low, p.high) for p in info.points] == [
        ("1", 70, 60, 75),
        ("untuned base", 30, 20, 35),
    ]
    assert info.title == "Accuracy on 200 test rows, with 95 % intervals"


def test_few_shot_has_the_colour_of_the_untuned_model_and_a_mark_of_its_own() -> None:
    runs = [run(1, RunKind.BASE, "base", 0.3), run(2, RunKind.FEW_SHOT, "few-shot", 0.4)]

    figure = figures.score_figure(figures.score_info(runs, "accuracy"))

    marks = {trace.name: (trace.marker.color, trace.marker.symbol) for trace in figure.data}
    assert marks["untuned base"][0] == marks["few-shot"][0]
    assert marks["untuned base"][1] != marks["few-shot"][1]


def test_winner_is_bold_ties_are_named_and_the_band_is_the_winners_interval() -> None:
    runs = [run(1, RunKind.DEFAULT, "default", 0.68), run(2, RunKind.SHORTLIST, "rank 1", 0.7)]
    info = figures.score_info(runs, "accuracy", winner=f"{STUDY}-02", tied=[f"{STUDY}-01"])

    figure = figures.score_figure(info)

    labels = [label for trace in figure.data for label in trace.y]
    assert sorted(labels) == ["<b>rank 1</b>", "default (tie)"]
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (
        info.points[0].low,
        info.points[0].high,
    )


def test_each_meaning_has_one_colour() -> None:
    figure = figures.score_figure(
        figures.score_info(
            [run(1, RunKind.BASE, "base", 0.3), run(2, RunKind.SHORTLIST, "1", 0.7)], "accuracy"
        )
    )

    assert {t.name: t.marker.color for t in figure.data} == {
        "full fine-tuning": "#D55E00",
        "untuned base": "#009E73",
    }


def test_names_from_people_are_never_markup() -> None:
    info = figures.score_info([run(1, RunKind.SHORTLIST, "<b>x</b>", 0.3)], "accuracy")

    assert info.points[0].label == "&lt;b&gt;x&lt;/b&gt;"


def test_curve_shows_the_last_attempt_only() -> None:
    spec = run(3, RunKind.SHORTLIST, "1", None)[0]

    info = figures.curve_info(
        [(spec, [step(1, 0.5, 9.0), step(1, 0.1, 4.0, attempt=2), step(2, 0.2, 3.0, 2)])]
    )

    assert info.curves[0].epochs == (0.1, 0.2)
    assert info.curves[0].losses == (4.0, 3.0)


def test_long_curves_are_thinned_to_what_a_browser_draws() -> None:
    spec = run(3, RunKind.SHORTLIST, "1", None)[0]

    info = figures.curve_info([(spec, [step(i, i / 100, 1.0) for i in range(30_000)])])

    assert len(info.curves[0].losses) <= figures.MAX_POINTS


def test_nothing_to_draw_gives_a_titled_empty_figure() -> None:
    for figure in (
        figures.score_figure(figures.score_info([], "accuracy")),
        figures.curve_figure(figures.curve_info([])),
    ):
        assert not figure.data
        assert figure.layout.title.text
