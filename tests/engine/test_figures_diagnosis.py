from __future__ import annotations

from engine import figures_diagnosis
from engine.diagnose import Diagnosis, Finding, Label, Losses
from engine.figures import COLOURS
from tests import studies

LOSSES = Losses(8.0, ((1, 2.0), (2, 1.0), (3, 1.5)), tuple((step / 10, 3.0) for step in range(1, 31)))
SAID = Diagnosis((Finding(Label.OVERFIT, "Dev loss rose."),), LOSSES)


def test_the_title_says_what_was_found_and_when_dev_loss_was_lowest() -> None:
    info = figures_diagnosis.loss_info(studies.spec(name="<b>one</b>"), SAID, None)

    assert info.title == "&lt;b&gt;one&lt;/b&gt;: overfit; dev loss was lowest after epoch 2"
    assert info.colour == COLOURS["LoRA"]


def test_dev_loss_begins_with_the_untuned_model_and_the_kept_epoch_is_ringed() -> None:
    figure = figures_diagnosis.loss_figure(figures_diagnosis.loss_info(studies.spec(), SAID, 2))

    curves = {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in figure.data}
    assert curves["dev loss"] == [(0, 8.0), (1, 2.0), (2, 1.0), (3, 1.5)]
    assert curves["untuned base"] == [(0, 8.0), (3, 8.0)]
    assert curves["kept epoch"] == [(2, 1.0)]
    assert "log scale" in figure.layout.yaxis.title.text


def test_a_training_that_broke_off_in_its_first_epoch_is_drawn_as_far_as_it_came() -> None:
    broken = Diagnosis(SAID.findings, Losses(8.0, (), LOSSES.train[:5]))

    figure = figures_diagnosis.loss_figure(figures_diagnosis.loss_info(studies.spec(), broken, None))

    assert [trace.name for trace in figure.data] == ["training loss, batch by batch", "dev loss"]
